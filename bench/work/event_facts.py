"""What is compared of what was read out of an event file.

Per tag: how many, the exact sum of the values, and checksums over all values and all steps in
their order. Standard library only: it is imported by scripts that run in the peers' environments.
"""

from __future__ import annotations

import math
import zlib
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Facts:
    """Filled by one program's script; what it does not read, it does not state."""

    scalars: dict[str, list[Any]] = field(default_factory=dict)
    histograms: dict[str, list[Any]] = field(default_factory=dict)
    limits: dict[str, float] = field(default_factory=dict)
    images: dict[str, list[Any]] = field(default_factory=dict)
    time_us_sum: int = 0

    def add_scalars(self, tag: str, steps: Sequence[int], values: Sequence[float]) -> None:
        """All values of a tag; a float32 is the same number as a float64."""
        self.scalars[tag] = [len(values), math.fsum(values), _in_order("d", values), _steps(steps)]

    def add_histograms(
        self, tag: str, steps: Sequence[int], counts: Iterable[Sequence[float]]
    ) -> None:
        """All histograms of a tag."""
        weights = math.fsum(weight for histogram in counts for weight in histogram)
        self.histograms[tag] = [len(steps), weights, _steps(steps)]

    def add_limits(self, tag: str, limits: Iterable[Sequence[float]]) -> None:
        """The upper limits of the buckets, where a program keeps them as they are."""
        self.limits[tag] = math.fsum(limit for histogram in limits for limit in histogram)

    def add_images(self, tag: str, steps: Sequence[int], contents: Iterable[bytes]) -> None:
        """All images of a tag, still encoded."""
        size = checksum = 0
        for content in contents:
            size += len(content)
            checksum = zlib.crc32(content, checksum)
        self.images[tag] = [len(steps), size, checksum, _steps(steps)]

    def add_times(self, seconds: Iterable[float]) -> None:
        """Wall times of any values."""
        self.time_us_sum += sum(round(second * 1e6) for second in seconds)

    def as_outcome(self, **others: Any) -> Mapping[str, Any]:
        """For the child's answer."""
        kinds = {"scalars": self.scalars, "histograms": self.histograms}
        kinds |= {"limits": self.limits, "images": self.images}
        stated = {kind: tags for kind, tags in kinds.items() if tags}
        return {**stated, "time_us_sum": self.time_us_sum, **others}


def _steps(steps: Sequence[int]) -> int:
    return _in_order("q", steps)


def _in_order(kind: str, numbers: Sequence[float]) -> int:
    return zlib.crc32(array(kind, numbers).tobytes())

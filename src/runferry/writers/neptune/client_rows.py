"""Rows of an export as batches for the client: by attribute, in steps that rise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from runferry.dialects.neptune.client import RemoteAttribute, new_series


@dataclass(frozen=True, slots=True)
class Extension:
    """Values that an attribute is extended by."""

    attribute: str
    values: list[object]
    steps: list[float]
    timestamps: list[float]  # seconds

    def send(self, attribute: RemoteAttribute, *, is_new: bool) -> None:
        """The first values of a series, or more of them."""
        at = {"steps": self.steps, "timestamps": self.timestamps}
        if is_new:
            attribute.assign(new_series(self.values, **at))
        else:
            attribute.extend(self.values, **at)


class RisingSteps:
    """Cuts rows into extensions. A server takes a step only once, and only later ones after it."""

    def __init__(self, default_ns: int) -> None:
        """`default_ns` is the time of a row that has none."""
        self._default_ms = default_ns // 1_000_000
        self._last: dict[str, float] = {}
        self.left_out: Counter[str] = Counter()  # rows, by attribute

    def extensions(self, rows: pa.RecordBatch, column: str) -> Iterator[Extension]:
        """The rows' values of one column, which are all of one kind; without those that are null,
        NaN or infinite."""
        values = rows.column(column)
        if pa.types.is_floating(values.type):
            rows = rows.filter(pc.fill_null(pc.is_finite(values), False))
        else:
            rows = rows.filter(values.is_valid())
        paths = rows.column("attribute_path").dictionary_encode()
        for number, path in enumerate(paths.dictionary.to_pylist()):
            some = rows.filter(pc.equal(paths.indices, number))
            rising = self._rising(path, some)
            if rising.num_rows:
                yield Extension(
                    path,
                    rising.column(column).to_pylist(),
                    rising.column("step").cast(pa.float64()).to_pylist(),
                    self._seconds(rising),
                )

    def _rising(self, path: str, rows: pa.RecordBatch) -> pa.RecordBatch:
        steps = rows.column("step").cast(pa.float64()).to_numpy(zero_copy_only=False)
        before = np.concatenate(([self._last.get(path, -np.inf)], steps))
        highest = np.maximum.accumulate(before)
        is_later = steps > highest[:-1]
        self._last[path] = float(highest[-1])
        self.left_out[path] += int(len(steps) - is_later.sum())
        return rows if is_later.all() else rows.filter(pa.array(is_later))

    def takes(self, path: str, step: float) -> bool:
        """Whether this step is later than all before; from then on it is one of them."""
        is_later = step > self._last.get(path, -np.inf)
        if is_later:
            self._last[path] = step
        return is_later

    def seconds(self, time: datetime | None) -> float:
        """A time as the client takes it."""
        return self._default_ms / 1000 if time is None else time.timestamp()

    def _seconds(self, rows: pa.RecordBatch) -> list[float]:
        times = rows.column("timestamp").cast(pa.int64()).fill_null(self._default_ms)
        return [time / 1000 for time in times.to_pylist()]

"""Events of a session that we have authored, as the texts that they are there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

_BETWEEN: Final = b',{"type":'
"""What stands between two events of a line: inside of a JSON string no quote stands bare."""
_COMMA: Final = 1
_AT_ONCE: Final = 500  # events in a request, of which the server makes one bulk of its index
_BYTES_AT_ONCE: Final = 4 << 20


@dataclass(frozen=True, slots=True)
class EventsPart:
    """Those of one file from one place up to another, counted in events."""

    path: Path
    first: int = 0
    last: int | None = None

    def events(self, skip: int = 0) -> Iterator[bytes]:
        """Each as JSON, without the first few."""
        return islice(_events_in(self.path), self.first + skip, self.last)

    def count(self) -> int:
        """How many there are; the file is read where only its end says it."""
        return sum(1 for _ in self.events()) if self.last is None else self.last - self.first


def batches_of(events: Iterator[bytes]) -> Iterator[list[bytes]]:
    """As many as one request may have."""
    batch: list[bytes] = []
    size_bytes = 0
    for event in events:
        if batch and (len(batch) == _AT_ONCE or size_bytes + len(event) > _BYTES_AT_ONCE):
            yield batch
            batch, size_bytes = [], 0
        batch.append(event)
        size_bytes += len(event)
    if batch:
        yield batch


def _events_in(path: Path) -> Iterator[bytes]:
    if not path.exists():
        return
    with path.open("rb") as lines:
        for line in lines:
            first, *others = line.strip()[1:-1].split(_BETWEEN)
            if first:
                yield first
            for other in others:
                yield _BETWEEN[_COMMA:] + other

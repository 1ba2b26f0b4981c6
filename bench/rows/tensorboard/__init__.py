"""TensorBoard's event files: to columns, into the archive, and written, beside the peers."""

from __future__ import annotations

from collections.abc import Iterator

from bench.report import Row
from bench.rows.tensorboard import archive, columns, memory, writing
from bench.rows.tensorboard.laps import inputs_of, laps_of
from bench.size import Size


def measure(size: Size) -> Iterator[Row]:
    """Three inputs, each read by everybody in turns; then writing, then memory."""
    for events in inputs_of(size):
        laps = laps_of(events)
        yield from columns.rows(events, laps)
        yield from archive.rows(events, laps)
    yield from writing.measure(size)
    yield from memory.measure(size)

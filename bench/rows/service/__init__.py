"""W&B's service as a source: a long history, and many small runs at the rate that is allowed."""

from __future__ import annotations

from collections.abc import Iterator

from bench.report import Row
from bench.rows.service import history, many
from bench.size import Size


def measure(size: Size) -> Iterator[Row]:
    """Each with what the stand-in does at most beside it."""
    yield from history.measure(size)
    yield from many.measure(size)

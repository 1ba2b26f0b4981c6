"""Segments whose steps follow each other, as of a run that was pulled in order: each is sorted by
itself, and no row is written anywhere.

Such segments overlap in nothing but the step at which one ends and the next begins.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from runferry.archive.reading import opened
from runferry.archive.record import Segment

Order = tuple[NDArray[np.int64], ...]
"""Whether a row has no step, then its step, …: see `step_order.order_of`."""


def follow_each_other(root: Path, segments: Sequence[Segment], rows: int) -> bool:
    """Whether the segments' own statistics say so; each has so many rows at most, and all of them
    have no more without a step."""
    before, stepless = None, 0
    for segment in segments:
        if segment.rows > rows:
            return False
        with opened(root, segment) as file:
            at = file.schema_arrow.get_field_index("step")
            for group in range(file.metadata.num_row_groups):
                found = file.metadata.row_group(group).column(at).statistics
                if found is None or not (found.has_min_max and found.has_null_count):
                    return False
                if found.min == found.max or (before is not None and found.min < before):
                    return False
                before, stepless = found.max, stepless + found.null_count
    return stepless <= rows


def one_by_one(
    segments: Iterable[list[pa.RecordBatch]], order_of: Callable[[pa.RecordBatch], Order]
) -> Iterator[pa.RecordBatch]:
    """The rows of segments that follow each other, one batch for each, in order.

    The rows of a segment's last step wait for the next one; those without a step come last.
    """
    waiting: list[pa.RecordBatch] = []
    stepless: list[pa.RecordBatch] = []
    for rows in segments:
        batch = _joined([*waiting, *rows])
        order = order_of(batch)
        by = sorting(order)
        stepped = len(by) - int(np.count_nonzero(order[0]))
        steps = order[1][by[:stepped]]
        ready = int(np.searchsorted(steps, steps[-1])) if stepped else 0
        if ready:
            yield batch.take(pa.array(by[:ready]))
        waiting = [batch.take(pa.array(by[ready:stepped]))]
        stepless.append(batch.take(pa.array(by[stepped:])))
    yield from (batch for batch in waiting if batch.num_rows)
    batch = _joined(stepless)
    if batch.num_rows:
        yield batch.take(pa.array(sorting(order_of(batch))))


def sorting(order: Order) -> NDArray[np.int64]:
    """The places of the rows in order; rows that are alike stay as they stand."""
    deciding = [part for part in order if len(part) and (part != part[0]).any()]
    if not deciding:
        return np.arange(len(order[0]))
    return np.lexsort(deciding[::-1]).astype(np.int64, copy=False)


def _joined(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    table = pa.Table.from_batches(batches).combine_chunks()
    return table.to_batches()[0] if table.num_rows else batches[0].slice(0, 0)

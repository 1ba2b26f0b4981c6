"""Rows of an export as chunks: column by column."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from runferry import chunks
from runferry.model import Tree
from runferry.ports import BATCH_ROWS
from runferry.readers.wandb.service.column_rows import ColumnRows, Numbers, is_number, nanoseconds
from runferry.readers.wandb.service.exports import STEP, Exports
from runferry.readers.wandb.service.stated import Stated, numbered
from runferry.readers.wandb.trees import json_or_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

_TIME: Final = "_timestamp"


class ExportRows:
    """Gives the rows behind `after`, numbered from `number` on."""

    def __init__(self, rows: ColumnRows, stated: Stated, number: int, after: int | None) -> None:
        self._rows = rows
        self._stated = stated
        self._after = after
        self.number = number
        self.last_step = after
        self.last_time: float | None = None

    def read(self, exports: Exports) -> Iterator[chunks.Chunk]:
        """All of it; a row is never split between chunks of points."""
        for file in exports.files:
            if self._after is not None and file.last_step <= self._after:
                continue
            width = max(1, file.parquet.metadata.num_columns)
            for batch in file.batches(max(1, BATCH_ROWS // width)):
                yield from self._batch(batch)

    def _batch(self, batch: pa.RecordBatch) -> Iterator[chunks.Chunk]:
        if self._after is not None:
            batch = batch.filter(pc.greater(batch.column(STEP).cast(pa.int64()), self._after))
        if not batch.num_rows:
            return
        steps = batch.column(STEP).cast(pa.int64()).to_numpy()
        seconds, time_ns = _times(batch)
        numbers, others = [], []
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            if name == STEP or (name == _TIME and time_ns is not None):
                continue
            if column.null_count == len(column):
                continue
            if is_number(column.type):
                numbers.append(_numbers(name, column))
            else:
                others.append((name, self._objects(name, column)))
        at = self._rows.addresses(self.number, steps, time_ns)
        yield from self._rows.give(at, numbers, others)
        self.number += batch.num_rows
        self.last_step = int(max(self.last_step or 0, steps[-1]))
        self.last_time = None if seconds is None else float(seconds[-1].as_py())

    def _objects(self, name: str, column: pa.Array) -> Iterator[tuple[int, Tree]]:
        """Texts, lists, and W&B's own values of one column."""
        is_json = pa.types.is_string(column.type) and not self._stated.is_text(name)
        for row in np.flatnonzero(np.asarray(column.is_valid())).tolist():
            value = _whole(column[row].as_py())
            if is_json and isinstance(value, str):
                value = json_or_text(value)
            yield row, numbered(name, value, self._stated)


def _times(batch: pa.RecordBatch) -> tuple[pa.Array | None, NDArray[np.int64] | None]:
    """Seconds and nanoseconds; None where one of them is no time: it stays a series."""
    at = batch.schema.get_field_index(_TIME)
    if at < 0 or not is_number(batch.column(at).type) or batch.column(at).null_count:
        return None, None
    time_ns = nanoseconds(batch.column(at))
    return (None, None) if time_ns is None else (batch.column(at), time_ns)


def _numbers(name: str, column: pa.Array) -> Numbers:
    if not column.null_count:
        return Numbers(name, column)
    return Numbers(name, column.drop_null(), np.flatnonzero(np.asarray(column.is_valid())))


def _whole(value: Tree) -> Tree:
    """A value of a struct without the members that it did not have."""
    if isinstance(value, dict):
        return {name: _whole(item) for name, item in value.items() if item is not None}
    return [_whole(item) for item in value] if isinstance(value, list) else value

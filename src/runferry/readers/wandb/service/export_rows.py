"""Rows of an export as chunks: column by column, a value that is a number never as an object."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from runferry import chunks, tables
from runferry.dialects.times import NS, seconds_ns
from runferry.model import Address, Tree
from runferry.ports import BATCH_ROWS
from runferry.readers.wandb.json_rows import JsonRows
from runferry.readers.wandb.service.exports import STEP, Exports
from runferry.readers.wandb.service.names import Names
from runferry.readers.wandb.service.stated import Stated, numbered
from runferry.readers.wandb.trees import json_or_text, leaves

if TYPE_CHECKING:
    from numpy.typing import NDArray

_TIME: Final = "_timestamp"
_SURE: Final = 1 << 62  # a double below this has its nearest integer in 64 bits


@dataclass
class _Columns:
    """Columns of points in the making: one piece for each series of the batch."""

    keys: list[str] = field(default_factory=list)
    indices: list[pa.Array] = field(default_factory=list)
    rows: list[NDArray[np.int64]] = field(default_factory=list)
    values: list[pa.Array] = field(default_factory=list)
    exact: list[pa.Array] = field(default_factory=list)
    kinds: list[tuple[str, int]] = field(default_factory=list)


class ExportRows:
    """Gives the rows behind `after`, numbered from `number` on."""

    def __init__(
        self, rows: JsonRows, names: Names, stated: Stated, number: int, after: int | None
    ) -> None:
        self._rows = rows
        self._names = names
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
        yield from self._rows.drain()

    def _batch(self, batch: pa.RecordBatch) -> Iterator[chunks.Chunk]:
        if self._after is not None:
            batch = batch.filter(pc.greater(batch.column(STEP).cast(pa.int64()), self._after))
        if not batch.num_rows:
            return
        steps = batch.column(STEP).cast(pa.int64())
        times = _times(batch)
        seqs = np.array([self._rows.seq(0), self._rows.seq(1)])
        seq = seqs[0] + (seqs[1] - seqs[0]) * (self.number + np.arange(batch.num_rows))
        columns, others = _Columns(), []
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            if name == STEP or (name == _TIME and times is not None):
                continue
            if column.null_count == len(column):
                continue
            if _is_number(column.type):
                self._take(columns, name, column)
            else:
                others.append((name, column))
        for name, column in others:
            self._objects(name, column, steps, times, seq)
        yield from self._drained(columns, steps, times, seq)
        self.number += batch.num_rows
        self.last_step = int(max(self.last_step or 0, steps[-1].as_py()))
        self.last_time = None if times is None else times.seconds[-1].as_py()

    def _take(self, columns: _Columns, name: str, column: pa.Array) -> None:
        """The numbers of one column."""
        path = self._names.path((name,))
        key = self._rows.declared.keys.key(path, "user")
        self._rows.declare(key, path, "scalar")
        rows = np.flatnonzero(np.asarray(column.is_valid()))
        found = column.drop_null() if column.null_count else column
        self._names.values[name] += len(found)
        columns.indices.append(pa.array(np.full(len(found), len(columns.keys), np.int32)))
        columns.keys.append(key)
        columns.rows.append(rows)
        value, exact, kind = _scalars(found)
        columns.values.append(value)
        columns.exact.append(exact)
        columns.kinds.append((kind, len(found)))

    def _drained(
        self,
        columns: _Columns,
        steps: pa.Array,
        times: _Times | None,
        seq: NDArray[np.int64],
    ) -> Iterator[chunks.Chunk]:
        yield from self._rows.drain()
        if not columns.keys:
            return
        rows = np.concatenate(columns.rows)
        taken = pa.array(rows)
        found = {
            "key": pa.DictionaryArray.from_arrays(
                pa.concat_arrays(columns.indices), pa.array(columns.keys, pa.string())
            ),
            "step": steps.take(taken),
            "value": pa.concat_arrays(columns.values),
            "value_i64": pa.concat_arrays(columns.exact),
            "kind": _kinds(columns.kinds),
            "seq": pa.array(seq[rows], pa.int64()),
        }
        if times is not None:
            found["time"], found["time_ns"] = times.micro.take(taken), times.below.take(taken)
        batch = tables.conform(pa.RecordBatch.from_pydict(found), tables.POINTS)
        for start in range(0, batch.num_rows, BATCH_ROWS):
            yield chunks.Points(batch.slice(start, BATCH_ROWS))

    def _objects(
        self,
        name: str,
        column: pa.Array,
        steps: pa.Array,
        times: _Times | None,
        seq: NDArray[np.int64],
    ) -> None:
        """Texts, lists, and W&B's own values of one column."""
        is_json = pa.types.is_string(column.type) and not self._stated.is_text(name)
        when = None if times is None else times.ns
        for row in np.flatnonzero(np.asarray(column.is_valid())).tolist():
            value = _whole(column[row].as_py())
            if is_json and isinstance(value, str):
                value = json_or_text(value)
            value = numbered(name, value, self._stated)
            time_ns = None if when is None else when[row]
            at = Address(int(seq[row]), steps[row].as_py(), None, time_ns)
            for path, leaf in leaves({name: value}):
                self._names.count(path, leaf)
                self._rows.add_value(path, at, leaf)


@dataclass(frozen=True, slots=True)
class _Times:
    """When each row was logged."""

    seconds: pa.Array
    ns: list[int | None]
    micro: pa.Array
    below: pa.Array


def _times(batch: pa.RecordBatch) -> _Times | None:
    """None where a time is no time, or would not give the same number back: it stays a series."""
    at = batch.schema.get_field_index(_TIME)
    if at < 0 or not _is_number(batch.column(at).type) or batch.column(at).null_count:
        return None
    column = batch.column(at)
    seconds = column.to_numpy(zero_copy_only=False).astype(np.float64)
    if not np.isfinite(seconds).all() or np.abs(seconds).max(initial=0) * NS >= _SURE:
        return None
    found = [seconds_ns(value) for value in column.to_pylist()]
    if None in found:
        return None
    ns = np.array(found, np.int64)
    micro = np.floor_divide(ns, 1000)
    return _Times(
        column,
        found,
        pa.array(micro).cast(tables.TIME),
        pa.array((ns - micro * 1000).astype(np.int16)),
    )


def _is_number(kind: pa.DataType) -> bool:
    """Whether float64 and int64 hold all values of this type between them."""
    return bool(
        pa.types.is_floating(kind)
        or pa.types.is_boolean(kind)
        or (pa.types.is_integer(kind) and kind != pa.uint64())
    )


def _scalars(found: pa.Array) -> tuple[pa.Array, pa.Array, str]:
    """Values, exact integers where a double is not, and the kind."""
    if pa.types.is_boolean(found.type):
        return found.cast(pa.float64()), pa.nulls(len(found), pa.int64()), "bool"
    if pa.types.is_floating(found.type):
        kind = "float32" if found.type == pa.float32() else "float64"
        return found.cast(pa.float64()), pa.nulls(len(found), pa.int64()), kind
    whole = found.cast(pa.int64()).to_numpy()
    value = whole.astype(np.float64)
    is_exact = np.abs(value) < 2.0**53
    if not is_exact.all():
        # 2**63 itself is no int64, and the cast of it says so in a way that is never equal
        inside = value < 2.0**63
        is_exact |= inside & (np.where(inside, value, 0).astype(np.int64) == whole)
    return pa.array(value), pa.array(whole, mask=is_exact), "int"


def _kinds(found: list[tuple[str, int]]) -> pa.Array:
    names = list(tables.POINT_KINDS)
    indices = np.repeat([names.index(kind) for kind, _ in found], [count for _, count in found])
    return pa.DictionaryArray.from_arrays(pa.array(indices.astype(np.int8)), pa.array(names))


def _whole(value: Tree) -> Tree:
    """A value of a struct without the members that it did not have."""
    if isinstance(value, dict):
        return {name: _whole(item) for name, item in value.items() if item is not None}
    return [_whole(item) for item in value] if isinstance(value, list) else value

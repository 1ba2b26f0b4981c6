"""Rows by columns as chunks: a column of numbers is never a list of objects on its way."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from runferry import chunks, tables
from runferry.dialects.times import NS, seconds_ns
from runferry.model import Address, Tree
from runferry.ports import BATCH_ROWS
from runferry.readers.wandb.json_rows import JsonRows
from runferry.readers.wandb.service.names import Names
from runferry.readers.wandb.trees import leaves

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SURE_FROM: Final = 2.0**24  # seconds, in 1970
_SURE_UNTIL: Final = 2.0**33  # in 2242
_KINDS: Final = {name: number for number, name in enumerate(tables.POINT_KINDS)}

Objects = Iterable[tuple[int, Tree]]
"""Values, each behind the place of its row."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """A column of numbers without nulls, and which rows they stand in; None where in all."""

    name: str
    values: pa.Array
    rows: NDArray[np.int64] | None = None


@dataclass(frozen=True, slots=True)
class RowAddresses:
    """Where rows stand: int64 each, times in nanoseconds or None where there are none."""

    seq: NDArray[np.int64]
    steps: NDArray[np.int64]
    time_ns: NDArray[np.int64] | None

    def at(self, row: int) -> Address:
        """Of one row."""
        time_ns = None if self.time_ns is None else int(self.time_ns[row])
        return Address(int(self.seq[row]), int(self.steps[row]), None, time_ns)


@dataclass
class _Columns:
    """Columns of points in the making: one piece for each series."""

    keys: list[str] = field(default_factory=list)
    values: list[pa.Array] = field(default_factory=list)
    exact: list[pa.Array | None] = field(default_factory=list)
    kinds: list[int] = field(default_factory=list)
    rows: list[NDArray[np.int64] | None] = field(default_factory=list)


class ColumnRows:
    """Gives rows of one stream, some at a time."""

    def __init__(self, rows: JsonRows, names: Names) -> None:
        self._rows = rows
        self._names = names

    def addresses(
        self, number: int, steps: NDArray[np.int64], time_ns: NDArray[np.int64] | None
    ) -> RowAddresses:
        """Of rows that are numbered from `number` on."""
        first, second = self._rows.seq(0), self._rows.seq(1)
        seq = first + (second - first) * (number + np.arange(len(steps)))
        return RowAddresses(seq, steps, time_ns)

    def give(
        self,
        at: RowAddresses,
        numbers: Iterable[Numbers],
        objects: Iterable[tuple[str, Objects]],
    ) -> Iterator[chunks.Chunk]:
        """All values of some rows: columns of numbers, and of anything else."""
        columns = _Columns()
        for column in numbers:
            self._take(columns, column)
        for name, values in objects:
            self._put(name, values, at)
        yield from self._rows.drain()
        if columns.keys:
            batch = _points(columns, at)
            for start in range(0, batch.num_rows, BATCH_ROWS):
                yield chunks.Points(batch.slice(start, BATCH_ROWS))

    def _take(self, columns: _Columns, column: Numbers) -> None:
        path = self._names.path((column.name,))
        key = self._rows.declared.keys.key(path, "user")
        self._rows.declare(key, path, "scalar")
        self._names.values[column.name] += len(column.values)
        value, exact, kind = _scalars(column.values)
        columns.keys.append(key)
        columns.rows.append(column.rows)
        columns.values.append(value)
        columns.exact.append(exact)
        columns.kinds.append(_KINDS[kind])

    def _put(self, name: str, values: Objects, at: RowAddresses) -> None:
        """Texts, lists, and W&B's own values of one column."""
        for row, value in values:
            address = at.at(row)
            for path, leaf in leaves({name: value}):
                self._names.count(path, leaf)
                self._rows.add_value(path, address, leaf)


def is_number(kind: pa.DataType) -> bool:
    """Whether float64 and int64 hold all values of this type between them."""
    return bool(
        pa.types.is_floating(kind)
        or pa.types.is_boolean(kind)
        or (pa.types.is_integer(kind) and kind != pa.uint64())
    )


def nanoseconds(column: pa.Array) -> NDArray[np.int64] | None:
    """Of seconds without nulls by the rule of `seconds_ns`, for all rows or for none."""
    seconds = column.to_numpy(zero_copy_only=False).astype(np.float64)
    lowest, highest = seconds.min(), seconds.max()
    if lowest >= _SURE_FROM and highest < _SURE_UNTIL:
        # doubles lie further apart here than nanoseconds: each has one that gives it back
        whole = np.floor(seconds)
        below = np.rint((seconds - whole) * NS).astype(np.int64)
        return np.asarray(whole.astype(np.int64) * NS + below, np.int64)
    found = [seconds_ns(value) for value in column.to_pylist()]
    return None if None in found else np.array(found, np.int64)


def _points(columns: _Columns, at: RowAddresses) -> pa.RecordBatch:
    counts = [len(values) for values in columns.values]
    place = _Placed(columns.rows, len(at.seq))
    indices = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    kinds = np.repeat(np.array(columns.kinds, np.int8), counts)
    found = {
        "key": pa.DictionaryArray.from_arrays(indices, pa.array(columns.keys, pa.string())),
        "step": pa.array(place.each(at.steps)),
        "value": pa.concat_arrays(columns.values),
        "kind": pa.DictionaryArray.from_arrays(kinds, pa.array(tables.POINT_KINDS)),
        "seq": pa.array(place.each(at.seq)),
    }
    if any(exact is not None for exact in columns.exact):
        found["value_i64"] = pa.concat_arrays(
            pa.nulls(count, pa.int64()) if exact is None else exact
            for exact, count in zip(columns.exact, counts, strict=True)
        )
    if at.time_ns is not None:
        micro = np.floor_divide(at.time_ns, 1000)
        below = (at.time_ns - micro * 1000).astype(np.int16)
        found["time"] = pa.array(place.each(micro)).view(tables.TIME)
        found["time_ns"] = pa.array(place.each(below))
    return tables.conform(pa.RecordBatch.from_pydict(found), tables.POINTS)


class _Placed:
    """What rows have, for each of their values."""

    def __init__(self, rows: Sequence[NDArray[np.int64] | None], count: int) -> None:
        self._columns = len(rows)
        self._rows: NDArray[np.int64] | None = None
        if any(some is not None for some in rows):
            whole = np.arange(count)
            self._rows = np.concatenate([whole if some is None else some for some in rows])

    def each(self, of_rows: NDArray[np.generic]) -> NDArray[np.generic]:
        """A column of points."""
        return np.tile(of_rows, self._columns) if self._rows is None else of_rows[self._rows]


def _scalars(found: pa.Array) -> tuple[pa.Array, pa.Array | None, str]:
    """Values, exact integers where a double is not, and the kind."""
    if pa.types.is_boolean(found.type):
        return found.cast(pa.float64()), None, "bool"
    if pa.types.is_floating(found.type):
        kind = "float32" if found.type == pa.float32() else "float64"
        return found if found.type == pa.float64() else found.cast(pa.float64()), None, kind
    whole = found.cast(pa.int64()).to_numpy()
    value = whole.astype(np.float64)
    is_exact = np.abs(value) < 2.0**53
    if is_exact.all():
        return pa.array(value), None, "int"
    # 2**63 itself is no int64, and the cast of it says so in a way that is never equal
    inside = value < 2.0**63
    is_exact |= inside & (np.where(inside, value, 0).astype(np.int64) == whole)
    return pa.array(value), pa.array(whole, mask=is_exact), "int"

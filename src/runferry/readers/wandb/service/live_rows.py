"""Live rows as chunks: by columns where their rows say plainly when they were logged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from runferry import chunks
from runferry.model import Tree
from runferry.ports import BATCH_ROWS
from runferry.readers.wandb.json_rows import JsonRows
from runferry.readers.wandb.service.column_rows import ColumnRows, Numbers, Objects, nanoseconds
from runferry.readers.wandb.service.names import Names
from runferry.readers.wandb.service.stated import Stated, numbered, with_numbers
from runferry.readers.wandb.trees import leaves

if TYPE_CHECKING:
    from numpy.typing import NDArray

Row = dict[str, Tree]
_Address = tuple["NDArray[np.int64]", "NDArray[np.int64]"]

_ADDRESS: Final = frozenset({"_step", "_timestamp"})
_NUMBERS: Final = {float: pa.float64(), int: pa.int64(), bool: pa.bool_()}
_FEW: Final = 8
"""Fewer values of a name are taken one by one: a column costs as much as that."""


@dataclass
class _Column:
    rows: list[int] = field(default_factory=list)
    values: list[Tree] = field(default_factory=list)


class LiveRows:
    """Gives rows as they came in pages."""

    def __init__(self, rows: JsonRows, columns: ColumnRows, names: Names, stated: Stated) -> None:
        self._rows = rows
        self._columns = columns
        self._names = names
        self._stated = stated

    def give(self, rows: list[Row], number: int) -> Iterator[chunks.Chunk]:
        """Rows that are numbered from `number` on; what is collected may wait for `drain`."""
        for some in _pieces(rows):
            numbers, objects = self._split(some)
            address = _address(some) if numbers else None
            if address is None:
                yield from self._one_by_one(some, number)
            else:
                at = self._columns.addresses(number, *address)
                yield from self._columns.give(at, numbers, objects)
            number += len(some)

    def _one_by_one(self, rows: list[Row], number: int) -> Iterator[chunks.Chunk]:
        for count, found in enumerate(rows):
            row = with_numbers(found, self._stated)
            rest = {name: value for name, value in row.items() if name not in _ADDRESS}
            for path, value in leaves(rest):
                self._names.count(path, value)
            yield from self._rows.add(row, number + count)

    def _split(self, rows: list[Row]) -> tuple[list[Numbers], list[tuple[str, Objects]]]:
        """The columns of numbers, and all others."""
        columns: dict[str, _Column] = {}
        for place, row in enumerate(rows):
            for name, value in row.items():
                column = columns.get(name)
                if column is None:
                    column = columns[name] = _Column()
                column.rows.append(place)
                column.values.append(value)
        numbers: list[Numbers] = []
        objects: list[tuple[str, Objects]] = []
        for name, column in columns.items():
            if name in _ADDRESS:
                continue
            values = _array(column.values) if len(column.values) >= _FEW else None
            if values is None:
                objects.append((name, self._objects(name, column)))
            else:
                places = None if len(values) == len(rows) else np.array(column.rows)
                numbers.append(Numbers(name, values, places))
        return numbers, objects

    def _objects(self, name: str, column: _Column) -> Iterable[tuple[int, Tree]]:
        for place, value in zip(column.rows, column.values, strict=True):
            yield place, numbered(name, value, self._stated)


def _pieces(rows: list[Row]) -> Iterator[list[Row]]:
    """Rows whose values are one batch, so that no row is split between chunks."""
    piece: list[Row] = []
    size = 0
    for row in rows:
        if piece and size + len(row) > BATCH_ROWS:
            yield piece
            piece, size = [], 0
        piece.append(row)
        size += len(row)
    if piece:
        yield piece


def _array(values: list[Tree]) -> pa.Array | None:
    """Values of one type of number; None for all others."""
    kinds = {*map(type, values)}
    kind = kinds.pop()
    if kinds or kind not in _NUMBERS:
        return None
    try:
        return pa.array(values, _NUMBERS[kind], from_pandas=False)
    except OverflowError:  # an integer that 64 bits cannot hold
        return None


def _address(rows: list[Row]) -> _Address | None:
    """Steps and times; None where a row has none, or nothing else."""
    steps = _array([row.get("_step") for row in rows])
    times = _array([row.get("_timestamp") for row in rows])
    if steps is None or times is None or not pa.types.is_integer(steps.type):
        return None
    if pa.types.is_boolean(times.type) or any(len(row) <= len(_ADDRESS) for row in rows):
        return None
    time_ns = nanoseconds(times)
    return None if time_ns is None else (steps.to_numpy(), time_ns)

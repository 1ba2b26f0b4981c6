"""Columns of a sequence of any length, for the process that reads Aim: they lie on the disk.

It imports nothing of runferry, as `child` does not, which lies beside it.
"""

from __future__ import annotations

import tempfile
from itertools import islice
from typing import Any, Iterator  # noqa: UP035  Python 3.9 may run this

import numpy as np

BATCH = 65_536
_AT_A_TIME = 4_096  # as objects of Python, which take twenty times the room
_ALL_BITS = 2**64 - 1


class Column:
    """Places and values of one column of a sequence, kept on the disk: it may be of any length.

    A value is given as one number for each of `kinds`.
    """

    def __init__(self, series: Any, name: str, kinds: dict[str, str], told: Any) -> None:
        self.numbers = {kind: _Numbers(kinds[kind]) for kind in kinds}
        self.places = _Numbers("<u8")
        items = _items_of(series, name)
        while part := list(islice(items, _AT_A_TIME)):
            self.places.add([place & _ALL_BITS for place, _ in part])
            spelled = [told(value) for _, value in part]
            for number, column in enumerate(self.numbers.values()):
                column.add([one[number] for one in spelled])
        for column in (self.places, *self.numbers.values()):
            column.finish()
        self._order: Any = None

    def __len__(self) -> int:
        return len(self.places.found)

    def rows_of(self, places: Any) -> tuple[Any, Any]:
        """Where values of places are, and whether there is one."""
        own = self.places.found
        if not len(own):
            return np.zeros(len(places), np.int64), np.zeros(len(places), bool)
        if self._order is None:
            self._order = np.argsort(own, kind="stable")
        at = np.searchsorted(own, places, sorter=self._order)
        rows = self._order[np.minimum(at, len(own) - 1)]
        return rows, own[rows] == places

    def take(self, rows: Any, is_there: Any, kind: str, otherwise: float) -> Any:
        """Numbers of rows, as little-endian as they are sent."""
        column = self.numbers[kind].found
        if not len(column):
            return np.full(len(rows), otherwise, self.numbers[kind].kind)
        return np.where(is_there, column[rows], otherwise).astype(self.numbers[kind].kind)


class _Numbers:
    """Numbers that are written one after the other, and then looked up anywhere.

    Their file has no name, so that nothing is left of it where the process is killed.
    """

    def __init__(self, kind: str) -> None:
        self.kind = np.dtype(kind)
        self.found: Any = np.empty(0, self.kind)
        self._file = tempfile.TemporaryFile()  # noqa: SIM115  closed by `finish`

    def add(self, numbers: list[Any]) -> None:
        self._file.write(np.array(numbers, self.kind).tobytes())

    def finish(self) -> None:
        with self._file as stream:
            if stream.tell():
                stream.flush()
                self.found = np.memmap(stream, self.kind, "r")


def _items_of(series: Any, name: str) -> Iterator[Any]:
    try:
        yield from series.array(name).items()
    except KeyError:
        return

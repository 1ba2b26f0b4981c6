"""Rows of a sequence of any length, by step, for the process that reads Aim.

Aim keeps a sequence as columns, and each of them by the same places, in the order of their bytes:
so columns are read side by side, a value at a time. Rows lie on the disk until they are sorted.

It imports nothing of runferry, as `child` does not, which lies beside it.
"""

from __future__ import annotations

import tempfile
from itertools import islice
from typing import Any, Iterator  # noqa: UP035  Python 3.9 may run this

import numpy as np
from aim.storage import encoding

BATCH = 65_536
_AT_A_TIME = 4_096  # as objects of Python, which take twenty times the room
ALL_BITS = 2**64 - 1
"""Of a place, which is read as a signed number: without its sign it rises as its bytes do."""
_SAMPLED = 65_536
NOTHING = object()
"""What a column has at a place where it has no value."""


def places_of(series: Any, name: str) -> Iterator[Any]:
    """(place, value) of a column of numbers; one that is not there is empty.

    Records are read as they lie: `items` of Aim's own arrays holds all that it has decoded (3.29).
    Raises ValueError where places do not rise.
    """
    last = -1
    for key, value in series.container.view(encoding.encode_path(name)).items():
        path = encoding.decode_path(key)
        if not path:
            continue  # says that this is an array
        (signed,) = path
        place = signed & ALL_BITS
        if place <= last:
            raise ValueError(f"places of `{name}` that do not rise")
        last = place
        yield place, encoding.decode(value)


class Beside:
    """A column that is read beside another one."""

    def __init__(self, series: Any, name: str) -> None:
        self._items = places_of(series, name)
        self._next = next(self._items, None)

    def at(self, place: int, otherwise: Any = NOTHING) -> Any:
        """The value at a place; places are asked for as they rise."""
        while self._next is not None and self._next[0] < place:
            self._next = next(self._items, None)
        if self._next is None or self._next[0] != place:
            return otherwise
        return self._next[1]


class Rows:
    """Rows that come in any order and are given back by step."""

    def __init__(self, kind: Any) -> None:
        """`kind` has the fields `step` (i8) and `millionths` (i4)."""
        self._kind = np.dtype(kind)
        self._file = tempfile.TemporaryFile()  # noqa: SIM115  closed by `by_step`; it has no name
        self._count = 0
        self._sample: list[Any] = []  # keys of every so many rows, from which buckets are made
        self._every = 1

    def fill(self, rows: Iterator[Any]) -> None:
        """Take all of them; a row is a tuple."""
        while part := list(islice(rows, _AT_A_TIME)):
            block = np.array(part, self._kind)
            self._file.write(block.tobytes())
            self._count += len(block)
            self._see(_keys(block))

    def _see(self, keys: Any) -> None:
        self._sample.append(keys[:: self._every])
        if sum(map(len, self._sample)) > _SAMPLED:
            self._sample = [np.concatenate(self._sample)[::2]]
            self._every *= 2

    def by_step(self) -> Iterator[Any]:
        """Blocks of at most BATCH rows; those of one step stay as they came."""
        with self._file as stream:
            if self._count <= BATCH:
                yield from _sorted(self._read(stream, 0, self._count))
                return
            sample = np.sort(np.concatenate(self._sample))
            buckets = 2 * self._count // BATCH
            splits = np.unique(sample[np.arange(1, buckets) * len(sample) // buckets])
            sizes = np.zeros(len(splits) + 1, np.int64)
            for block in self._blocks(stream):
                sizes += np.bincount(_bucket(splits, block), minlength=len(sizes))
            ends = np.cumsum(sizes)
            with tempfile.TemporaryFile() as scattered:
                self._scatter(stream, scattered, splits, ends - sizes)
                for begin, size in zip(ends - sizes, sizes):  # noqa: B905  Python 3.9
                    yield from _sorted(self._read(scattered, int(begin), int(size)))

    def _scatter(self, stream: Any, into: Any, splits: Any, places: Any) -> None:
        """Write each row into the room of its bucket; `places` are where the next ones go."""
        places = places.copy()
        for block in self._blocks(stream):
            bucket = _bucket(splits, block)
            order = np.argsort(bucket, kind="stable")
            found, first = np.unique(bucket[order], return_index=True)
            for number, rows in zip(found, np.split(block[order], first[1:])):  # noqa: B905
                into.seek(int(places[number]) * self._kind.itemsize)
                into.write(rows.tobytes())
                places[number] += len(rows)

    def _blocks(self, stream: Any) -> Iterator[Any]:
        for begin in range(0, self._count, BATCH):
            yield self._read(stream, begin, min(BATCH, self._count - begin))

    def _read(self, stream: Any, begin: int, count: int) -> Any:
        stream.seek(begin * self._kind.itemsize)
        return np.frombuffer(stream.read(count * self._kind.itemsize), self._kind)


def _keys(rows: Any) -> Any:
    """Numbers that rise as steps do: equal ones may be of different steps."""
    return rows["step"].astype("<f8") + rows["millionths"] / 1e6


def _bucket(splits: Any, rows: Any) -> Any:
    return np.searchsorted(splits, _keys(rows), side="right")


def _sorted(rows: Any) -> Iterator[Any]:
    found = rows[np.lexsort((rows["millionths"], rows["step"]))]
    for begin in range(0, len(found), BATCH):
        yield found[begin : begin + BATCH]

"""Blocks of a wide table as chunks: a column is a series, a row is a source row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, tzinfo
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from runferry import chunks, tables
from runferry.losses import Fate, Loss, LossLedger
from runferry.model import DataKind, KeyPath
from runferry.ports import BATCH_ROWS
from runferry.readers.declared import Declared
from runferry.readers.tabular.addresses import Addresses, take_dates, take_steps, take_times
from runferry.readers.tabular.block import Block
from runferry.readers.tabular.cells import NULL, Flags, Ints, Numbers, Words, flags

_KINDS = pa.array(tables.POINT_KINDS)
_FORMS = pa.array(["text", "json"])


@dataclass(frozen=True, slots=True)
class Meaning:
    """What the columns of a table are to one run, by their numbers.

    `paths` gives the series of a column, None for one that is not of this run; columns beyond it
    are named by the table. Values of the step and time columns become addresses; what cannot is a
    value of the series of that column.
    """

    paths: tuple[KeyPath | None, ...] = ()
    prefix: KeyPath = ()  # in front of the paths that the table gives
    step: int | None = None
    time: int | None = None
    origin_ns: int | None = None  # what the time column counts seconds from
    run: tuple[int, str] | None = None  # the column that tells runs apart, and this run's value
    zone: tzinfo = UTC
    companions: frozenset[int] = frozenset()
    """Columns of several runs, whose values are this run's in rows that have others of it."""

    def path_of(self, column: int, named: KeyPath) -> KeyPath | None:
        """The path of a column's series, which the table calls `named`."""
        if self.run is not None and column == self.run[0]:
            return None
        if column < len(self.paths):
            return self.paths[column]
        return (*self.prefix, *named)


@dataclass
class WideRows:
    """Makes chunks of one table's blocks.

    `rank` and `tables` say which of how many tables of the run this is: rows of several take turns
    in `seq`, so that each keeps its numbers while the others grow.
    """

    meaning: Meaning
    declared: Declared
    columns: list[KeyPath]
    label: str
    rank: int = 0
    tables: int = 1
    tally: LossLedger = field(default_factory=LossLedger)
    _paths: list[KeyPath | None] = field(default_factory=list)
    _keys: list[str] = field(default_factory=list)
    _dictionary: pa.Array = field(default_factory=lambda: pa.array([], pa.string()))

    def take(self, block: Block) -> Iterator[chunks.Chunk]:
        """The block's rows, and what is to be said of them."""
        self._name_columns()
        numbers, words = block.values.numbers, block.values.words
        kept = np.ones(len(block.number), np.bool_)
        if self.meaning.run is not None:
            kept = rows_of_run(block, self.meaning.run)
        self._tell(block, kept)
        numbers, words = numbers.where(kept[numbers.row]), words.where(kept[words.row])
        at = Addresses.none(len(block.number))
        numbers, words = self._address(numbers, words, at)
        is_named = self._is_named()
        numbers, words = (
            numbers.where(is_named[numbers.column]),
            words.where(is_named[words.column]),
        )
        yield from self._declare(numbers, words)
        seq = block.number * self.tables + self.rank
        for part in _parts(numbers.row):
            yield chunks.Points(self._points(numbers, part, at, seq))
        for part in _parts(words.row):
            yield chunks.Texts(self._texts(words, part, at, seq))
        for chunk in block.odd:
            if isinstance(chunk, chunks.Raw) and chunk.seq is not None:
                yield replace(chunk, seq=chunk.seq * self.tables + self.rank)
            else:
                yield chunk

    def unmet(self) -> Iterator[chunks.Chunk]:
        """Tells of columns that had no value; known only when all was read."""
        addresses = (self.meaning.step, self.meaning.time)
        unmet = [
            ".".join(path)
            for column, (path, key) in enumerate(zip(self._paths, self._keys, strict=True))
            if path is not None and key not in self.declared.given and column not in addresses
        ]
        if unmet:
            detail = f"columns without a value: {', '.join(unmet[:5])}"
            detail += f" and {len(unmet) - 5:,} more" if len(unmet) > 5 else ""
            yield chunks.Lost(Loss("empty-column", Fate.KEPT, self.label, len(unmet), detail))

    def _name_columns(self) -> None:
        begun = len(self._paths)
        if begun == len(self.columns):
            return
        for column, named in enumerate(self.columns[begun:], begun):
            path = self.meaning.path_of(column, named)
            self._paths.append(path)
            self._keys.append("" if path is None else self.declared.keys.key(path))
        self._dictionary = pa.array(self._keys, pa.string())

    def _address(self, numbers: Numbers, words: Words, into: Addresses) -> tuple[Numbers, Words]:
        """The values that are left when addresses are taken out.

        A row of nothing but its address would leave no trace, so it keeps its values.
        """
        meaning = self.meaning
        taken = np.zeros(len(numbers), np.bool_)
        dates = np.zeros(len(words), np.bool_)
        if meaning.step is not None:
            taken |= take_steps(numbers, meaning.step, into)
            self._tell_left(meaning.step, "no-step", numbers.where(~taken), words)
        if meaning.time is not None:
            taken |= take_times(numbers, meaning.time, into, meaning.origin_ns)
            dates = take_dates(words, meaning.time, into, meaning.zone)
            self._tell_left(meaning.time, "no-time", numbers.where(~taken), words.where(~dates))
            detail = f"times without a zone, read in {meaning.zone}; see --timezone"
            self._add("naive-time", meaning.time, into.naive, detail)
        is_left = np.zeros(len(into.step), np.bool_)
        is_own = self._is_named()
        is_own[list(meaning.companions)] = False
        for values, gone in ((numbers, taken), (words, dates)):
            is_left[values.row[~gone & is_own[values.column]]] = True
        if meaning.companions:
            return (
                numbers.where(~taken & is_left[numbers.row]),
                words.where(~dates & is_left[words.row]),
            )
        return (
            numbers.where(~taken | ~is_left[numbers.row]),
            words.where(~dates | ~is_left[words.row]),
        )

    def _tell_left(self, column: int, code: str, numbers: Numbers, words: Words) -> None:
        count = int((numbers.column == column).sum() + (words.column == column).sum())
        detail = "not given back exactly by an address: kept as values of this series"
        self._add(code, column, count, detail)

    def _add(self, code: str, column: int, count: int, detail: str) -> None:
        self.tally.add(Loss(code, Fate.KEPT, self._keys[column], count, detail))

    def _is_named(self) -> Flags:
        return np.array([path is not None for path in self._paths], np.bool_)

    def _tell(self, block: Block, kept: Flags) -> None:
        told = (
            (block.values.beyond, "number-beyond-double", Fate.REENCODED, "kept as its text"),
            (block.values.commas, "decimal-comma", Fate.KEPT, "1,5 is a text here, not a number"),
            (block.values.large, "large-integer", Fate.REENCODED, "kept as JSON, all its digits"),
        )
        words = block.values.words
        for places, code, fate, detail in told:
            columns = words.column[places[kept[words.row[places]]]]
            for column, count in zip(*np.unique(columns, return_counts=True), strict=True):
                if self._paths[column] is not None:
                    self.tally.add(Loss(code, fate, self._keys[column], int(count), detail))

    def _declare(self, numbers: Numbers, words: Words) -> Iterator[chunks.SeriesFacts]:
        kinds: tuple[tuple[Ints, DataKind], ...] = (
            (numbers.column, "scalar"),
            (words.column, "text"),
        )
        found = []
        for columns, kind in kinds:
            for column in np.unique(columns).tolist():
                path = self._paths[column]
                assert path is not None
                series = self.declared.missing(self._keys[column], path, "user", kind)
                if series is not None:
                    found.append(series)
        if found:
            yield chunks.SeriesFacts(tuple(found))

    def _key_column(self, columns: Ints) -> pa.Array:
        """Keys of rows; in its dictionary are those of these rows only."""
        used, places = np.unique(columns, return_inverse=True)
        keys = self._dictionary.take(pa.array(used))
        return pa.DictionaryArray.from_arrays(pa.array(places, pa.int32()), keys)

    def _points(self, found: Numbers, part: slice, at: Addresses, seq: Ints) -> pa.RecordBatch:
        row, kind = found.row[part], found.kind[part]
        is_null = kind == tables.POINT_KINDS.index("null")
        columns = {
            "key": self._key_column(found.column[part]),
            **at.columns(row),
            "value": pa.array(found.value[part], mask=is_null),
            "value_i64": pa.array(found.exact[part], mask=~found.is_exact[part]),
            "kind": pa.DictionaryArray.from_arrays(pa.array(kind), _KINDS),
            "seq": pa.array(seq[row]),
        }
        return pa.RecordBatch.from_pydict(columns, schema=tables.POINTS)

    def _texts(self, found: Words, part: slice, at: Addresses, seq: Ints) -> pa.RecordBatch:
        row = found.row[part]
        form = pa.array(found.is_json[part].astype(np.int8))
        columns = {
            "key": self._key_column(found.column[part]),
            **at.columns(row),
            "text": found.text.slice(part.start, part.stop - part.start),
            "form": pa.DictionaryArray.from_arrays(form, _FORMS),
            "seq": pa.array(seq[row]),
        }
        return pa.RecordBatch.from_pydict(columns, schema=tables.TEXTS)


def rows_of_run(block: Block, run: tuple[int, str]) -> Flags:
    """Which rows of a block have this value in the column that tells runs apart."""
    kept = np.zeros(len(block.number), np.bool_)
    rows, names = run_names(block, run[0])
    kept[rows[flags(pc.equal(names, run[1]))]] = True
    return kept


def run_names(block: Block, column: int) -> tuple[Ints, pa.Array]:
    """The rows that name their run, in order, and the names."""
    numbers, words = block.values.numbers, block.values.words
    numbers = numbers.where((numbers.column == column) & (numbers.kind != NULL))
    words = words.where(words.column == column)
    whole, value = numbers.where(numbers.is_exact), numbers.where(~numbers.is_exact)
    names = [_spelled(whole.exact), _spelled(value.value), words.text.cast(pa.string())]
    rows = np.concatenate([whole.row, value.row, words.row])
    order = np.argsort(rows, kind="stable")
    return rows[order], pa.concat_arrays(names).take(pa.array(order))


def _spelled(values: NDArray[Any]) -> pa.Array:
    """Numbers as names: 7.0 is the run 7."""
    different, places = np.unique(values, return_inverse=True)
    texts = [
        repr(value) if isinstance(value, float) and not value.is_integer() else str(int(value))
        for value in different.tolist()
    ]
    return pa.array(texts, pa.string()).take(pa.array(places))


def _parts(row: Ints) -> Iterator[slice]:
    """Pieces of at most a batch's rows, cut between two source rows where that is possible."""
    begin = 0
    while begin < len(row):
        end = min(begin + BATCH_ROWS, len(row))
        if end < len(row):
            between = int(np.searchsorted(row, row[end], side="left"))
            end = between if between > begin else end
        yield slice(begin, end)
        begin = end

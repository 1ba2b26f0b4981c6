"""Scalars on their way into a segment: buffered compactly, then sorted by key and seq."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from runferry.tables import KEY, POINT_KINDS, POINTS, TIME

Codes = NDArray[np.int32]
Mask = NDArray[np.bool_]

KIND_CODE = {kind: code for code, kind in enumerate(POINT_KINDS)}

_DTYPES: dict[str, Any] = {
    "step": np.int64,
    "step_frac": np.int32,
    "time": np.int64,
    "time_ns": np.int16,
    "value": np.float64,
    "value_i64": np.int64,
    "seq": np.int64,
}


class KeyCodes:
    """Numbers the keys of a run in order of appearance; remembers the last dictionary it saw."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self._code: dict[str, int] = {}
        self._dictionary: pa.Array | None = None
        self._mapped: Codes = np.empty(0, np.int32)

    def code(self, key: str) -> int:
        """The number of this key."""
        number = self._code.get(key)
        if number is None:
            number = self._code[key] = len(self.keys)
            self.keys.append(key)
        return number

    def codes(self, column: pa.DictionaryArray) -> Codes:
        """The numbers of a column of keys."""
        dictionary = column.dictionary
        if self._dictionary is None or not dictionary.equals(self._dictionary):
            if dictionary.null_count:
                raise ValueError("a key is null")
            self._mapped = np.array([self.code(key) for key in dictionary.to_pylist()], np.int32)
            self._dictionary = dictionary
        indices = column.indices
        if indices.null_count:
            raise ValueError("a key is null")
        codes: Codes = self._mapped[indices.to_numpy(zero_copy_only=False)]
        return codes


def keys_of(batch: pa.RecordBatch) -> pa.DictionaryArray:
    """The key column as an Arrow dictionary, whatever its type in this batch."""
    column = batch.column("key")
    if pa.types.is_dictionary(column.type):
        return column
    return column.cast(pa.string()).dictionary_encode().cast(KEY)


class _Column:
    """One column that costs nothing while it is all null, and no mask while nothing is."""

    def __init__(self, name: str, capacity: int) -> None:
        self._dtype = _DTYPES[name]
        self._capacity = capacity
        self._spare: NDArray[Any] | None = None
        self.values: NDArray[Any] | None = None
        self.valid: Mask | None = None

    def clear(self) -> None:
        """Begin anew; the memory is kept for the rows to come."""
        if self.values is not None:
            self._spare = self.values
        self.values = self.valid = None

    def put(self, at: int, rows: int, column: pa.Array | None) -> None:
        if column is None or column.null_count == rows:
            if self.values is not None:
                self.values[at : at + rows] = 0
                self._mask(at)[at : at + rows] = False
            return
        if self.values is None:
            kept, self._spare = self._spare, None
            self.values = np.empty(self._capacity, self._dtype) if kept is None else kept
            if at:
                self.values[:at] = 0
                self.valid = np.zeros(self._capacity, np.bool_)
        self.values[at : at + rows] = _zero_filled(column, self._dtype)
        if column.null_count:
            valid = column.is_valid().to_numpy(zero_copy_only=False)
            self._mask(at)[at : at + rows] = valid
        elif self.valid is not None:
            self.valid[at : at + rows] = True

    def _mask(self, at: int) -> Mask:
        if self.valid is None:
            self.valid = np.empty(self._capacity, np.bool_)
            self.valid[:at] = True
        return self.valid


def _zero_filled(column: pa.Array, dtype: Any) -> NDArray[Any]:
    if pa.types.is_timestamp(column.type):
        column = column.view(pa.int64())
    if column.null_count:
        column = column.fill_null(0)
    values: NDArray[Any] = column.to_numpy(zero_copy_only=False)
    return values.astype(dtype, copy=False)


def column_of(batch: pa.RecordBatch, name: str) -> pa.Array | None:
    """A column in the type of the table, or None if the batch leaves it out."""
    index = batch.schema.get_field_index(name)
    if index < 0:
        return None
    column = batch.column(index)
    wanted = TIME if name == "time" else POINTS.field(name).type
    return column if column.type == wanted else column.cast(wanted)


class PointBuffer:
    """Up to `capacity` scalar rows, as few bytes each as their columns allow."""

    def __init__(self, codes: KeyCodes, capacity: int) -> None:
        self._codes = codes
        self.capacity = capacity
        self.rows = 0
        self._key = np.empty(capacity, np.int32)
        self._kind = np.empty(capacity, np.int8)
        self._columns = {name: _Column(name, capacity) for name in _DTYPES}

    def put(self, batch: pa.RecordBatch) -> None:
        """Add rows; the caller sees to it that there is room."""
        at, rows = self.rows, batch.num_rows
        strangers = set(batch.schema.names) - set(POINTS.names)
        if strangers:
            raise ValueError(f"columns that no table has: {', '.join(sorted(strangers))}")
        self._key[at : at + rows] = self._codes.codes(keys_of(batch))
        self._kind[at : at + rows] = _kinds(batch.column("kind"))
        for name, column in self._columns.items():
            column.put(at, rows, column_of(batch, name))
        self.rows += rows

    def sorted(self) -> SortedPoints:
        """Copies of the rows by key, then seq, then as they came. Empties the buffer."""
        rows, seq = self.rows, self._columns["seq"].values
        if seq is None or self._columns["seq"].valid is not None:
            raise ValueError("a seq is null")
        rank_of, names = _ranks(self._key[:rows], self._codes.keys)
        ranks = rank_of[self._key[:rows]]
        order = _order(ranks, seq[:rows])
        arrays: dict[str, NDArray[Any]] = {}
        valid: dict[str, Mask] = {}
        for name, column in self._columns.items():
            if column.values is not None:
                arrays[name] = column.values[:rows][order]
                if column.valid is not None:
                    valid[name] = column.valid[:rows][order]
            column.clear()
        kind = self._kind[:rows][order]
        self.rows = 0
        return SortedPoints(names, ranks[order], arrays, valid, kind)


def _kinds(column: pa.Array) -> NDArray[np.int8]:
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    if column.null_count:
        raise ValueError("a kind is null")
    codes = np.array([KIND_CODE[kind] for kind in column.dictionary.to_pylist()], np.int8)
    kinds: NDArray[np.int8] = codes[column.indices.to_numpy(zero_copy_only=False)]
    return kinds


def _ranks(key: Codes, keys: list[str]) -> tuple[NDArray[Any], list[str]]:
    """Which place each key code has among the keys used here, in order of the keys."""
    is_used = np.zeros(len(keys), np.bool_)
    is_used[key] = True
    in_order = sorted(np.flatnonzero(is_used).tolist(), key=keys.__getitem__)
    rank_of = np.zeros(len(keys), np.uint16 if len(in_order) <= 2**16 else np.int32)
    rank_of[in_order] = np.arange(len(in_order))
    return rank_of, [keys[code] for code in in_order]


def _order(ranks: NDArray[Any], seq: NDArray[np.int64]) -> NDArray[np.intp]:
    """By rank, then seq, then as they are; a stable radix sort on 16 bits at a time."""
    order: NDArray[np.intp] | None = None
    if len(seq) > 1 and bool((seq[1:] < seq[:-1]).any()):
        order = np.argsort(seq, kind="stable")
        ranks = ranks[order]
    if ranks.dtype == np.uint16:
        by_rank = np.argsort(ranks, kind="stable")
    else:
        by_rank = np.argsort((ranks & 0xFFFF).astype(np.uint16), kind="stable")
        high = (ranks >> 16).astype(np.uint16)
        by_rank = by_rank[np.argsort(high[by_rank], kind="stable")]
    return by_rank if order is None else order[by_rank]


@dataclass
class SortedPoints:
    """Rows by key and seq. `ranks` numbers `names`; columns that are all null are left out."""

    names: list[str]
    ranks: NDArray[Any]
    arrays: dict[str, NDArray[Any]]
    valid: dict[str, Mask]
    kind: NDArray[np.int8]

    @property
    def rows(self) -> int:
        """How many."""
        return len(self.ranks)

    @property
    def starts(self) -> NDArray[np.intp]:
        """The first row of each key; all of `names` have rows."""
        return np.searchsorted(self.ranks, np.arange(len(self.names)))

    def table(self) -> pa.Table:
        """As an Arrow table of POINTS' columns; keys and kinds as dictionaries of those in use."""
        index = pa.array(self.ranks.astype(np.int32))
        make: dict[str, Callable[[], pa.Array]] = {
            "key": lambda: pa.DictionaryArray.from_arrays(index, pa.array(self.names, pa.string())),
            "kind": self._kind_column,
        }
        columns = [
            make[column.name]() if column.name in make else self._plain(column.name, column.type)
            for column in POINTS
        ]
        return pa.Table.from_arrays(columns, schema=POINTS)

    def _kind_column(self) -> pa.Array:
        return pa.DictionaryArray.from_arrays(pa.array(self.kind), pa.array(POINT_KINDS))

    def _plain(self, name: str, arrow_type: pa.DataType) -> pa.Array:
        values = self.arrays.get(name)
        if values is None:
            return pa.nulls(self.rows, arrow_type)
        mask = self.valid.get(name)
        column = pa.array(values, mask=None if mask is None else ~mask, from_pandas=False)
        return column.view(arrow_type) if column.type != arrow_type else column

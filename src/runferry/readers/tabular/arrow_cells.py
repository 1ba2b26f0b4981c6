"""Typed columns of Arrow as the cells of a table."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from runferry.model import KeyPath
from runferry.readers.tabular.cells import (
    BOOL,
    FLOAT32,
    FLOAT64,
    INT,
    Flags,
    Numbers,
    Typed,
    Words,
    as_array,
    flags,
    inexact_integers,
)
from runferry.readers.tabular.nested_types import with_parts
from runferry.tables import to_json

Column = tuple[KeyPath, Any]

_BEYOND = pa.scalar(2**63, pa.uint64())
_NO_DATE = "<value out of range"  # what Arrow spells of years that have more than five digits


def flattened(batch: pa.RecordBatch) -> list[Column]:
    """Columns by path, structs taken apart field by field."""
    found: list[Column] = []
    for name, array in zip(batch.schema.names, batch.columns, strict=True):
        found += _apart((name,), array)
    return found


def _apart(path: KeyPath, array: Any) -> list[Column]:
    kind = array.type
    if not pa.types.is_struct(kind) or not kind.num_fields:
        return [(path, array)]
    found: list[Column] = []
    for field, child in zip(kind, array.flatten(), strict=True):
        found += _apart((*path, field.name), child)
    return found


def values_of(columns: Sequence[Any]) -> Typed:
    """The values of columns of equal length, nulls left out, row by row."""
    numbers: list[Numbers] = []
    words: list[Words] = []
    beyond: list[int] = []  # columns with values that only their integers tell
    for column, whole in enumerate(columns):
        row = np.flatnonzero(flags(whole.is_valid()))
        if not len(row):
            continue
        array = _without_views(whole)
        array = array.drop_null() if len(row) < len(array) else array
        if pa.types.is_dictionary(array.type):
            array = array.dictionary_decode()
        is_large = _has_no_word(array)
        if is_large.any():
            beyond.append(column)
            words.append(_large(row[is_large], column, array.filter(pa.array(is_large))))
            row, array = row[~is_large], array.filter(pa.array(~is_large))
        places = np.full(len(row), column, np.int64)
        found = _numbers(row, places, array)
        if found is not None:
            numbers.append(found)
        else:
            words.append(_words(row, places, array))
    none = np.zeros(0, np.int64)
    joined = _joined_words(words)
    large = np.flatnonzero(np.isin(joined.column, beyond))
    return Typed(_joined_numbers(numbers), joined, none, none.copy(), large)


def _without_views(array: Any) -> Any:
    """Texts and bytes in the layout for which Arrow can filter."""
    if pa.types.is_string_view(array.type):
        return array.cast(pa.large_string())
    return array.cast(pa.large_binary()) if pa.types.is_binary_view(array.type) else array


def _has_no_word(array: Any) -> Flags:
    """Integers that 64 bits with a sign cannot hold, times in years that no calendar here has."""
    kind = array.type
    if pa.types.is_uint64(kind):
        return flags(pc.greater_equal(array, _BEYOND))
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return flags(pc.starts_with(_texts_of(array), _NO_DATE))
    return np.zeros(len(array), np.bool_)


def _numbers(row: Any, column: Any, array: Any) -> Numbers | None:
    """Scalars of a column, durations as numbers of their unit; None for one of texts."""
    if pa.types.is_duration(array.type):
        array = array.cast(pa.int64())
    kind = array.type
    exact, is_exact = np.zeros(len(row), np.int64), np.zeros(len(row), np.bool_)
    if pa.types.is_boolean(kind):
        code, value = BOOL, as_array(array).astype(np.float64)
    elif pa.types.is_floating(kind):
        code = FLOAT64 if pa.types.is_float64(kind) else FLOAT32
        value = as_array(array).astype(np.float64)
    elif pa.types.is_integer(kind):
        integers = as_array(array).astype(np.int64)
        code, value = INT, integers.astype(np.float64)
        is_exact = inexact_integers(integers)
        exact = np.where(is_exact, integers, 0)
    else:
        return None
    return Numbers(row, column, value, exact, is_exact, np.full(len(row), code, np.int8))


def _large(row: Any, column: int, array: Any) -> Words:
    """Integers, all digits of them."""
    whole = array.cast(pa.int32()) if pa.types.is_date32(array.type) else array
    whole = whole if pa.types.is_uint64(whole.type) else whole.cast(pa.int64())
    text, is_json = whole.cast(pa.string()), np.ones(len(row), np.bool_)
    return Words(row, np.full(len(row), column, np.int64), text, is_json)


def _words(row: Any, column: Any, array: Any) -> Words:
    """Texts as they are; times as ISO 8601; what else there is as JSON."""
    kind = array.type
    is_json = False
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_decimal(kind):
        text = array.cast(pa.string())
    elif pa.types.is_temporal(kind) and not pa.types.is_interval(kind):
        text = _texts_of(array)
    else:
        is_json = True
        text = pa.array([_as_json(value) for value in _texts_of(array).to_pylist()], pa.string())
    return Words(row, column, text, np.full(len(row), is_json, np.bool_))


def _texts_of(array: Any) -> Any:
    """Times as ISO 8601, wherever in the values they stand; durations as numbers of their unit.

    As far as nanoseconds, which Python has no times for, with `Z` where a zone is named: the values
    are then UTC.
    """
    kind = array.type
    naive = _zoned(kind, None)
    texts = array.cast(naive).cast(_as_texts(naive))
    if naive == kind:
        return texts
    if pa.types.is_timestamp(kind):
        return pc.binary_join_element_wise(texts, "Z", "")
    if _NO_DATE in str(texts.to_pylist()):
        return texts  # in a zone Arrow spells such times as others, in silence
    return array.cast(_zoned(kind, "UTC")).cast(_as_texts(kind))


def _zoned(kind: Any, zone: str | None) -> Any:
    """The type with this zone in place of any other."""
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        return pa.timestamp(kind.unit, zone)
    return with_parts(kind, partial(_zoned, zone=zone))


def _as_texts(kind: Any) -> Any:
    if pa.types.is_duration(kind):
        return pa.int64()
    if pa.types.is_temporal(kind) and not pa.types.is_interval(kind):
        return pa.string()
    return with_parts(kind, _as_texts)


def _as_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_tagged)


def _tagged(value: Any) -> Any:
    """What JSON has no word for: bytes as trees have them, all else (durations) as text."""
    return to_json(value) if isinstance(value, bytes) else str(value)


def _order(row: Any, column: Any) -> Any:
    return np.lexsort((column, row))


def _joined_numbers(parts: list[Numbers]) -> Numbers:
    if not parts:
        none = np.zeros(0, np.int64)
        flag, code = np.zeros(0, np.bool_), np.zeros(0, np.int8)
        return Numbers(none, none, np.zeros(0), none, flag, code)
    row, column = _along(parts, "row"), _along(parts, "column")
    order = _order(row, column)
    names = ("value", "exact", "is_exact", "kind")
    value, exact, is_exact, kind = (_along(parts, name)[order] for name in names)
    return Numbers(row[order], column[order], value, exact, is_exact, kind)


def _joined_words(parts: list[Words]) -> Words:
    if not parts:
        none = np.zeros(0, np.int64)
        return Words(none, none, pa.array([], pa.string()), np.zeros(0, np.bool_))
    row, column = _along(parts, "row"), _along(parts, "column")
    order = _order(row, column)
    text = pa.concat_arrays([part.text for part in parts]).take(pa.array(order))
    return Words(row[order], column[order], text, _along(parts, "is_json")[order])


def _along(parts: Sequence[object], name: str) -> Any:
    return np.concatenate([getattr(part, name) for part in parts])

"""Typed values of a table: what is written in a cell decides what it is, never a sample of others.

A blank (nothing, or white space) is a value that was not logged. Numbers, `True`/`False` and the
words for NaN and infinity are scalars; everything else is text. Text that looks like a number and
is none that columns can hold (beyond 64 bits, beyond the range of a double) stays as written.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from runferry.tables import POINT_KINDS

Ints: TypeAlias = NDArray[np.int64]
Flags: TypeAlias = NDArray[np.bool_]

FLOAT64, FLOAT32, INT, BOOL, NULL = range(len(POINT_KINDS))

_INT = r"^[+-]?[0-9]+$"
_FLOAT = r"^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$"
_ZERO = r"^[+-]?[0.]+(?:[eE][+-]?[0-9]+)?$"
_DECIMAL_COMMA = r"^[+-]?[0-9]+,[0-9]+$"
_SAFE_DIGITS = 18  # with a sign before them: surely within 64 bits
_MOST, _LEAST = str(2**63 - 1), str(2**63)  # digits of the last integers of 64 bits
_SPECIAL = {
    "nan": np.nan, "+nan": np.nan, "-nan": np.nan,
    "inf": np.inf, "+inf": np.inf, "-inf": -np.inf,
    "infinity": np.inf, "+infinity": np.inf, "-infinity": -np.inf,
}  # fmt: skip
_BOOLS = {"True": 1.0, "true": 1.0, "TRUE": 1.0, "False": 0.0, "false": 0.0, "FALSE": 0.0}


@dataclass(frozen=True, slots=True)
class Numbers:
    """Scalars of a block, ordered by row and column; `exact` counts only where `is_exact`."""

    row: Ints
    column: Ints
    value: NDArray[np.float64]
    exact: Ints  # the integer that `value` cannot hold
    is_exact: Flags
    kind: NDArray[np.int8]  # a place in POINT_KINDS

    def __len__(self) -> int:
        return len(self.row)

    def where(self, kept: Flags) -> Numbers:
        """Those of which `kept` is true."""
        if kept.all():
            return self
        return Numbers(
            self.row[kept],
            self.column[kept],
            self.value[kept],
            self.exact[kept],
            self.is_exact[kept],
            self.kind[kept],
        )


@dataclass(frozen=True, slots=True)
class Words:
    """Texts of a block, ordered by row and column."""

    row: Ints
    column: Ints
    text: pa.Array
    is_json: Flags  # a list, a mapping or a large integer, as its source text

    def __len__(self) -> int:
        return len(self.row)

    def where(self, kept: Flags) -> Words:
        """Those of which `kept` is true."""
        if kept.all():
            return self
        text = self.text.filter(pa.array(kept))
        return Words(self.row[kept], self.column[kept], text, self.is_json[kept])


@dataclass(frozen=True, slots=True)
class Typed:
    """The values of some cells, and which of the texts a reader should speak of."""

    numbers: Numbers
    words: Words
    beyond: Ints  # places in `words` of numbers that a double cannot hold
    commas: Ints  # places in `words` of what may be a number with a decimal comma
    large: Ints  # places in `words` of integers beyond 64 bits


def typed(
    cells: pa.Array,
    width: int,
    blanks: frozenset[str] = frozenset(),
    names: frozenset[int] = frozenset(),
) -> Typed:
    """What the cells of a table of `width` columns say, given row by row as strings.

    `blanks` are words that mean the same as nothing. Null cells are blank. Columns of `names` hold
    texts, whatever these look like: 1.10 is not 1.1 there.
    """
    trimmed = pc.fill_null(pc.utf8_trim_whitespace(cells), "")
    is_filled = flags(pc.not_equal(trimmed, ""))
    if blanks:
        is_filled &= ~flags(pc.is_in(trimmed, pa.array(sorted(blanks))))
    at = np.flatnonzero(is_filled)
    if len(at) < len(trimmed):
        trimmed, cells = trimmed.filter(pa.array(is_filled)), cells.filter(pa.array(is_filled))
    is_name = np.isin(at % width, sorted(names)) if names else np.zeros(len(at), np.bool_)
    if names:  # their texts without padding, as that of a number
        cells = pc.if_else(pa.array(is_name), trimmed, cells)
    return _Typing(trimmed, cells, is_name).typed(at // width, at % width)


class _Typing:
    """Sorts cells, none of them blank, by what they are."""

    def __init__(self, trimmed: pa.Array, cells: pa.Array, is_name: Flags) -> None:
        self._trimmed = trimmed
        self._cells = cells
        self._is_name = is_name
        count = len(trimmed)
        self._is_number = np.zeros(count, np.bool_)
        self._is_json = np.zeros(count, np.bool_)
        self._is_beyond = np.zeros(count, np.bool_)
        self._value = np.zeros(count)
        self._exact = np.zeros(count, np.int64)
        self._is_exact = np.zeros(count, np.bool_)
        self._kind = np.zeros(count, np.int8)

    def typed(self, row: Ints, column: Ints) -> Typed:
        whole = self._matching(_INT) & ~self._is_name
        self._integers(np.flatnonzero(whole))
        rest = np.flatnonzero(~whole & ~self._is_name)
        if len(rest):
            texts = self._trimmed.take(pa.array(rest))
            is_float = flags(pc.match_substring_regex(texts, _FLOAT))
            self._floats(rest[is_float], texts.filter(pa.array(is_float)))
            self._named(rest[~is_float], texts.filter(pa.array(~is_float)))
        return self._result(row, column)

    def _matching(self, pattern: str) -> Flags:
        return flags(pc.match_substring_regex(self._trimmed, pattern))

    def _integers(self, at: Ints) -> None:
        if not len(at):
            return
        texts = self._trimmed.take(pa.array(at))
        is_short = as_array(pc.binary_length(texts)) <= _SAFE_DIGITS
        short = pc.utf8_ltrim(texts.filter(pa.array(is_short)), characters="+")
        self._whole(at[is_short], as_array(pc.cast(short, pa.int64())))
        if not is_short.all():
            self._long_integers(at[~is_short], texts.filter(pa.array(~is_short)))
        zeros = at[(self._value[at] == 0) & (self._kind[at] == INT)]
        if len(zeros):
            signed = pc.starts_with(self._trimmed.take(pa.array(zeros)), "-")
            minus = zeros[flags(signed)]  # no integer is −0, but a float is
            self._value[minus], self._kind[minus] = -0.0, FLOAT64

    def _whole(self, at: Ints, integers: Ints) -> None:
        self._is_number[at] = True
        self._kind[at] = INT
        self._value[at] = integers
        inexact = inexact_integers(integers)
        self._exact[at[inexact]] = integers[inexact]
        self._is_exact[at[inexact]] = True

    def _long_integers(self, at: Ints, texts: pa.Array) -> None:
        is_minus = pc.starts_with(texts, "-")
        digits = pc.utf8_ltrim(texts, characters="+-0")
        length = as_array(pc.binary_length(digits))
        within = flags(pc.less_equal(digits, pc.if_else(is_minus, _LEAST, _MOST)))
        fits = (length <= _SAFE_DIGITS) | ((length == _SAFE_DIGITS + 1) & within)
        signed = pc.binary_join_element_wise(
            pc.if_else(is_minus, "-", ""), pc.if_else(pc.equal(digits, ""), "0", digits), ""
        )
        self._whole(at[fits], as_array(pc.cast(signed.filter(pa.array(fits)), pa.int64())))
        self._is_json[at[~fits]] = True

    def _floats(self, at: Ints, texts: pa.Array) -> None:
        if not len(at):
            return
        values = as_array(pc.cast(texts, pa.float64()))
        lost = ~np.isfinite(values)
        zeros = np.flatnonzero(values == 0)
        if len(zeros):
            true = flags(pc.match_substring_regex(texts.take(pa.array(zeros)), _ZERO))
            lost[zeros[~true]] = True
        self._is_beyond[at[lost]] = True
        self._is_number[at[~lost]] = True
        self._value[at[~lost]] = values[~lost]

    def _named(self, at: Ints, texts: pa.Array) -> None:
        if not len(at):
            return
        for words, known, kind in (
            (pc.ascii_lower(texts), _SPECIAL, FLOAT64),
            (texts, _BOOLS, BOOL),
        ):
            found = as_array(pc.fill_null(pc.index_in(words, pa.array(list(known))), -1))
            same = at[found >= 0]
            self._is_number[same], self._kind[same] = True, kind
            self._value[same] = np.array(list(known.values()))[found[found >= 0]]

    def _result(self, row: Ints, column: Ints) -> Typed:
        number, word = self._is_number, ~self._is_number
        numbers = Numbers(
            row[number],
            column[number],
            self._value[number],
            self._exact[number],
            self._is_exact[number],
            self._kind[number],
        )
        texts = self._cells.filter(pa.array(word))
        words = Words(row[word], column[word], texts, self._is_json[word])
        commas = flags(pc.match_substring_regex(texts, _DECIMAL_COMMA)) & ~self._is_name[word]
        beyond, large = (np.flatnonzero(which[word]) for which in (self._is_beyond, self._is_json))
        return Typed(numbers, words, beyond, np.flatnonzero(commas), large)


def inexact_integers(integers: Ints) -> Flags:
    """Which of them are not what their float64 is."""
    floats = integers.astype(np.float64)
    fits = floats < 2.0**63  # what is rounded up to that is no integer of 64 bits any more
    same = np.zeros(len(integers), np.bool_)
    same[fits] = floats[fits].astype(np.int64) == integers[fits]
    return ~same


def flags(mask: Any) -> Flags:
    """An Arrow mask without nulls as numpy has it."""
    return as_array(mask).astype(np.bool_)


def as_array(column: Any) -> NDArray[Any]:
    """An Arrow column without nulls as numpy has it."""
    return np.asarray(column.to_numpy(zero_copy_only=False))

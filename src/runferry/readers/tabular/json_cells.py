"""Values of JSON objects as the cells of a table."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from runferry.model import Tree
from runferry.readers.tabular.cells import (
    BOOL,
    FLOAT64,
    INT,
    NULL,
    Ints,
    Numbers,
    Typed,
    Words,
    inexact_integers,
)

_WORD = -1
_KINDS = {float: FLOAT64, int: INT, bool: BOOL, type(None): NULL}
_LEAST, _MOST = -(2**63), 2**63 - 1
_DIGITS = re.compile("[1-9]")


@dataclass(frozen=True, slots=True)
class BeyondDouble:
    """A number that no double holds, as it was written."""

    text: str


@dataclass
class JsonCells:
    """Gathers values row by row, and types them together."""

    row: list[int] = field(default_factory=list)
    column: list[int] = field(default_factory=list)
    value: list[Tree | BeyondDouble] = field(default_factory=list)

    def typed(self) -> Typed:
        """What was gathered; a null that was logged is a value, too."""
        codes = np.array([_KINDS.get(type(value), _WORD) for value in self.value], np.int8)
        for place in np.flatnonzero(codes == INT).tolist():
            value = self.value[place]
            assert isinstance(value, int)
            if not _LEAST <= value <= _MOST:
                codes[place] = _WORD
        row, column = np.array(self.row, np.int64), np.array(self.column, np.int64)
        is_word = codes == _WORD
        at = np.flatnonzero(~is_word)
        numbers = self._numbers(at, row[at], column[at], codes[at])
        at = np.flatnonzero(is_word)
        values = [self.value[place] for place in at.tolist()]
        beyond, large = (
            np.flatnonzero(np.array([isinstance(value, kind) for value in values], np.bool_))
            for kind in (BeyondDouble, int)
        )
        words = _words(values, row[at], column[at])
        return Typed(numbers, words, beyond, np.zeros(0, np.int64), large)

    def _numbers(self, at: Ints, row: Ints, column: Ints, kind: NDArray[np.int8]) -> Numbers:
        values = [self.value[place] for place in at.tolist()]
        is_int = kind == INT
        exact = np.zeros(len(at), np.int64)
        exact[is_int] = [value for value, known in zip(values, is_int, strict=True) if known]
        is_exact = inexact_integers(exact)
        floats = np.array([0.0 if value is None else value for value in values], np.float64)
        return Numbers(row, column, floats, np.where(is_exact, exact, 0), is_exact, kind)


def _words(values: list[Tree | BeyondDouble], row: Ints, column: Ints) -> Words:
    text = [value if isinstance(value, str) else _spelled(value) for value in values]
    is_json = np.array([not isinstance(value, str) for value in values], np.bool_)
    return Words(row, column, pa.array(text, pa.string()), is_json)


def _spelled(value: Tree | BeyondDouble) -> str:
    if isinstance(value, BeyondDouble):
        return value.text
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_text)


def _text(value: object) -> str:
    assert isinstance(value, BeyondDouble)
    return value.text


def fraction(text: str) -> float | BeyondDouble:
    """The number that a literal of JSON spells, if a double can hold it."""
    value = float(text)
    if math.isinf(value) or (value == 0 and _DIGITS.search(text.lower().partition("e")[0])):
        return BeyondDouble(text)
    return value

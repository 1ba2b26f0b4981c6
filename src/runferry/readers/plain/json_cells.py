"""Values of JSON objects as the cells of a table."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from runferry.model import Tree
from runferry.readers.plain.cells import Numbers, Typed, Words
from runferry.readers.row_batches import scalar_of
from runferry.tables import POINT_KINDS

_DIGITS = re.compile("[1-9]")


@dataclass(frozen=True, slots=True)
class BeyondDouble:
    """A number that no double holds, as it was written."""

    text: str


@dataclass
class JsonCells:
    """Gathers values row by row."""

    _row: list[int] = field(default_factory=list)
    _column: list[int] = field(default_factory=list)
    _value: list[float] = field(default_factory=list)
    _exact: list[int | None] = field(default_factory=list)
    _kind: list[int] = field(default_factory=list)
    _words: list[tuple[int, int, str, bool]] = field(default_factory=list)
    _beyond: list[int] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self._row) + len(self._words)

    def add(self, row: int, column: int, value: Tree | BeyondDouble) -> None:
        """One value; a null that was logged is one, too."""
        if isinstance(value, BeyondDouble):
            self._beyond.append(len(self._words))
            self._words.append((row, column, value.text, True))
        elif isinstance(value, str):
            self._words.append((row, column, value, False))
        elif (scalar := scalar_of(value)) is not None:
            self._number(row, column, *scalar)
        else:
            self._words.append((row, column, _spelled(value), True))

    def _number(
        self, row: int, column: int, value: float | None, exact: int | None, kind: str
    ) -> None:
        self._row.append(row)
        self._column.append(column)
        self._value.append(0.0 if value is None else value)
        self._exact.append(exact)
        self._kind.append(POINT_KINDS.index(kind))

    def typed(self) -> Typed:
        """What was gathered."""
        is_exact = np.array([exact is not None for exact in self._exact], np.bool_)
        numbers = Numbers(
            np.array(self._row, np.int64),
            np.array(self._column, np.int64),
            np.array(self._value, np.float64),
            np.array([exact or 0 for exact in self._exact], np.int64),
            is_exact,
            np.array(self._kind, np.int8),
        )
        words = Words(
            np.array([row for row, *_ in self._words], np.int64),
            np.array([column for _, column, *_ in self._words], np.int64),
            pa.array([text for *_, text, _ in self._words], pa.string()),
            np.array([is_json for *_, is_json in self._words], np.bool_),
        )
        return Typed(numbers, words, np.array(self._beyond, np.int64), np.zeros(0, np.int64))


def _spelled(value: Tree) -> str:
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

"""Cells of MLflow's sqlite files, which can hold any value whatever their column says."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from math import isfinite
from typing import Any, Final

from runferry.losses import Fate, Loss

_MOST_MS: Final = 2**63 // 10**6
"""What nanoseconds of 64 bits can say."""
FINER: Final = "a time finer than a millisecond: cut to it"


class BadCell(ValueError):  # noqa: N818  as runferry names its errors
    """A cell holds what its column cannot mean."""


def text_of(cell: object) -> str:
    """Raises BadCell for bytes, which a column of texts can hold too."""
    if not isinstance(cell, str):
        raise BadCell(f"{cell!r:.60} is no text")
    return cell


def text_or_bytes(content: bytes) -> str | bytes:
    """A text that is no UTF-8 as its bytes, where sqlite itself gives up the whole answer."""
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content


@contextmanager
def any_text(connection: sqlite3.Connection) -> Iterator[None]:
    """For as long as rows are fetched: others have metrics, which would take longer so."""
    before = connection.text_factory
    connection.text_factory = text_or_bytes
    try:
        yield
    finally:
        connection.text_factory = before


class Cells:
    """Cells of one thing: what one cannot mean is told, and is not there."""

    def __init__(self, losses: list[Loss]) -> None:
        self._losses = losses

    def text(self, cell: object, where: str) -> str | None:
        """None also for what is no text."""
        try:
            return None if cell is None else text_of(cell)
        except BadCell as error:
            self.tell(where, str(error))
            return None

    def moment(self, cell: object, where: str) -> int | None:
        """Milliseconds, beyond all years too; None also for what is no number."""
        number = self.number(cell, where)
        if number is None or isinstance(number, int):
            return number
        if number != int(number):
            self._losses.append(Loss("rounded-time", Fate.ROUNDED, where, 1, FINER))
        return int(number)

    def milliseconds(self, cell: object, where: str) -> int | None:
        """None also for what is no time."""
        time = self.moment(cell, where)
        if time is None or abs(time) < _MOST_MS:
            return time
        self.tell(where, f"{cell!r:.60} is no time")
        return None

    def integer(self, cell: object, where: str) -> int | None:
        """None also for what is none."""
        if cell is None or isinstance(cell, int):
            return cell
        self.tell(where, f"{cell!r:.60} is no integer")
        return None

    def number(self, cell: object, where: str) -> int | float | None:
        """None also for what is none, or has no end."""
        if cell is None or isinstance(cell, int):
            return cell
        if isinstance(cell, float) and isfinite(cell):
            return cell
        self.tell(where, f"{cell!r:.60} is no number")
        return None

    def without_bytes(self, row: dict[str, Any], table: str) -> dict[str, Any]:
        """A row of a table that has none: texts that are no UTF-8 came as such."""
        for name, cell in row.items():
            if isinstance(cell, bytes):
                self.tell(f"{table}.{name}", f"{cell!r:.60} is no text")
        return {name: None if isinstance(cell, bytes) else cell for name, cell in row.items()}

    def pairs(self, rows: list[tuple[object, object]], table: str) -> dict[str, str]:
        """Keys and values; a null is an empty text."""
        found = {}
        for key, value in rows:
            name = self.text(key, f"{table}.key")
            if name is not None:
                found[name] = self.text(value, f"{table}.{name}") or ""
        return found

    def tell(self, where: str, detail: str, count: int = 1) -> None:
        """That a cell means nothing."""
        self._losses.append(Loss("damaged-header", Fate.DROPPED, where, count, detail))

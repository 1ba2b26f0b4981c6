"""A run's metrics in an MLflow sqlite file: a row that means nothing is told, and the rest come."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from math import nan
from typing import Any, Final

import numpy as np

from runferry.dialects.mlflow.points import NativePoints
from runferry.dialects.mlflow.sql_cells import FINER, any_text
from runferry.losses import Fate, Loss
from runferry.ports import BATCH_ROWS

_ROWS: Final = (
    "SELECT key, timestamp, step, value, is_nan FROM metrics WHERE run_uuid = ?"
    " ORDER BY rowid LIMIT -1 OFFSET ?"
)
_MOST_MS: Final = 2**63 // 10**3
"""What microseconds of 64 bits can say."""
_MOST_STEP: Final = 2**63
_KINDS: Final = ("iifi", "iiii")
"""Of the columns of numbers, as numpy calls them: integers, but for the values."""

_Row = tuple[Any, Any, Any, Any, Any]


class SqlMetrics:
    """One file."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def of_run(self, run_id: str, losses: list[Loss]) -> Iterator[NativePoints]:
        """In the order in which they were inserted; `losses` gets what no row says any more.

        Once, however often the rows are asked for.
        """
        told: Counter[Loss] = Counter()
        for rows in self._rows(run_id):
            whole = _whole(rows)
            yield _sifted(rows, told) if whole is None else whole
        for loss, count in told.items():
            counted = Loss(loss.code, loss.fate, loss.where, count, loss.detail)
            if counted not in losses:
                losses.append(counted)

    def _rows(self, run_id: str) -> Iterator[list[_Row]]:
        read, is_garbled = 0, False
        cursor = self._asked(run_id, read, is_garbled)
        while True:
            try:
                with self._spelled(is_garbled):
                    rows = cursor.fetchmany(BATCH_ROWS)
            except sqlite3.OperationalError as error:
                # sqlite gives up the whole answer for one key that is no UTF-8
                if is_garbled or "decode to UTF-8" not in str(error):
                    raise
                is_garbled = True
                cursor = self._asked(run_id, read, is_garbled)
                continue
            if not rows:
                return
            yield rows
            read += len(rows)

    def _asked(self, run_id: str, read: int, is_garbled: bool) -> sqlite3.Cursor:
        with self._spelled(is_garbled):
            return self._connection.execute(_ROWS, (run_id, read))

    def _spelled(self, is_garbled: bool) -> AbstractContextManager[None]:
        return any_text(self._connection) if is_garbled else nullcontext()


def _whole(rows: list[_Row]) -> NativePoints | None:
    """The rows as columns; None where a cell is not what its column says."""
    key, *numbers = zip(*rows, strict=True)
    keys = dict.fromkeys(key)
    if not all(isinstance(name, str) for name in keys):
        return None
    time, step, value, is_nan = map(np.array, numbers)
    if "".join(column.dtype.kind for column in (time, step, value, is_nan)) not in _KINDS:
        return None
    if time.max() >= _MOST_MS or time.min() <= -_MOST_MS:
        return None
    codes = {name: code for code, name in enumerate(keys)}
    return NativePoints(
        list(keys),
        np.fromiter(map(codes.__getitem__, key), np.int64, len(rows)),
        time.astype(np.int64, copy=False),
        step.astype(np.int64, copy=False),
        value.astype(np.float64, copy=False),
        is_nan.astype(np.bool_),
    )


def _sifted(rows: list[_Row], told: Counter[Loss]) -> NativePoints:
    """The rows that mean something; `told` counts the others."""
    codes: dict[str, int] = {}
    kept = []
    for key, time, step, value, is_nan in rows:
        where = key if isinstance(key, str) else f"{key!r:.60}"
        why = _meaningless(key, time, step, value, is_nan)
        if why is not None:
            told[Loss("damaged-metric", Fate.DROPPED, where, 1, why)] += 1
            continue
        if time != int(time):
            told[Loss("rounded-time", Fate.ROUNDED, where, 1, FINER)] += 1
        code = codes.setdefault(key, len(codes))
        kept.append((code, int(time), int(step), nan if value is None else value, bool(is_nan)))
    columns = list(zip(*kept, strict=True)) if kept else [()] * 5
    return NativePoints(
        list(codes),
        np.array(columns[0], np.int64),
        np.array(columns[1], np.int64),
        np.array(columns[2], np.int64),
        np.array(columns[3], np.float64),
        np.array(columns[4], np.bool_),
    )


def _meaningless(key: Any, time: Any, step: Any, value: Any, is_nan: Any) -> str | None:
    """Which cell of a row cannot be meant."""
    if not isinstance(key, str):
        return "a row whose key is no text"
    if not isinstance(time, (int, float)) or not -_MOST_MS < time < _MOST_MS:
        return "a row whose time is none"
    is_step = isinstance(step, (int, float)) and -_MOST_STEP <= step < _MOST_STEP
    if not is_step or step != int(step):
        return "a row whose step is no integer"
    if not isinstance(is_nan, int):
        return "a row that does not say whether its value is a NaN"
    if not isinstance(value, (int, float)) and not (value is None and is_nan):
        return "a row whose value is no number"
    return None

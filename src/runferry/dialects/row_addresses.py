"""Where the rows of a run stand: by step or time, and in the order in which they were logged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_ROWS: Final = 1 << 20
"""More rows are not held in memory: of them nothing is told."""
ADDRESS: Final = ("key", "step", "step_frac", "time", "time_ns", "seq")
"""The columns that are looked at."""
_MOST_STEP: Final = 2**53


@dataclass
class RowAddresses:
    """Gathered batch by batch; given up at the first row that has no place of its own.

    That is a whole step from 0 on and a time, or of the machine's metrics a time alone.
    """

    _rows: list[NDArray[np.int64]] = field(default_factory=list)  # is_system, at, seq, time_ns
    _count: int = 0
    _is_given_up: bool = False

    def look_at(self, batch: pa.RecordBatch, is_user: Callable[[str], bool]) -> None:
        """Take in rows that have the columns of `ADDRESS`; `is_user` tells series from metrics of
        the machine."""
        if self._is_given_up or not batch.num_rows:
            return
        system = is_system(batch, is_user)
        step, frac, time = (batch.column(name) for name in ("step", "step_frac", "time"))
        steps = step.fill_null(-1).to_numpy()
        is_stepped = np.asarray(step.is_valid()) & np.asarray(frac.is_null())
        is_stepped &= (steps >= 0) & (steps < _MOST_STEP)
        is_known = np.where(system, np.asarray(step.is_null()), is_stepped)
        if not is_known.all() or time.null_count:
            self._give_up()
            return
        micro = time.cast(pa.int64()).to_numpy()
        time_ns = micro * 1000 + batch.column("time_ns").fill_null(0).to_numpy()
        at = np.where(system, time_ns, steps)
        rows = np.stack([system.astype(np.int64), at, batch.column("seq").to_numpy(), time_ns], 1)
        rows = distinct(rows)
        self._rows.append(rows)
        self._count += len(rows)
        if self._count > 2 * MOST_ROWS:
            self._join()

    def _give_up(self) -> None:
        self._is_given_up = True
        self._rows = []

    def _join(self) -> None:
        """The same row is found in several tables; more of them than are kept end it."""
        self._rows = [distinct(np.concatenate(self._rows))]
        self._count = len(self._rows[0])
        if self._count > MOST_ROWS:
            self._give_up()

    def apart(self, within_ns: int) -> NDArray[np.int64] | None:
        """All rows, (n, 4) by stream and place, where their places alone tell them apart: steps,
        and times of the machine's by more than this. None where they do not."""
        if self._rows and not self._is_given_up:
            self._join()
        if self._is_given_up or not self._rows:
            return None
        (rows,) = self._rows
        distance, within = np.diff(rows[:, 1]), np.where(rows[1:, 0], within_ns, 0)
        is_next = np.diff(rows[:, 0]) != 0
        return rows if (is_next | (distance > within)).all() else None


def is_system(batch: pa.RecordBatch, is_user: Callable[[str], bool]) -> NDArray[np.bool_]:
    """Of each row, whether it is of the machine."""
    keys = batch.column("key").cast(pa.string()).dictionary_encode()
    found = np.array([not is_user(key) for key in keys.dictionary.to_pylist()], np.bool_)
    return np.asarray(found[keys.indices.to_numpy()])


def distinct(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """The rows of a table of numbers, each once, by the first column, then the second, and so on.

    As `np.unique` along an axis, which takes some ten times as long for it.
    """
    rows = rows[np.lexsort(rows.T[::-1])]
    is_new = np.ones(len(rows), np.bool_)
    is_new[1:] = (rows[1:] != rows[:-1]).any(axis=1)
    return rows[is_new]

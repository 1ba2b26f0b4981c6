"""A run's header in an MLflow sqlite file: what a cell cannot mean is told, and the run is there.

What is listed at once for all runs may not end with one of them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from runferry.dialects.mlflow.header import NativeRun
from runferry.dialects.mlflow.sql_cells import BadCell, text_of, text_or_bytes
from runferry.losses import Fate, Loss

COLUMNS: Final = (
    "r.run_uuid, e.name, r.name, r.user_id, r.status, r.start_time, r.end_time,"
    " r.lifecycle_stage, r.artifact_uri, r.experiment_id"
)
_AT_A_TIME: Final = 1_000
_MOST_MS: Final = 2**63 // 10**6
"""What nanoseconds of 64 bits can say."""


class SqlHeaders:
    """One file."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def of(
        self, query: str, *values: str, losses: list[Loss], with_params: bool = False
    ) -> Iterator[NativeRun]:
        """Each row of a query for `COLUMNS`; `losses` gets what no cell says any more."""
        with self._any_text():
            cursor = self._connection.execute(query, values)
            rows = cursor.fetchmany(_AT_A_TIME)
        while rows:
            for row in rows:
                yield self._run(row, losses, with_params=with_params)
            with self._any_text():
                rows = cursor.fetchmany(_AT_A_TIME)

    @contextmanager
    def _any_text(self) -> Iterator[None]:
        """For as long as rows are fetched: others have metrics, which would take longer so."""
        before = self._connection.text_factory
        self._connection.text_factory = text_or_bytes
        try:
            yield
        finally:
            self._connection.text_factory = before

    def _run(self, row: tuple[Any, ...], losses: list[Loss], *, with_params: bool) -> NativeRun:
        cells = _Cells(losses)
        run_id, experiment, name, user, status, start, end, lifecycle, uri, number = row
        return NativeRun(
            # a run of which that is damaged is not found under it, and fails when it is read
            run_id if isinstance(run_id, str) else f"{run_id!r}",
            cells.text(experiment, "experiments.name") or str(number),
            cells.text(name, "runs.name"),
            cells.text(user, "runs.user_id"),
            cells.text(status, "runs.status") or "RUNNING",
            cells.milliseconds(start, "runs.start_time"),
            cells.milliseconds(end, "runs.end_time"),
            cells.text(lifecycle, "runs.lifecycle_stage") or "active",
            cells.text(uri, "runs.artifact_uri"),
            str(number),
            self._pairs("tags", run_id, cells),
            self._pairs("params", run_id, cells) if with_params else {},
        )

    def _pairs(self, table: str, run_id: object, cells: _Cells) -> dict[str, str]:
        # table is one of two words of ours, never from outside
        query = f"SELECT key, value FROM {table} WHERE run_uuid = ? ORDER BY rowid"
        with self._any_text():
            rows = self._connection.execute(query, (run_id,)).fetchall()
        found = {}
        for key, value in rows:
            name = cells.text(key, f"{table}.key")
            if name is not None:
                found[name] = cells.text(value, f"{table}.{name}") or ""
        return found


class _Cells:
    """Cells of one run's header."""

    def __init__(self, losses: list[Loss]) -> None:
        self._losses = losses

    def text(self, cell: object, where: str) -> str | None:
        try:
            return None if cell is None else text_of(cell)
        except BadCell as error:
            self._tell(where, str(error))
            return None

    def milliseconds(self, cell: object, where: str) -> int | None:
        if cell is None:
            return None
        if isinstance(cell, int | float) and abs(cell) < _MOST_MS:
            return int(cell)
        self._tell(where, f"{cell!r:.60} is no time")
        return None

    def _tell(self, where: str, detail: str) -> None:
        self._losses.append(Loss("damaged-header", Fate.DROPPED, where, 1, detail))

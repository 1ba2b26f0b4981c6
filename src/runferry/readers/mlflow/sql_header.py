"""A run's header in an MLflow sqlite file: what a cell cannot mean is told, and the run is there.

What is listed at once for all runs may not end with one of them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any, Final

from runferry.dialects.mlflow.header import NativeRun
from runferry.dialects.mlflow.sql_cells import Cells, any_text
from runferry.losses import Loss

COLUMNS: Final = (
    "r.run_uuid, e.name, r.name, r.user_id, r.status, r.start_time, r.end_time,"
    " r.lifecycle_stage, r.artifact_uri, r.experiment_id"
)
_AT_A_TIME: Final = 1_000


class SqlHeaders:
    """One file."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def of(
        self, query: str, *values: str, losses: list[Loss], with_params: bool = False
    ) -> Iterator[NativeRun]:
        """Each row of a query for `COLUMNS`; `losses` gets what no cell says any more."""
        with any_text(self._connection):
            cursor = self._connection.execute(query, values)
            rows = cursor.fetchmany(_AT_A_TIME)
        while rows:
            for row in rows:
                yield self._run(row, losses, with_params=with_params)
            with any_text(self._connection):
                rows = cursor.fetchmany(_AT_A_TIME)

    def _run(self, row: tuple[Any, ...], losses: list[Loss], *, with_params: bool) -> NativeRun:
        cells = Cells(losses)
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

    def _pairs(self, table: str, run_id: object, cells: Cells) -> dict[str, str]:
        # table is one of two words of ours, never from outside
        query = f"SELECT key, value FROM {table} WHERE run_uuid = ? ORDER BY rowid"
        with any_text(self._connection):
            rows = self._connection.execute(query, (run_id,)).fetchall()
        return cells.pairs(rows, table)

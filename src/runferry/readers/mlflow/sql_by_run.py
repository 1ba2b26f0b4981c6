"""Which rows of an MLflow sqlite file are which run's, where no index of the file says it."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Final

from runferry.dialects.mlflow.sql_cells import any_text

_MAKE: Final = (
    "CREATE TEMP TABLE IF NOT EXISTS {name} (run_id TEXT, id TEXT)",
    "CREATE INDEX IF NOT EXISTS temp.{name}_of_run ON {name} (run_id)",
    "DELETE FROM temp.{name}",  # sqlite drops no table while runs are still being listed
)


class ByRun:
    """A table of this connection's own, filled anew when another process has written.

    `selects` give pairs of a run's id and of what is its; `name` is ours, never from outside.
    """

    def __init__(self, connection: sqlite3.Connection, name: str, selects: Sequence[str]) -> None:
        self._connection = connection
        self._name = name
        self._selects = selects
        self._version: int | None = None

    def of(self, run_id: str | None) -> Sequence[str | bytes]:
        """Ids, in the order of the file; of None those of no run. One that is no UTF-8 is bytes."""
        self._make()
        query = f"SELECT id FROM temp.{self._name} WHERE run_id IS ? ORDER BY rowid"
        with any_text(self._connection):
            rows = self._connection.execute(query, (run_id,)).fetchall()
        return list(dict.fromkeys(one for (one,) in rows))

    def _make(self) -> None:
        (version,) = self._connection.execute("PRAGMA data_version").fetchone()
        if version == self._version:
            return
        for statement in _MAKE:
            self._connection.execute(statement.format(name=self._name))
        for select in self._selects:
            self._connection.execute(f"INSERT INTO temp.{self._name} {select}")
        self._version = version

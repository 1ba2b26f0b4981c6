"""What the sqlite files of neptune-scale say of themselves."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from runferry.errors import SourceError
from runferry.readers.sqlite_files import connected, has_log, is_sqlite, opened

NAME: Final = "run_operations.sqlite3"
_VERSIONS: Final = ("v5",)


@dataclass(frozen=True, slots=True)
class Facts:
    """What the table `metadata` says."""

    version: str
    project: str
    run_id: str

    @property
    def is_known(self) -> bool:
        """Whether somebody taught us this version."""
        return self.version in _VERSIONS


def facts_of(path: Path) -> Facts | None:
    """What a database says of itself; None if it is none of neptune-scale's.

    The row is written first and once, so mostly it is where a glance finds it.
    """
    if not is_sqlite(path):
        return None
    try:
        with closing(connected(path)) as connection:
            if found := _facts(connection):
                return found
    except sqlite3.Error:
        if not has_log(path):
            return None
    try:
        with opened(path) as connection:
            return _facts(connection)
    except (sqlite3.Error, SourceError):
        return None


def _facts(connection: sqlite3.Connection) -> Facts | None:
    named = "SELECT name FROM sqlite_master WHERE name IN ('metadata', 'run_operations')"
    if len(connection.execute(named).fetchall()) < 2:
        return None
    row = connection.execute("SELECT version, project, run_id FROM metadata").fetchone()
    return None if row is None else Facts(*map(str, row))

"""A project's database as trackio 0.43 makes it (schema version 2), and the rows of one run in it.

Written with plain SQL: a run is one transaction, which `SQLiteStorage.bulk_log` has no way to say,
and earlier rows of the run go in the same one. As there, each row has a `log_id` that is the same
in every attempt, so that what is logged twice is there once.
"""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from runferry import settings
from runferry.dialects.json_trees import mended
from runferry.errors import Refused
from runferry.model import Tree

_TABLES: Final = """
CREATE TABLE metrics (
    id INTEGER PRIMARY KEY AUTOINCREMENT, run_id TEXT NOT NULL, timestamp TEXT NOT NULL,
    run_name TEXT NOT NULL, step INTEGER NOT NULL, metrics TEXT NOT NULL,
    log_id TEXT, space_id TEXT);
CREATE TABLE system_metrics (
    id INTEGER PRIMARY KEY AUTOINCREMENT, run_id TEXT NOT NULL, timestamp TEXT NOT NULL,
    run_name TEXT NOT NULL, metrics TEXT NOT NULL, log_id TEXT, space_id TEXT);
CREATE TABLE configs (
    id INTEGER PRIMARY KEY AUTOINCREMENT, run_id TEXT NOT NULL, run_name TEXT NOT NULL,
    config TEXT NOT NULL, created_at TEXT NOT NULL, UNIQUE(run_id));
CREATE INDEX idx_configs_run_name ON configs(run_name);
CREATE INDEX idx_metrics_run_step ON metrics(run_id, step);
CREATE INDEX idx_metrics_run_timestamp ON metrics(run_id, timestamp);
CREATE INDEX idx_metrics_run_record ON metrics(run_id, run_name, timestamp);
CREATE INDEX idx_system_metrics_run_timestamp ON system_metrics(run_id, timestamp);
CREATE UNIQUE INDEX idx_metrics_log_id ON metrics(log_id) WHERE log_id IS NOT NULL;
CREATE UNIQUE INDEX idx_system_metrics_log_id ON system_metrics(log_id) WHERE log_id IS NOT NULL;
CREATE INDEX idx_metrics_pending ON metrics(space_id) WHERE space_id IS NOT NULL;
CREATE INDEX idx_system_metrics_pending ON system_metrics(space_id) WHERE space_id IS NOT NULL;
"""
"""What a run needs; trackio adds its other tables when it opens the project."""
_KNOWN: Final = 2
_NEEDED: Final = {
    "metrics": {"id", "run_id", "timestamp", "run_name", "step", "metrics", "log_id"},
    "system_metrics": {"id", "run_id", "timestamp", "run_name", "metrics", "log_id"},
    "configs": {"id", "run_id", "run_name", "config", "created_at"},
}

Logged = tuple[str, int | None, str]
"""Time, step and JSON of a row; system metrics have no step."""


@contextmanager
def writing(path: Path) -> Iterator[sqlite3.Connection]:
    """The database in a transaction, which takes place whole or not at all. Raises Refused."""
    try:
        with closing(_connected(path)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                _prepare(connection, path)
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")
    except sqlite3.Error as error:
        raise Refused(
            f"sqlite says: {error}",
            where=str(path),
            hint=f"ls -l '{path.parent}'  # a program that logs to this project may hold it",
        ) from error


def _connected(path: Path) -> sqlite3.Connection:
    patience = settings.current().patience
    return sqlite3.connect(path, timeout=patience, isolation_level=None)


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    if not names:
        for statement in _TABLES.strip().split(";\n"):
            connection.execute(statement.rstrip(";"))
        return
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    for table, needed in _NEEDED.items():
        found = {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
        if not needed <= found:
            raise Refused(
                f"this is no database of trackio's, or of another version ({version}; "
                f"{_KNOWN} is known): {table} lacks {', '.join(sorted(needed - found))}",
                where=str(path),
                hint="pip install --upgrade trackio; trackio list projects  # brings it up to date",
            )


def remove(connection: sqlite3.Connection, run_id: str) -> None:
    """Take the rows of a run away."""
    for table in _NEEDED:
        connection.execute(f"DELETE FROM {table} WHERE run_id = ?", (run_id,))


def insert(
    connection: sqlite3.Connection,
    table: str,
    run: tuple[str, str],
    rows: Iterable[Logged],
    log_ids: Iterable[str],
) -> None:
    """Add rows to `metrics` or `system_metrics`; `run` is its id and its name."""
    run_id, name = run
    if table == "metrics":
        statement = (
            "INSERT OR IGNORE INTO metrics (timestamp, run_id, run_name, step, metrics, log_id) "
            "VALUES (?, ?, ?, ?, ?, ?)"
        )
        connection.executemany(
            statement,
            ((at, run_id, name, step, said, log) for (at, step, said), log in zip(rows, log_ids)),  # noqa: B905  the ids do not end
        )
        return
    statement = (
        "INSERT OR IGNORE INTO system_metrics (timestamp, run_id, run_name, metrics, log_id) "
        "VALUES (?, ?, ?, ?, ?)"
    )
    connection.executemany(
        statement,
        ((at, run_id, name, said, log) for (at, _, said), log in zip(rows, log_ids)),  # noqa: B905
    )


def put_config(
    connection: sqlite3.Connection, run: tuple[str, str], config: dict[str, object], created: str
) -> None:
    """State a run's config."""
    statement = "INSERT INTO configs (run_id, run_name, config, created_at) VALUES (?, ?, ?, ?)"
    connection.execute(statement, (*run, spelled(config), created))


def spelled(value: object) -> str:
    """JSON that trackio's strict parser reads: its words for NaN, whole characters only."""
    return json.dumps(_strict(value), ensure_ascii=False, allow_nan=False)


def _strict(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, str):
        return value if value.isascii() else mended(value)
    if isinstance(value, list):
        return [_strict(item) for item in value]
    if isinstance(value, dict):
        return {str(_strict(name)): _strict(item) for name, item in value.items()}
    return value


def word(text: str) -> str:
    """A name as sqlite holds it."""
    whole: Tree = mended(text.replace("\0", "\N{REPLACEMENT CHARACTER}"))
    return str(whole)

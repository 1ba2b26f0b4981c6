"""MLflow's SQL schema on sqlite: which versions we know, and how a file is opened."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote, urlsplit

from runferry import settings
from runferry.errors import BadLocation, Locked

BUSY_SECONDS: Final = 60.0
"""The longest wait for another process, whatever the patience: sqlite hears no Ctrl-C in it."""

TABLES: Final = {
    "experiments": {"experiment_id", "name", "artifact_location", "lifecycle_stage"},
    "runs": {
        "run_uuid", "name", "user_id", "status", "start_time", "end_time", "lifecycle_stage",
        "artifact_uri", "experiment_id",
    },
    "metrics": {"key", "value", "timestamp", "run_uuid", "step", "is_nan"},
    "params": {"key", "value", "run_uuid"},
    "tags": {"key", "value", "run_uuid"},
}  # fmt: skip
"""What a reader needs, whatever the version."""


KNOWN_VERSIONS: Final = frozenset(
    (
        "97727af70f4d", "3500859a5d39", "7f2a7d5fae7d", "2d6e25af4d3e", "acf3f17fdcc7",
        "867495a8f9d4", "5b0e9adcef9c", "4465047574b1", "f5a4f2784254", "0584bdc529eb",
        "400f98739977", "6953534de441", "bda7b8c39065", "cbc13b556ace", "770bee3ae1dd",
        "a1b2c3d4e5f6", "de4033877273", "1a0cddfcaa16", "534353b11cbc", "71994744cf8e",
        "3da73c924c2f", "bf29a5ff90ea", "1bd49d398cd23", "b7c8d9e0f1a2", "5d2d30f0abce",
        "c9d4e5f6a7b8", "2c33131f4dae", "d3e4f5a6b7c8", "d0e1f2a3b4c5", "c8d9e0f1a2b3",
        "1b5f0d9ad7c1", "e1f2a3b4c5d6", "76601a5f987d", "c3d6457b6d8a", "a5b4c3d2e1f0",
        "ae8bbe7743c9", "7d34483879f0", "da6fb0208061", "89d3d66ed43f", "b7e4c1a90f23",
        "a8b9c0d1e2f3", "c1d2e3f4a5b6", "c3d9e7f1a2b4", "6f8d9c3b2a1e", "1971f2d9a75b",
        "17e22815139b", "b7e2c1a4d9f3", "75868b020152", "dc11669786a5",
    )
)  # fmt: skip
"""The versions of MLflow 2.0 to 3.17 (`mlflow/store/db_migrations/versions`): runs, metrics,
latest_metrics, params, tags and experiments are written the same way in all of them."""


def database_path(uri: str) -> Path:
    """The file behind `sqlite:///…` (also `sqlite+pysqlite`)."""
    parts = urlsplit(uri)
    if not parts.path or parts.path == "/" or ":memory:" in parts.path:
        raise BadLocation("an MLflow database in memory cannot be shared", where=uri)
    return Path(unquote(parts.path.removeprefix("/"))).expanduser()


def is_sqlite(uri: str) -> bool:
    """Whether a location is MLflow's URI of a sqlite file."""
    return uri.partition(":")[0].partition("+")[0] == "sqlite"


def connect(path: Path, *, read_only: bool, for_a_glance: bool = False) -> sqlite3.Connection:
    """A connection in autocommit mode; transactions are begun by name.

    For a glance at a file that may be anybody's: sqlite lays files beside a database with a
    write-ahead log even when it only reads, unless it is told that nothing changes.
    """
    mode = "ro" if read_only or for_a_glance else "rw"
    still = "&immutable=1" if for_a_glance else ""
    uri = f"file:{quote(str(path.absolute()))}?mode={mode}{still}"
    wait = min(BUSY_SECONDS, settings.current().patience)
    return sqlite3.connect(
        uri, uri=True, timeout=wait, isolation_level=None, check_same_thread=False
    )


def locked(error: sqlite3.Error, path: Path) -> Locked | None:
    """What to say when another process did not let go of the file; None for any other error."""
    if not any(word in str(error) for word in ("locked", "busy")):
        return None
    return Locked(
        "the database is locked by another process",
        where=str(path),
        hint="close the program that uses it, or wait until it has finished; then run again",
    )


def version(connection: sqlite3.Connection) -> str | None:
    """The alembic version; None where there is none."""
    try:
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.OperationalError as error:
        if "no such table" in str(error):
            return None
        raise
    return None if row is None else str(row[0])


def columns(connection: sqlite3.Connection, table: str) -> set[str]:
    """A table's columns; empty where there is no such table."""
    rows = connection.execute("SELECT name FROM pragma_table_info(?)", (table,))
    return {name for (name,) in rows}

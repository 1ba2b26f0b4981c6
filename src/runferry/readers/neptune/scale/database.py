"""The sqlite files of neptune-scale, read without a byte written beside them.

Sqlite lays files beside a database with a write-ahead log even when it only reads. So one whose
log holds anything is read from a copy; the others as files that nobody changes.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

from runferry.errors import Damaged, SourceError
from runferry.paths import regular, spelled

NAME: Final = "run_operations.sqlite3"
_MAGIC: Final = b"SQLite format 3\0"
_VERSIONS: Final = ("v5",)
_TRIES: Final = 5


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


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """The database with all that is in its write-ahead log. Raises SourceError."""
    if not _has_wal(path):
        with closing(_connected(path)) as connection:
            yield connection
        return
    with tempfile.TemporaryDirectory(prefix="runferry-") as folder:
        copy = Path(folder) / path.name
        _copy(path, copy)
        with closing(sqlite3.connect(copy, isolation_level=None)) as connection:
            yield connection


def facts_of(path: Path) -> Facts | None:
    """What a database says of itself; None if it is none of neptune-scale's.

    The row is written first and once, so mostly it is where a glance finds it.
    """
    if regular(path) is None:
        return None
    with path.open("rb") as stream:
        if stream.read(len(_MAGIC)) != _MAGIC:
            return None
    try:
        with closing(_connected(path)) as connection:
            if found := _facts(connection):
                return found
    except sqlite3.Error:
        if not _has_wal(path):
            return None
    try:
        with opened(path) as connection:
            return _facts(connection)
    except (sqlite3.Error, SourceError):
        return None


@contextmanager
def failing_as_ours(path: Path) -> Iterator[None]:
    """What sqlite says of a damaged file, as our error."""
    try:
        yield
    except sqlite3.Error as error:
        raise Damaged(
            f"sqlite cannot read it: {error}",
            where=spelled(str(path)),
            offset=None,
            hint=f"sqlite3 {path.name} .recover",
        ) from error


def _facts(connection: sqlite3.Connection) -> Facts | None:
    named = "SELECT name FROM sqlite_master WHERE name IN ('metadata', 'run_operations')"
    if len(connection.execute(named).fetchall()) < 2:
        return None
    row = connection.execute("SELECT version, project, run_id FROM metadata").fetchone()
    return None if row is None else Facts(*map(str, row))


def _connected(path: Path) -> sqlite3.Connection:
    uri = f"file:{quote(str(path.absolute()))}?mode=ro&immutable=1"
    return sqlite3.connect(uri, uri=True, isolation_level=None)


def _wal_of(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def _has_wal(path: Path) -> bool:
    found = regular(_wal_of(path))
    return found is not None and found.st_size > 0


def _copy(path: Path, copy: Path) -> None:
    """Copy database and log as they are at one moment. Raises SourceError if they never rest."""
    for _ in range(_TRIES):
        before = _stamps(path)
        shutil.copyfile(path, copy)
        _wal_of(copy).unlink(missing_ok=True)
        if _has_wal(path):
            shutil.copyfile(_wal_of(path), _wal_of(copy))
        if _stamps(path) == before:
            return
    raise SourceError(
        "the database changes while it is copied",
        where=spelled(str(path)),
        hint="wait until the run has ended, or stop it; then run again",
    )


def _stamps(path: Path) -> list[tuple[int, int] | None]:
    found = [regular(one) for one in (path, _wal_of(path))]
    return [None if one is None else (one.st_size, one.st_mtime_ns) for one in found]

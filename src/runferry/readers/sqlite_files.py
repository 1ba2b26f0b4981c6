"""The sqlite files of others, read without a byte written beside them.

Sqlite lays files beside a database with a write-ahead log even when it only reads, and whoever may
only read cannot take back by a rollback journal what a killed writer left half done. So a database
with a log of either kind that holds anything is read from a copy; the others as files that nobody
changes.
"""

from __future__ import annotations

import shlex
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Final
from urllib.parse import quote

from runferry.errors import Damaged, SourceError
from runferry.paths import regular, spelled

_MAGIC: Final = b"SQLite format 3\0"
_WRITE_VERSION: Final = 18  # where it stands; 2 is a write-ahead log
_TRIES: Final = 5
_LOGS: Final = ("-wal", "-journal")


def is_sqlite(path: Path) -> bool:
    """Whether a regular file begins as a database does."""
    if regular(path) is None:
        return False
    with path.open("rb") as stream:
        return stream.read(len(_MAGIC)) == _MAGIC


def has_wal_mode(path: Path) -> bool:
    """Whether its writers keep a write-ahead log, by the header (sqlite.org/fileformat)."""
    with path.open("rb") as stream:
        return stream.read(_WRITE_VERSION + 1)[_WRITE_VERSION:] == b"\2"


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """The database as the last whole transaction left it. Raises SourceError."""
    if not has_log(path):
        with closing(connected(path)) as connection:
            yield connection
        return
    with tempfile.TemporaryDirectory(prefix="runferry-") as folder:
        copy = Path(folder) / path.name
        _copy(path, copy)
        with closing(
            sqlite3.connect(copy, isolation_level=None, check_same_thread=False)
        ) as connection:
            yield connection


def is_cut_short(connection: sqlite3.Connection) -> bool:
    """Whether a writer was killed within a transaction, and nobody has written since."""
    try:
        connection.execute("PRAGMA schema_version").fetchone()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_READONLY_ROLLBACK:
            return True
        raise
    return False


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
            hint=f"sqlite3 {shlex.quote(spelled(str(path)))} .recover",
        ) from error


def connected(path: Path) -> sqlite3.Connection:
    """The database without what is in a log beside it, as a file that nobody changes."""
    uri = f"file:{quote(str(path.absolute()))}?mode=ro&immutable=1"
    return sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)


def has_log(path: Path) -> bool:
    """Whether a log beside it holds anything."""
    return any(map(_holds, _logs(path)))


def _logs(path: Path) -> list[Path]:
    return [path.with_name(path.name + suffix) for suffix in _LOGS]


def _holds(path: Path) -> bool:
    found = regular(path)
    return found is not None and found.st_size > 0


def _copy(path: Path, copy: Path) -> None:
    """Copy database and logs as they are at one moment. Raises SourceError if they never rest."""
    logs = dict(zip(_logs(path), _logs(copy), strict=True))
    for _ in range(_TRIES):
        before = _stamps(path, *logs)
        shutil.copyfile(path, copy)
        for log, log_copy in logs.items():
            log_copy.unlink(missing_ok=True)
            if _holds(log):
                with suppress(FileNotFoundError):  # its transaction has ended: once more
                    shutil.copyfile(log, log_copy)
        if _stamps(path, *logs) == before:
            return
    raise SourceError(
        "the database changes while it is copied",
        where=spelled(str(path)),
        hint="wait until the run has ended, or stop it; then run again",
    )


def _stamps(*paths: Path) -> list[tuple[int, int] | None]:
    found = [regular(one) for one in paths]
    return [None if one is None else (one.st_size, one.st_mtime_ns) for one in found]

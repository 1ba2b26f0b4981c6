"""The sqlite files of others, read without a byte written beside them.

Sqlite lays files beside a database with a write-ahead log even when it only reads. So one whose
log holds anything is read from a copy; the others as files that nobody changes.
"""

from __future__ import annotations

import shlex
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import quote

from runferry.errors import Damaged, SourceError
from runferry.paths import regular, spelled

_MAGIC: Final = b"SQLite format 3\0"
_WRITE_VERSION: Final = 18  # where it stands; 2 is a write-ahead log
_TRIES: Final = 5
_WAL: Final = "-wal"
_JOURNAL: Final = "-journal"


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
    """The database with all that is in its write-ahead log. Raises SourceError."""
    if not has_wal(path):
        with closing(connected(path)) as connection:
            yield connection
        return
    with _copied(path, _WAL) as connection:
        yield connection


def opened_before(path: Path) -> AbstractContextManager[sqlite3.Connection]:
    """The database as it was before the transaction in which its writer was killed.

    Sqlite has that in a journal beside the file, and whoever may only read cannot play it back.
    """
    return _copied(path, _JOURNAL)


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
def _copied(path: Path, suffix: str) -> Iterator[sqlite3.Connection]:
    with tempfile.TemporaryDirectory(prefix="runferry-") as folder:
        copy = Path(folder) / path.name
        _copy(path, copy, suffix)
        with closing(
            sqlite3.connect(copy, isolation_level=None, check_same_thread=False)
        ) as connection:
            yield connection


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
    """The database without what is in its write-ahead log, as a file that nobody changes."""
    uri = f"file:{quote(str(path.absolute()))}?mode=ro&immutable=1"
    return sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def has_wal(path: Path) -> bool:
    """Whether its write-ahead log holds anything."""
    return _holds(_beside(path, _WAL))


def _holds(path: Path) -> bool:
    found = regular(path)
    return found is not None and found.st_size > 0


def _copy(path: Path, copy: Path, suffix: str) -> None:
    """Copy database and log as they are at one moment. Raises SourceError if they never rest."""
    log, log_copy = _beside(path, suffix), _beside(copy, suffix)
    for _ in range(_TRIES):
        before = _stamps(path, log)
        shutil.copyfile(path, copy)
        log_copy.unlink(missing_ok=True)
        if _holds(log):
            shutil.copyfile(log, log_copy)
        if _stamps(path, log) == before:
            return
    raise SourceError(
        "the database changes while it is copied",
        where=spelled(str(path)),
        hint="wait until the run has ended, or stop it; then run again",
    )


def _stamps(*paths: Path) -> list[tuple[int, int] | None]:
    found = [regular(one) for one in paths]
    return [None if one is None else (one.st_size, one.st_mtime_ns) for one in found]

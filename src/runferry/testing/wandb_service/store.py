"""Where the service keeps what it was given: one SQLite file and a folder of blobs.

Rows are dictionaries under the names of `schema/tables.sql`. Nothing is held in memory, so that
thousands of runs cost disk, and a folder given again serves what it held.
"""

from __future__ import annotations

import sqlite3
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeAlias, TypeVar, cast

T = TypeVar("T")
Record: TypeAlias = dict[str, Any]
"""One row of a table; SQLite says what its values are."""


class Store:
    """The tables and the blobs of one service. Safe to use from several threads."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._blobs = folder / "blobs"
        self._blobs.mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        self._database = sqlite3.connect(
            folder / "service.sqlite", check_same_thread=False, isolation_level=None
        )
        self._database.row_factory = _as_record
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = OFF")  # a test's content, written anew
        self._remembered: dict[object, object] = {}
        self._remembered_at = -1
        tables = files(__package__).joinpath("schema/tables.sql").read_text("utf-8")
        self._database.executescript(tables)

    def close(self) -> None:
        """Close the database; the folder stays."""
        with self._lock:
            self._database.close()

    @contextmanager
    def together(self) -> Iterator[None]:
        """All that is done inside is done, or nothing of it; no other thread comes between."""
        with self._lock:
            if self._database.in_transaction:
                yield
                return
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")

    def rows(self, sql: str, *values: object) -> list[Record]:
        """All rows of a question."""
        with self._lock:
            return self._database.execute(sql, values).fetchall()

    def row(self, sql: str, *values: object) -> Record | None:
        """The first row, or None."""
        with self._lock:
            found: Record | None = self._database.execute(sql, values).fetchone()
            return found

    def value(self, sql: str, *values: object) -> Any:
        """The first column of the first row, or None."""
        found = self.row(sql, *values)
        return next(iter(found.values())) if found else None

    def execute(self, sql: str, *values: object) -> int:
        """Change something; the number of rows that it met."""
        with self._lock:
            return self._database.execute(sql, values).rowcount

    def execute_many(self, sql: str, values: Iterable[tuple[object, ...]]) -> None:
        """Change something once for each of `values`, as one transaction."""
        with self.together():
            self._database.executemany(sql, values)

    def remember(self, question: object, answer: Callable[[], T]) -> T:
        """The answer to a question, found once for as long as nothing changes."""
        with self._lock:
            if self._remembered_at != self._database.total_changes:
                self._remembered.clear()
                self._remembered_at = self._database.total_changes
            if question not in self._remembered:
                self._remembered[question] = answer()
            return cast("T", self._remembered[question])

    def insert(self, table: str, **columns: object) -> int:
        """A new row; its id."""
        names = ", ".join(f'"{name}"' for name in columns)
        marks = ", ".join("?" for _ in columns)
        with self._lock:
            cursor = self._database.execute(
                f"INSERT INTO {table} ({names}) VALUES ({marks})",
                tuple(columns.values()),
            )
            return int(cursor.lastrowid or 0)

    def update(self, table: str, row_id: int, **columns: object) -> None:
        """Change columns of one row."""
        if columns:
            changes = ", ".join(f'"{name}" = ?' for name in columns)
            self.execute(
                f"UPDATE {table} SET {changes} WHERE id = ?",
                *columns.values(),
                row_id,
            )

    def new_blob(self) -> str:
        """A name for bytes to come."""
        return uuid.uuid4().hex

    def blob_path(self, blob: str) -> Path:
        """Where the bytes of a blob lie; only names of `new_blob` reach here."""
        folder = self._blobs / blob[:2]
        folder.mkdir(exist_ok=True)
        return folder / blob

    def put_blob(self, content: bytes) -> str:
        """Keep bytes; their name."""
        blob = self.new_blob()
        self.blob_path(blob).write_bytes(content)
        return blob


def _as_record(cursor: sqlite3.Cursor, values: tuple[Any, ...]) -> Record:
    return {column[0]: value for column, value in zip(cursor.description, values, strict=True)}

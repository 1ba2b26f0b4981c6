"""Which files are databases of trackio, and the runs that each has.

The tables are those of trackio/sqlite_storage.py, 0.1 to 0.43. Before 0.24 a run was known by its
name alone; `run_id` came with schema version 2.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from runferry.dialects.json_trees import JsonNotes, parse_json
from runferry.dialects.times import time_ns_of
from runferry.dialects.trackio.own_store import UID_NAME
from runferry.dialects.trackio.places import DATABASE, TRACKER
from runferry.errors import SourceError
from runferry.model import Run, RunKey, Tree, Uid
from runferry.paths import folders_below
from runferry.readers.sqlite_files import connected, has_log, is_sqlite, opened

ROWS: Final = ("metrics", "system_metrics", "alerts", "traces")
"""Tables with rows of runs; their place here is a part of a row's number."""
_NEEDED: Final = {"timestamp", "run_name", "step", "metrics"}
_UNIQUE: Final = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Schema:
    """Which tables a database has, and their columns."""

    columns: dict[str, frozenset[str]]

    @classmethod
    def of(cls, connection: sqlite3.Connection) -> Schema:
        """Raises sqlite3.Error."""
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        columns = {}
        for (name,) in names.fetchall():
            quoted = name.replace('"', '""')
            found = connection.execute(f'PRAGMA table_info("{quoted}")')
            columns[str(name)] = frozenset(str(row[1]) for row in found)
        return cls(columns)

    def run_column(self, table: str) -> str | None:
        """By what the rows of a table tell runs apart; None where there is no such table."""
        known = self.columns.get(table, frozenset())
        return next((name for name in ("run_id", "run_name") if name in known), None)


def is_database(path: Path) -> bool:
    """Whether trackio keeps a project in this file."""
    if not path.name.endswith(DATABASE) or not is_sqlite(path):
        return False
    try:
        with closing(connected(path)) as connection:
            if Schema.of(connection).columns.get("metrics", frozenset()) >= _NEEDED:
                return True
    except sqlite3.Error:
        pass  # the log may have what is missing here
    if not has_log(path):
        return False
    try:
        with opened(path) as connection:
            return Schema.of(connection).columns.get("metrics", frozenset()) >= _NEEDED
    except (sqlite3.Error, SourceError):
        return False


def databases_below(root: Path) -> Iterator[Path]:
    """The databases at or below a place."""
    if not root.is_dir():
        if is_database(root):
            yield root
        return
    for folder in folders_below(root):
        for name in folder.names:
            if name.endswith(DATABASE) and is_database(folder.path / name):
                yield folder.path / name


@dataclass(frozen=True, slots=True)
class Owner:
    """By what the rows of a run are known in each table that has runs."""

    run_id: str  # its name, where there are no ids
    run_name: str

    def of(self, column: str) -> str:
        """The value of `Schema.run_column`."""
        return self.run_id if column == "run_id" else self.run_name


def owners(connection: sqlite3.Connection, schema: Schema) -> dict[Owner, str]:
    """The runs that any table has, with the first time of each; in that order."""
    known: dict[str, Owner] = {}
    first: dict[Owner, str] = {}
    for table, time in (*((one, "timestamp") for one in ROWS), ("configs", "created_at")):
        column = schema.run_column(table)
        if column is None:
            continue
        query = f"SELECT {column}, run_name, MIN({time}) FROM {table} GROUP BY 1"
        for run_id, name, begun in connection.execute(query).fetchall():
            owner = known.setdefault(str(run_id), Owner(str(run_id), str(name)))
            if owner not in first:
                first[owner] = str(begun)
            elif table != "configs":  # which is sent later than the run began
                first[owner] = min(first[owner], str(begun))
    return dict(sorted(first.items(), key=lambda item: (item[1], item[0].run_id)))


def config_of(
    connection: sqlite3.Connection, schema: Schema, owner: Owner, notes: JsonNotes | None = None
) -> dict[str, Tree]:
    """What a run's config says. Raises ValueError for one that is no mapping, sqlite3.Error."""
    column = schema.run_column("configs")
    if column is None:
        return {}
    query = f"SELECT config FROM configs WHERE {column} = ? ORDER BY id DESC LIMIT 1"
    row = connection.execute(query, (owner.of(column),)).fetchone()
    found = {} if row is None else parse_json(text_of(row[0]), notes)
    if not isinstance(found, dict):
        raise ValueError("no mapping")
    return found


def text_of(cell: object) -> str:
    """JSON as trackio keeps it: as bytes, or as text in older versions. Raises ValueError."""
    return cell.decode() if isinstance(cell, bytes) else str(cell)


def header_of(project: str, owner: Owner, first: str, config: dict[str, Tree]) -> Run:
    """The header of a run; an id that is unique everywhere needs no scope."""
    is_unique = _UNIQUE.fullmatch(owner.run_id) is not None
    began = time_ns_of(first)
    created = time_ns_of(_word(config.get("_Created")))
    mark = config.get(UID_NAME)
    return Run(
        RunKey(TRACKER, "" if is_unique else project, owner.run_id),
        name=owner.run_name,
        project=project,
        group=_word(config.get("_Group")),
        user=_word(config.get("_Username")),
        created_ns=created if created is not None else began,
        started_ns=created if created is not None else began,
        client=TRACKER,
        origin_uid=Uid(mark) if isinstance(mark, str) and len(mark) == 32 else None,
    )


def _word(value: Tree) -> str | None:
    return value if isinstance(value, str) else None

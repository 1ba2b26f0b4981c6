"""What runferry notes of the rows that it made of a run, to see whether they still stand."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from runferry.dialects.plain_folder.notes import reading_note

LOGGED: Final = "logged.json"
"""In the folder of an exact run."""
UID_NAME: Final = "_RunferryUid"
"""In a run's config, where trackio keeps what begins with `_` to itself: whose run it is."""
ROWS: Final = ("metrics", "system_metrics")
TABLES: Final = (*ROWS, "configs")

Extent = tuple[int, int, int]
"""Rows, and the least and the greatest of their numbers."""


@dataclass(frozen=True, slots=True)
class Logged:
    """Where the rows of a run are. Numbers are never given twice, so what is written anew shows."""

    run_id: str
    run_name: str
    extents: dict[str, Extent]  # by table

    def text(self) -> str:
        """As `logged.json`."""
        return json.dumps(asdict(self), indent=2)

    def stands(self, connection: sqlite3.Connection) -> bool:
        """Whether every row is there, and nobody renamed the run. Raises sqlite3.Error."""
        return self == logged_in(connection, self.run_id, self.run_name)

    def is_logged_on_to(self, connection: sqlite3.Connection) -> bool:
        """Whether rows follow on those that we made, which a push that was killed puts others in
        the place of. Raises sqlite3.Error.
        """
        there = logged_in(connection, self.run_id, self.run_name).extents
        rows = [(self.extents[table], there[table]) for table in ROWS]
        has_ours = all(now[1] == then[1] for then, now in rows if then[0])
        return has_ours and any(now[2] > then[2] for then, now in rows)


def logged_in(connection: sqlite3.Connection, run_id: str, run_name: str) -> Logged:
    """What a database holds of a run. Raises sqlite3.Error."""
    extents: dict[str, Extent] = {}
    for table in TABLES:
        query = (
            f"SELECT COUNT(*), COALESCE(MIN(id), 0), COALESCE(MAX(id), 0), COALESCE(SUM("
            f"run_name = ?), 0) FROM {table} WHERE run_id = ?"
        )
        count, first, last, named = connection.execute(query, (run_name, run_id)).fetchone()
        extents[table] = (count if named == count else -1, first, last)
    return Logged(run_id, run_name, extents)


def logged_of(folder: Path) -> Logged:
    """What `logged.json` in a run's folder says. Raises FileNotFoundError, Damaged."""
    path = folder / LOGGED
    with reading_note(path):
        tree = json.loads(path.read_bytes())
        extents = {
            str(table): (int(count), int(first), int(last))
            for table, (count, first, last) in tree["extents"].items()
        }
        return Logged(str(tree["run_id"]), str(tree["run_name"]), extents)

"""The runs of an MLflow sqlite file by the marks that they carry, found without looking at all.

MLflow's tags are indexed by their name and run, not by what they say, and every run that came from
elsewhere has a mark of the same name. So each connection keeps an index of its own beside them, in
a temporary table, and adds what stands behind the last row that it has seen.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Final

from runferry.dialects.mlflow.tags import PARENT_UID_TAG, UID_TAG

MARKS: Final = (UID_TAG, PARENT_UID_TAG)
"""The tags that runs are found by of which every run may have one."""

_NAMES: Final = ", ".join(f"'{name}'" for name in MARKS)
_TABLES: Final = (
    "CREATE TEMP TABLE runferry_marks (key TEXT, value TEXT, run_uuid TEXT,"
    " PRIMARY KEY (key, value, run_uuid)) WITHOUT ROWID",
    "CREATE TEMP TABLE runferry_seen (at INTEGER, key TEXT, value TEXT, run_uuid TEXT)",
)
# Rows get ascending numbers as long as the last one stands. Where it does not, or says something
# else, rows went and their numbers were given again (DELETE), or all have new ones (VACUUM).
_IS_STANDING: Final = """
SELECT s.at FROM temp.runferry_seen s
JOIN main.tags t ON t.rowid = s.at AND t.key = s.key AND t.run_uuid = s.run_uuid
 AND t.value IS s.value
"""
_ADD: Final = """
INSERT OR IGNORE INTO temp.runferry_marks
SELECT key, value, run_uuid FROM main.tags {rows} AND value IS NOT NULL
"""
_ADD_ALL: Final = _ADD.format(rows=f"WHERE key IN ({_NAMES})")
_ADD_LATER: Final = _ADD.format(rows=f"NOT INDEXED WHERE rowid > ? AND key IN ({_NAMES})")
_LAST: Final = "SELECT rowid, key, value, run_uuid FROM main.tags ORDER BY rowid DESC LIMIT 1"
_FIND: Final = """
SELECT t.run_uuid FROM temp.runferry_marks m
CROSS JOIN main.tags t ON t.key = m.key AND t.run_uuid = m.run_uuid AND t.value = m.value
CROSS JOIN main.runs r ON r.run_uuid = t.run_uuid
WHERE m.key = ? AND m.value = ?
"""


class SqliteMarks:
    """One connection's; what it finds stands in `tags` at that moment.

    In a transaction that is rolled back, so is what it added. A mark that changes must get a row
    of its own, as `unless_equal` sees to; nobody but runferry changes them.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        for table in _TABLES:
            connection.execute(table)

    def run_ids(self, mark: str, value: str, condition: str) -> Sequence[str]:
        """The runs `r` whose mark has this value, where the condition holds."""
        self._catch_up()
        found = self._connection.execute(f"{_FIND} AND {condition}", (mark, value))
        return [run_id for (run_id,) in found]

    def unless_equal(self, mark: str, value: str, run_id: str) -> None:
        """Remove a mark that says something else, so that the new one is a new row."""
        self._connection.execute(
            "DELETE FROM tags WHERE key = ? AND run_uuid = ? AND value IS NOT ?",
            (mark, run_id, value),
        )

    def _catch_up(self) -> None:
        """What another process adds meanwhile is seen twice, and never not at all."""
        ask = self._connection.execute
        standing, last = ask(_IS_STANDING).fetchone(), ask(_LAST).fetchone()
        if standing is None:
            ask("DELETE FROM temp.runferry_marks")
            ask(_ADD_ALL)
        else:
            ask(_ADD_LATER, standing)
        ask("DELETE FROM temp.runferry_seen")
        if last is not None:
            ask("INSERT INTO temp.runferry_seen VALUES (?, ?, ?, ?)", last)

"""The runs of an MLflow sqlite file by the marks that they carry, found without looking at all.

MLflow's tags are indexed by their name and run, not by what they say, and every run that came from
elsewhere has a mark of the same name. So each connection keeps an index of its own beside them, in
a temporary table, and adds what stands behind the last mark that it has seen.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
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
# A new row's number is one more than the highest of those that stand. So while the last mark that
# was seen stands, every later one has a higher number, whatever else went: the claims that each
# push takes away, and the tags that it changes in place. Where it went, or stands elsewhere, its
# number and those below may have been given again (DELETE), or all have new ones (VACUUM).
_STANDING: Final = """
SELECT s.at FROM temp.runferry_seen s
JOIN main.tags t ON t.rowid = s.at AND t.key = s.key AND t.run_uuid = s.run_uuid
 AND t.value IS s.value
"""
_ADD: Final = """
INSERT OR IGNORE INTO temp.runferry_marks
SELECT key, value, run_uuid FROM main.tags {rows} AND value IS NOT NULL
"""
_SEE: Final = """
INSERT INTO temp.runferry_seen
SELECT rowid, key, value, run_uuid FROM main.tags {rows} ORDER BY rowid DESC LIMIT 1
"""
_ALL: Final = f"WHERE key IN ({_NAMES})"
_LATER: Final = f"NOT INDEXED WHERE rowid > ? AND key IN ({_NAMES})"
_FIND: Final = """
SELECT t.run_uuid FROM temp.runferry_marks m
CROSS JOIN main.tags t ON t.key = m.key AND t.run_uuid = m.run_uuid AND t.value = m.value
CROSS JOIN main.runs r ON r.run_uuid = t.run_uuid
WHERE m.key = ? AND m.value = ?
"""


class SqliteMarks:
    """One connection's; what it finds stands in `tags` at that moment.

    In a transaction that is rolled back, so is what it added. A mark that changes must get a row
    of its own, as `unless_equal` sees to. MLflow, and so runferry through a server or the vendor's
    store, changes it in place: a connection that had seen the earlier mark does not find that run
    by the new one until it is opened anew. A uid's mark never changes; a parent's does, where a
    run comes to have another parent, and then the child is not linked by this connection.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        for table in _TABLES:
            connection.execute(table)

    def run_ids(self, mark: str, value: str, condition: str) -> Sequence[str]:
        """The runs `r` whose mark has this value, where the condition holds."""
        with self._one_snapshot():
            self._catch_up()
            found = self._connection.execute(f"{_FIND} AND {condition}", (mark, value)).fetchall()
        return [run_id for (run_id,) in found]

    def unless_equal(self, mark: str, value: str, run_id: str) -> None:
        """Remove a mark that says something else, so that the new one is a new row."""
        self._connection.execute(
            "DELETE FROM tags WHERE key = ? AND run_uuid = ? AND value IS NOT ?",
            (mark, run_id, value),
        )

    @contextmanager
    def _one_snapshot(self) -> Iterator[None]:
        """What is asked within is answered from the same state of the file."""
        if self._connection.in_transaction:
            yield
            return
        self._connection.execute("BEGIN")  # it only reads the file, so nobody is kept from it
        try:
            yield
            self._connection.execute("COMMIT")
        finally:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")

    def _catch_up(self) -> None:
        ask = self._connection.execute
        standing = ask(_STANDING).fetchone()
        if standing is None:
            ask("DELETE FROM temp.runferry_marks")
            ask("DELETE FROM temp.runferry_seen")
            ask(_ADD.format(rows=_ALL))
            ask(_SEE.format(rows=_ALL))
        else:
            ask(_ADD.format(rows=_LATER), standing)
            ask(_SEE.format(rows=_LATER), standing)
            ask("DELETE FROM temp.runferry_seen WHERE at < (SELECT max(at) FROM runferry_seen)")

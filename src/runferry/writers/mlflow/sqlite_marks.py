"""What an MLflow sqlite file holds by the marks that it carries, found without looking at all.

MLflow's tags are indexed by their name and owner, not by what they say, and every run or logged
model that came from elsewhere has a mark of the same name. So each connection keeps an index of its
own beside them, in a temporary table, and adds what stands behind the last mark that it has seen.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from runferry.dialects.mlflow.logged import MODEL_ID_TAG
from runferry.dialects.mlflow.tags import PARENT_UID_TAG, UID_TAG

MARKS: Final = (UID_TAG, PARENT_UID_TAG)
"""The tags that runs are found by of which every run may have one."""


@dataclass(frozen=True, slots=True)
class Tagged:
    """A table of tags, its columns, and the table of those that have them."""

    tags: str
    key: str
    value: str
    owner: str
    owners: str
    marks: tuple[str, ...]


RUNS: Final = Tagged("tags", "key", "value", "run_uuid", "runs", MARKS)
MODELS: Final = Tagged(
    "logged_model_tags",
    "tag_key",
    "tag_value",
    "model_id",
    "logged_models",
    (MODEL_ID_TAG, UID_TAG),
)

_TABLES: Final = (
    "CREATE TEMP TABLE marks_of_{owners} (key TEXT, value TEXT, owner TEXT,"
    " PRIMARY KEY (key, value, owner)) WITHOUT ROWID",
    "CREATE TEMP TABLE seen_of_{owners} (at INTEGER, key TEXT, value TEXT, owner TEXT)",
)
# A new row's number is one more than the highest of those that stand. So while the last mark that
# was seen stands, every later one has a higher number, whatever else went: the claims that each
# push takes away, and the tags that it changes in place. Where it went, or stands elsewhere, its
# number and those below may have been given again (DELETE), or all have new ones (VACUUM).
_STANDING: Final = """
SELECT s.at FROM temp.seen_of_{owners} s
JOIN main.{tags} t ON t.rowid = s.at AND t.{key} = s.key AND t.{owner} = s.owner
 AND t.{value} IS s.value
"""
_ADD: Final = """
INSERT OR IGNORE INTO temp.marks_of_{owners}
SELECT {key}, {value}, {owner} FROM main.{tags} {rows} AND {value} IS NOT NULL
"""
_SEE: Final = """
INSERT INTO temp.seen_of_{owners}
SELECT rowid, {key}, {value}, {owner} FROM main.{tags} {rows} ORDER BY rowid DESC LIMIT 1
"""
_ALL: Final = "WHERE {key} IN ({marks})"
_LATER: Final = "NOT INDEXED WHERE rowid > ? AND {key} IN ({marks})"
_FIND: Final = """
SELECT t.{owner} FROM temp.marks_of_{owners} m
CROSS JOIN main.{tags} t ON t.{key} = m.key AND t.{owner} = m.owner AND t.{value} = m.value
CROSS JOIN main.{owners} r ON r.{owner} = t.{owner}
WHERE m.key = ? AND m.value = ? AND {condition}
"""
_FORGET: Final = "DELETE FROM temp.marks_of_{owners}"
_UNSEE: Final = "DELETE FROM temp.seen_of_{owners}"
_UNSEE_EARLIER: Final = f"{_UNSEE} WHERE at < (SELECT max(at) FROM temp.seen_of_{{owners}})"
_REPLACE: Final = "DELETE FROM {tags} WHERE {key} = ? AND {owner} = ? AND {value} IS NOT ?"


class SqliteMarks:
    """One connection's, of one table; what it finds stands there at that moment.

    In a transaction that is rolled back, so is what it added. A mark that changes must get a row
    of its own, as `unless_equal` sees to. MLflow, and so runferry through a server or the vendor's
    store, changes it in place: a connection that had seen the earlier mark does not find that run
    by the new one until it is opened anew. A uid's mark never changes; a parent's does, where a
    run comes to have another parent, and then the child is not linked by this connection.
    """

    def __init__(self, connection: sqlite3.Connection, tagged: Tagged) -> None:
        self._connection = connection
        self._names = {name: getattr(tagged, name) for name in Tagged.__slots__}
        self._names["marks"] = ", ".join(f"'{mark}'" for mark in tagged.marks)
        for table in _TABLES:
            self._ask(table)

    def _ask(
        self, query: str, values: Sequence[object] = (), rows: str = "", condition: str = ""
    ) -> sqlite3.Cursor:
        """The names within are ours, never from outside."""
        said = query.format(rows=rows.format(**self._names), condition=condition, **self._names)
        return self._connection.execute(said, values)

    def ids(self, mark: str, value: str, condition: str) -> Sequence[str]:
        """The runs or models `r` whose mark has this value, where the condition holds."""
        with self._one_snapshot():
            self._catch_up()
            found = self._ask(_FIND, (mark, value), condition=condition).fetchall()
        return [owner for (owner,) in found]

    def unless_equal(self, mark: str, value: str, owner: str) -> None:
        """Remove a mark that says something else, so that the new one is a new row."""
        self._ask(_REPLACE, (mark, owner, value))

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
        standing = self._ask(_STANDING).fetchone()
        if standing is None:
            self._ask(_FORGET)
            self._ask(_UNSEE)
            self._ask(_ADD, rows=_ALL)
            self._ask(_SEE, rows=_ALL)
        else:
            self._ask(_ADD, standing, rows=_LATER)
            self._ask(_SEE, standing, rows=_LATER)
            self._ask(_UNSEE_EARLIER)

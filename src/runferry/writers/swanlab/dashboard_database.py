"""`runs.swanlab`: the experiments that SwanLab's local dashboard lists (swanboard 0.1.10b2).

The tables are those that its own models make (`swanboard/db/models`); of their indices only those
that keep what is there once. Keys are counted as there, without a gap: it relies on that.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from runferry.dialects.swanlab.names import DATABASE
from runferry.dialects.times import rfc3339
from runferry.errors import Declined
from runferry.model import Run
from runferry.writers.swanlab.dashboard import Tag

_MADE: Final = "create_time VARCHAR(30) NOT NULL, update_time VARCHAR(30) NOT NULL"
_TABLES: Final = (
    "project(id INTEGER NOT NULL PRIMARY KEY, name VARCHAR(100) NOT NULL UNIQUE,"
    " description VARCHAR(255), sum INTEGER, charts INTEGER NOT NULL,"
    " pinned_opened INTEGER NOT NULL, hidden_opened INTEGER NOT NULL, more VARCHAR(255),"
    f" version VARCHAR(30) NOT NULL, {_MADE})",
    "experiment(id INTEGER NOT NULL PRIMARY KEY, project_id INTEGER NOT NULL,"
    " run_id TEXT NOT NULL UNIQUE, name VARCHAR(100) NOT NULL, description VARCHAR(255),"
    " sort INTEGER NOT NULL, status INTEGER NOT NULL, show INTEGER NOT NULL, light VARCHAR(20),"
    " dark VARCHAR(20), pinned_opened INTEGER NOT NULL, hidden_opened INTEGER NOT NULL, more TEXT,"
    f" version VARCHAR(30) NOT NULL, finish_time VARCHAR(30), {_MADE},"
    " UNIQUE(name, project_id), UNIQUE(sort, project_id))",
    "chart(id INTEGER NOT NULL PRIMARY KEY, experiment_id INTEGER, project_id INTEGER,"
    " name VARCHAR(100) NOT NULL, description VARCHAR(255), system INTEGER NOT NULL,"
    " type VARCHAR(10) NOT NULL, reference VARCHAR(10) NOT NULL, status INTEGER NOT NULL,"
    f" sort INTEGER, config TEXT, more TEXT, {_MADE},"
    " UNIQUE(name, experiment_id), UNIQUE(name, project_id))",
    "namespace(id INTEGER NOT NULL PRIMARY KEY, experiment_id INTEGER, project_id INTEGER,"
    " name VARCHAR(100) NOT NULL, description VARCHAR(255), sort INTEGER NOT NULL,"
    f" opened INTEGER NOT NULL, more TEXT, {_MADE},"
    " UNIQUE(name, experiment_id), UNIQUE(name, project_id))",
    "display(id INTEGER NOT NULL PRIMARY KEY, chart_id INTEGER NOT NULL,"
    " namespace_id INTEGER NOT NULL, sort INTEGER NOT NULL, more TEXT,"
    f" {_MADE}, UNIQUE(chart_id, namespace_id))",
    "tag(id INTEGER NOT NULL PRIMARY KEY, experiment_id INTEGER NOT NULL,"
    " name VARCHAR(255) NOT NULL, folder VARCHAR(255), type VARCHAR(10) NOT NULL,"
    " description VARCHAR(100), system INTEGER NOT NULL, sort INTEGER NOT NULL, more TEXT,"
    f" {_MADE}, UNIQUE(name, experiment_id))",
    "source(id INTEGER NOT NULL PRIMARY KEY, tag_id INTEGER NOT NULL, chart_id INTEGER NOT NULL,"
    f" sort INTEGER NOT NULL, error TEXT, more TEXT, {_MADE}, UNIQUE(tag_id, chart_id))",
)
_STATUS: Final = {"finished": 1, "running": 0, "unknown": 1}
_COLOR: Final = "#528d59"
_VERSION: Final = "0.1.10b2"
_PATIENCE_SECONDS: Final = 60.0
_NUMBER: Final = re.compile(r"-\d+$")


_ALL: Final = "*"


def list_in_dashboard(
    swanlog: Path, folder: str, run: Run, project: str, tags: Sequence[Tag]
) -> None:
    """List a run, in place of what was listed under its folder's name."""
    with _transaction(swanlog) as database:
        for table in _TABLES:
            database.execute(f"CREATE TABLE IF NOT EXISTS {table}")
        _Listing(database, run).put(folder, project, tags)


def add_in_dashboard(swanlog: Path, folder: str, run: Run, label: str, tags: Sequence[Tag]) -> None:
    """Add a run's keys to a folder's experiment, in place of those whose folders have the label."""
    with _transaction(swanlog) as database:
        found = experiment_of(database, folder)
        if found is None:
            raise Declined(
                "SwanLab's dashboard does not list this run any more",
                where=str(swanlog / folder),
                hint="run the command again",
            )
        rows = _Listing(database, run)
        rows.forget_keys(found[0], f"{label}{_ALL}")
        rows.put_keys(*found, tags)


def other_names(swanlog: Path, folder: str, label: str) -> set[str] | None:
    """Keys of a folder's experiment whose folders lack the label; None where it is not listed."""
    if not (swanlog / DATABASE).is_file():
        return None
    with _transaction(swanlog, "DEFERRED") as database:
        found = experiment_of(database, folder)
        if found is None:
            return None
        query = "SELECT name FROM tag WHERE experiment_id = ? AND folder NOT GLOB ?"
        return {name for (name,) in database.execute(query, (found[0], f"{label}{_ALL}"))}


@contextmanager
def _transaction(swanlog: Path, how: str = "IMMEDIATE") -> Iterator[sqlite3.Connection]:
    """All of what is done in it, or nothing. Raises Declined where the database cannot be had."""
    path = swanlog / DATABASE
    try:
        with closing(
            sqlite3.connect(path, timeout=_PATIENCE_SECONDS, isolation_level=None)
        ) as database:
            database.execute(f"BEGIN {how}")
            yield database
            database.execute("COMMIT")
    except sqlite3.Error as error:
        raise Declined(
            f"the database of SwanLab's dashboard: {error}",
            where=str(path),
            hint="stop what holds it, or bring it back; then run the command again",
        ) from error


def experiment_of(database: sqlite3.Connection, folder: str) -> tuple[int, int] | None:
    """The experiment of a folder, and its project; None where none is listed."""
    query = "SELECT id, project_id FROM experiment WHERE run_id = ?"
    row = database.execute(query, (folder,)).fetchone()
    return None if row is None else (int(row[0]), int(row[1]))


class _Listing:
    def __init__(self, database: sqlite3.Connection, run: Run) -> None:
        self._database = database
        self._run = run
        begun = run.started_ns if run.started_ns is not None else run.created_ns or 0
        self._made = str(rfc3339(begun))

    def put(self, folder: str, project: str, tags: Sequence[Tag]) -> None:
        """An experiment, anew."""
        self._forget(folder)
        project_id = self._project(project)
        self.put_keys(self._experiment(project_id, folder), project_id, tags)

    # --- keys -------------------------------------------------------------------------------------

    def put_keys(self, experiment: int, project: int, tags: Sequence[Tag]) -> None:
        """Keys behind those that are there, with a chart of each."""
        space = self._space(experiment_id=experiment)
        is_compared = self._one("SELECT charts FROM project WHERE id = ?", project)
        for tag in tags:
            chart = self._chart(tag, space, 1, experiment_id=experiment)
            place = self._behind("tag", experiment_id=experiment)
            found = self._insert(
                "tag", experiment_id=experiment, name=tag.key, folder=tag.folder, type=tag.kind,
                description="", system=0, sort=place,
            )  # fmt: skip
            self._insert("source", tag_id=found, chart_id=chart, sort=0)
            if is_compared:  # else it makes all of them when they are asked for
                self._compare(found, tag, project)

    def _compare(self, found: int, tag: Tag, project: int) -> None:
        """Have a key in the project's own chart of that name (`add_multi_chart`)."""
        query = "SELECT id, type FROM chart WHERE project_id = ? AND name = ?"
        chart, kind = self._database.execute(query, (project, tag.key)).fetchone() or (0, tag.kind)
        if kind != tag.kind:
            return
        chart = chart or self._chart(tag, self._space(project_id=project), 0, project_id=project)
        place = self._behind("source", chart_id=chart)
        self._insert("source", tag_id=found, chart_id=chart, sort=place)

    def forget_keys(self, experiment: int, folders: str) -> None:
        """Take away the keys in folders that are named so, and charts that have nothing then."""
        mine = "SELECT id FROM tag WHERE experiment_id = ? AND folder GLOB ?"
        which = (experiment, folders)
        shown = self._database.execute(
            f"SELECT DISTINCT chart_id FROM source WHERE tag_id IN ({mine})", which
        ).fetchall()
        self._database.execute(f"DELETE FROM source WHERE tag_id IN ({mine})", which)
        self._database.execute(f"DELETE FROM tag WHERE id IN ({mine})", which)
        for (chart,) in shown:
            if self._one("SELECT id FROM source WHERE chart_id = ?", chart) is None:
                self._database.execute("DELETE FROM display WHERE chart_id = ?", (chart,))
                self._database.execute("DELETE FROM chart WHERE id = ?", (chart,))
        query = "SELECT id FROM tag WHERE experiment_id = ? ORDER BY sort, id"
        left = self._database.execute(query, (experiment,)).fetchall()
        for place, (tag,) in enumerate(left):
            self._database.execute("UPDATE tag SET sort = ? WHERE id = ?", (place, tag))

    def _chart(self, tag: Tag, space: int, system: int, **whose: int) -> int:
        chart = self._insert(
            "chart", name=tag.key, system=system, type=tag.kind, reference="step", status=0, **whose
        )
        place = self._behind("display", namespace_id=space)
        self._insert("display", chart_id=chart, namespace_id=space, sort=place)
        return chart

    def _space(self, **whose: int) -> int:
        """The one namespace that SwanLab's client makes."""
        ((owner, number),) = whose.items()
        query = f"SELECT id FROM namespace WHERE {owner} = ? AND name = 'default'"
        found = self._one(query, number)
        return found or self._insert("namespace", name="default", sort=0, opened=1, **whose)

    def _behind(self, table: str, **whose: int) -> int:
        """The next place in an order."""
        ((owner, number),) = whose.items()
        last = self._one(f"SELECT max(sort) FROM {table} WHERE {owner} = ?", number)
        return 0 if last is None else last + 1

    # --- rows -------------------------------------------------------------------------------------

    def _insert(self, table: str, **values: object) -> int:
        """A row of our own words; columns are names in this module."""
        values |= {"create_time": self._made, "update_time": self._made}
        marks = ", ".join("?" * len(values))
        done = self._database.execute(
            f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})", tuple(values.values())
        )
        return int(done.lastrowid or 0)

    def _one(self, query: str, *values: object) -> int | None:
        row = self._database.execute(query, values).fetchone()
        return None if row is None or row[0] is None else int(row[0])

    def _project(self, name: str) -> int:
        """The one project that the dashboard has, which is the first."""
        found = self._one("SELECT min(id) FROM project")
        if found is not None:
            self._database.execute(
                "UPDATE project SET sum = coalesce(sum, 0) + 1 WHERE id = ?", (found,)
            )
            return found
        return self._insert(
            "project", name=name, sum=1, charts=0, pinned_opened=1, hidden_opened=0, more="",
            version=_VERSION,
        )  # fmt: skip

    def _experiment(self, project_id: int, folder: str) -> int:
        run, name = self._run, (self._run.name or self._run.key.run_id)[:90]
        copies, free = 0, name
        while self._one(
            "SELECT id FROM experiment WHERE name = ? AND project_id = ?", free, project_id
        ):
            copies += 1
            free = f"{_NUMBER.sub('', name)}-{copies}"
        last = self._one("SELECT max(sort) FROM experiment WHERE project_id = ?", project_id)
        ended = None if run.ended_ns is None else rfc3339(run.ended_ns)
        return self._insert(
            "experiment", project_id=project_id, run_id=folder, name=free,
            description=(run.notes or "")[:255], sort=(last or 0) + 1,
            status=_STATUS.get(run.state, -1), show=1, light=_COLOR, dark=_COLOR, pinned_opened=1,
            hidden_opened=0, more="", version=_VERSION, finish_time=ended,
        )  # fmt: skip

    def _forget(self, folder: str) -> None:
        found = experiment_of(self._database, folder)
        if found is None:
            return
        known = found[0]
        self.forget_keys(known, _ALL)
        self._database.execute("DELETE FROM namespace WHERE experiment_id = ?", (known,))
        self._database.execute("DELETE FROM experiment WHERE id = ?", (known,))
        self._database.execute("UPDATE project SET sum = sum - 1")

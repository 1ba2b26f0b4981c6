"""`runs.swanlab`: the experiments that SwanLab's local dashboard lists (swanboard 0.1.10b2).

The tables are those that its own models make (`swanboard/db/models`); of their indices only those
that keep what is there once.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

from runferry.dialects.swanlab.names import DATABASE
from runferry.dialects.times import rfc3339
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


def list_in_dashboard(
    swanlog: Path, folder: str, run: Run, project: str, tags: Sequence[Tag]
) -> None:
    """List a run, in place of what was listed under its folder's name."""
    path = swanlog / DATABASE
    with closing(
        sqlite3.connect(path, timeout=_PATIENCE_SECONDS, isolation_level=None)
    ) as database:
        database.execute("BEGIN IMMEDIATE")
        for table in _TABLES:
            database.execute(f"CREATE TABLE IF NOT EXISTS {table}")
        _Listing(database, run, folder).put(project, tags)
        database.execute("COMMIT")


class _Listing:
    def __init__(self, database: sqlite3.Connection, run: Run, folder: str) -> None:
        self._database = database
        self._run = run
        self._folder = folder
        begun = run.started_ns if run.started_ns is not None else run.created_ns or 0
        self._made = str(rfc3339(begun))

    def put(self, project: str, tags: Sequence[Tag]) -> None:
        self._forget()
        project_id = self._project(project)
        experiment = self._experiment(project_id)
        space = self._insert(
            "namespace", experiment_id=experiment, name="default", sort=0, opened=1
        )
        for place, tag in enumerate(tags):
            chart = self._insert(
                "chart", experiment_id=experiment, name=tag.key, system=1, type=tag.kind,
                reference="step", status=0,
            )  # fmt: skip
            self._insert("display", chart_id=chart, namespace_id=space, sort=place)
            found = self._insert(
                "tag", experiment_id=experiment, name=tag.key, folder=tag.folder, type=tag.kind,
                description="", system=0, sort=place,
            )  # fmt: skip
            self._insert("source", tag_id=found, chart_id=chart, sort=0)

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

    def _experiment(self, project_id: int) -> int:
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
            "experiment", project_id=project_id, run_id=self._folder, name=free,
            description=(run.notes or "")[:255], sort=(last or 0) + 1,
            status=_STATUS.get(run.state, -1), show=1, light=_COLOR, dark=_COLOR, pinned_opened=1,
            hidden_opened=0, more="", version=_VERSION, finish_time=ended,
        )  # fmt: skip

    def _forget(self) -> None:
        known = self._one("SELECT id FROM experiment WHERE run_id = ?", self._folder)
        if known is None:
            return
        charts = "(SELECT id FROM chart WHERE experiment_id = ?)"
        tags = "(SELECT id FROM tag WHERE experiment_id = ?)"
        for query in (
            f"DELETE FROM display WHERE chart_id IN {charts}",
            f"DELETE FROM source WHERE tag_id IN {tags}",
            "DELETE FROM chart WHERE experiment_id = ?",
            "DELETE FROM tag WHERE experiment_id = ?",
            "DELETE FROM namespace WHERE experiment_id = ?",
            "DELETE FROM experiment WHERE id = ?",
        ):
            self._database.execute(query, (known,))
        self._database.execute("UPDATE project SET sum = sum - 1")

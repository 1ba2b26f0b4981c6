"""Databases of others are read as they lie: nothing is left beside them, and no right is needed."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import neptune_scales
import pytest
from trackio_databases import database as trackio_database

from runferry.chunks import Chunk, Points
from runferry.ports import Location, ReadOptions
from runferry.registry import reader
from runferry.writers.mlflow.created import create_database

Made = tuple[Path, str, str]
"""The database, and what is read: a tracker's name and a location."""


def trackio(home: Path) -> Made:
    return trackio_database(home / "p.db", 5), "trackio", str(home)


def neptune_scale(home: Path) -> Made:
    return neptune_scales.database(home, []), "neptune", str(home)


def mlflow(home: Path) -> Made:
    path = home / "mlflow.db"
    create_database(path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "INSERT INTO runs (run_uuid, name, status, start_time, lifecycle_stage, experiment_id)"
            " VALUES ('r1', 'one', 'FINISHED', 1700000000000, 'active', 0)"
        )
    return path, "mlflow", f"sqlite:///{path}"


def aim(home: Path) -> Made:
    (home / ".aim" / "meta").mkdir(parents=True)
    path = home / ".aim" / "run_metadata.sqlite"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(
            "CREATE TABLE experiment (id INTEGER, name TEXT);"
            "CREATE TABLE run (id INTEGER, hash TEXT, name TEXT, description TEXT, created_at TEXT,"
            " finalized_at TEXT, is_archived BOOLEAN, experiment_id INTEGER);"
            "INSERT INTO run VALUES (1, 'abc', 'one', '', '2024-01-01 00:00:00', NULL, 0, NULL)"
        )
    return path, "aim", str(home)


def swanlab(home: Path) -> Made:
    run = home / "run-20231114_221320-abc"
    (run / "files").mkdir(parents=True)
    (run / "logs" / "loss").mkdir(parents=True)
    row = '{"index": 0, "data": 0.5, "create_time": "2023-11-14T22:13:20+00:00"}\n'
    (run / "logs" / "loss" / "10.log").write_text(row)
    path = home / "runs.swanlab"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(
            "CREATE TABLE project (id INTEGER, name TEXT);"
            "CREATE TABLE experiment (id INTEGER, project_id INTEGER, run_id TEXT, name TEXT,"
            " description TEXT, create_time TEXT, finish_time TEXT, status INTEGER, version TEXT);"
            "CREATE TABLE tag (id INTEGER, experiment_id INTEGER, name TEXT, type TEXT, folder TEXT"
            "); INSERT INTO project VALUES (1, 'p');"
            "INSERT INTO experiment VALUES"
            " (1, 1, 'run-20231114_221320-abc', 'one', '', '2023-11-14', '', 1, '0.3')"
        )
    return path, "swanlab", str(home)


MAKERS = pytest.mark.parametrize("make", [trackio, neptune_scale, mlflow, aim, swanlab])
STATES = pytest.mark.parametrize("state", ["locked", "at rest", "with a log"])


def leave(path: Path, state: str) -> None:
    """As a writer leaves it: without a write-ahead log, with an empty one, or killed."""
    if state == "locked":
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA journal_mode=DELETE")
        return
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
    if state == "at rest":
        return
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA wal_autocheckpoint=0")
        connection.execute("CREATE TABLE of_the_log (a INTEGER)")
        connection.commit()
        for name in (path.name, f"{path.name}-wal"):
            shutil.copyfile(path.with_name(name), path.with_name(f"{name}.left"))
    for name in (f"{path.name}-wal", path.name):
        path.with_name(f"{name}.left").replace(path.with_name(name))


def read(tracker: str, where: str) -> list[tuple[str | None, list[Chunk]]]:
    options: dict[str, Any] = {}
    source = reader(tracker).open(Location(tracker, where), ReadOptions(**options))
    try:
        return [(run.name, list(source.read(run))) for run in source.runs()]
    finally:
        source.close()


def lying(home: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in home.rglob("*") if path.is_file()}


@MAKERS
@STATES
def test_reading_a_database_leaves_its_folder_as_it_was(
    make: Callable[[Path], Made], state: str, tmp_path: Path
) -> None:
    path, tracker, where = make(tmp_path)
    leave(path, state)
    before = lying(tmp_path)
    found = read(tracker, where)
    assert len(found) == 1
    assert lying(tmp_path) == before


@MAKERS
@STATES
@pytest.mark.usefixtures("modes_hold")
def test_a_database_in_a_folder_that_nobody_may_write_to_is_read(
    make: Callable[[Path], Made], state: str, tmp_path: Path
) -> None:
    (tmp_path / "home").mkdir()
    path, tracker, where = make(tmp_path / "home")
    leave(path, state)
    folders = [folder for folder in (tmp_path / "home").rglob("*") if folder.is_dir()]
    folders.append(tmp_path / "home")
    for folder in folders:
        folder.chmod(0o555)
    try:
        found = read(tracker, where)
    finally:
        for folder in folders:
            folder.chmod(0o755)
    assert len(found) == 1
    points = sum(chunk.batch.num_rows for chunk in found[0][1] if isinstance(chunk, Points))
    assert points == {"trackio": 10, "swanlab": 1}.get(tracker, 0)

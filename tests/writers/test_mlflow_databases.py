"""What a database refuses is said, a new one is made in one step, and places are spelled as MLflow
spells them."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from mlflow.utils.uri import append_to_uri_path
from tests.writers.mlflow_runs import chunks, header, push

from runferry import settings
from runferry.dialects.mlflow.located import above, below
from runferry.dialects.mlflow.points import NativePoints
from runferry.dialects.mlflow.server import Server
from runferry.errors import Locked, Refused
from runferry.ports import Location, ReadOptions
from runferry.readers.mlflow import MlflowReader
from runferry.writers.mlflow import MlflowWriter, created
from runferry.writers.mlflow.backend import Batch
from runferry.writers.mlflow.sqlite import SqliteBackend

URIS = ["/x/mlruns/0", "x/0", "s3://b/p/0", "s3://b/0?region=eu&x=1", "gs://b/p/0#part",
        "file:///x/0", "file:x/0", "mlflow-artifacts:/0", "wasbs://c@a.net/p/0?sig=a/b",
        "/a?b/0", "dbfs:/x/0/"]  # fmt: skip


@pytest.mark.parametrize("uri", URIS)
def test_a_place_below_another_is_spelled_as_the_vendor_spells_it(uri: str) -> None:
    assert below(uri, "r1", "artifacts") == append_to_uri_path(uri, "r1", "artifacts")
    root = above(uri, "0")
    assert root is None or below(root, "0") == uri


@pytest.mark.parametrize("row", [("loss", None, 0), ("loss", 1.0, 7)])
def test_a_row_that_the_tables_forbid_is_refused_and_not_left_out(
    row: tuple[str, float | None, int], database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = MlflowWriter.open(Location("mlflow", f"sqlite:///{database}"))
    remote = push(writer, header(), [], seal=False)
    writer.close()
    key, value, is_nan = row
    one = np.zeros(1, np.int64)
    backend = SqliteBackend(database)
    points = NativePoints([key], one, one, one, np.array([value], object), one + is_nan)
    with pytest.raises(Refused, match="constraint"):
        backend.log(remote, Batch(points=points))
    backend.close()


FAILS = "raise SystemExit('no space for it')"
HANGS = "import time; time.sleep(60)"


@pytest.mark.parametrize(("code", "says"), [(FAILS, "no space for it"), (HANGS, "did not end")])
def test_a_database_that_cannot_be_made_says_why_and_leaves_nothing(
    code: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(created, "_APART", code)
    monkeypatch.setattr(created, "_PATIENCE_SECONDS", 0.5)
    with pytest.raises(Refused, match=says):
        created.create_database(tmp_path / "runs.db")
    assert list(tmp_path.iterdir()) == []


def lines_of(database: Path) -> list[str]:
    """What makes the database: SQLAlchemy's order of constraints and indexes is no fixed one."""
    with closing(sqlite3.connect(database)) as connection:
        dumped = "\n".join(connection.iterdump())
    made = re.sub(r"\d{13}", "WHEN", dumped).replace(str(database.parent), "HERE")
    return sorted(line.rstrip(",") for line in made.splitlines())


def test_the_databases_that_tests_copy_are_those_that_the_vendor_makes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("copied", "made"):
        created.create_database(tmp_path / name / "runs.db")
        monkeypatch.setattr(created, "_APART", f"{created._APART}\n")
    assert lines_of(tmp_path / "copied" / "runs.db") == lines_of(tmp_path / "made" / "runs.db")


def test_a_run_that_is_discarded_leaves_no_artifacts_wherever_it_is_cut(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = MlflowWriter.open(Location("mlflow", f"sqlite:///{database}"))
    remote = push(writer, header(), chunks(), seal=False)

    def cut(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as killed:
        killed.setattr(SqliteBackend, "delete", cut)
        with pytest.raises(KeyboardInterrupt):
            writer.discard(remote)
    assert writer.find(header().uid) == remote
    writer.discard(remote)
    assert writer.find(header().uid) is None
    assert not list((database.parent / "mlruns").rglob("artifacts"))
    writer.close()


def test_experiments_are_listed_once_for_all_runs(
    served: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    post = Server.post

    def counting(self: Server, path: str, *rest: object, **options: object) -> object:
        asked.append(path)
        return post(self, path, *rest, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Server, "post", counting)
    writer = MlflowWriter.open(Location("mlflow", served[0]))
    other = MlflowWriter.open(Location("mlflow", served[0]))
    runs = [header(f"listed-{number}", project="made later") for number in range(3)]
    remotes = [push(writer, run, []) for run in runs]
    assert asked.count("/experiments/search") == 2  # each writer once
    assert [writer.find(run.uid) for run in runs] == remotes
    # another process that began before: the run is not begun twice
    assert other.create(runs[0], runs[0].uid) == remotes[0]
    writer.close()
    other.close()


def test_a_database_that_another_process_locked_is_said_to_be_after_the_patience(
    database: Path,
) -> None:
    where = Location("mlflow", f"sqlite:///{database}")
    holder = sqlite3.connect(database, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    settings.install(settings.Settings(patience=0.1))
    began = time.monotonic()
    try:
        for opened in (
            lambda: MlflowWriter.open(where),
            lambda: MlflowReader.open(where, ReadOptions()),
        ):
            with pytest.raises(Locked, match="locked by another process") as failure:
                opened()
            assert "close the program" in failure.value.hint
    finally:
        settings.install(None)
        holder.close()
    assert time.monotonic() - began < 30  # what is not told to be impatient waits 300
    assert MlflowReader.recognises(database)


MAKES = """
import sys; from pathlib import Path
from runferry.writers.mlflow import created
created._APART = "import sys; print(1); sys.stdout.flush(); import time; time.sleep(60)"
created.create_database(Path(sys.argv[1]))
"""


def aged(folder: Path) -> None:
    for path in folder.glob(".runferry-making-*"):
        os.utime(path, (1, 1))


def test_what_a_killed_maker_left_is_removed_and_what_a_living_one_has_is_not(
    tmp_path: Path, empty_database: Path
) -> None:
    path = tmp_path / "runs.db"
    maker = subprocess.Popen(
        [sys.executable, "-c", MAKES, str(path)],
        env=os.environ | {"PYTHONPATH": ":".join(sys.path)},
    )
    try:
        while not list(tmp_path.glob(".runferry-making-*/lock.db-journal")):
            time.sleep(0.05)
            assert maker.poll() is None
        aged(tmp_path)
        created.remove_abandoned(tmp_path)
        assert len(list(tmp_path.iterdir())) == 1
    finally:
        maker.kill()
        maker.wait()
    aged(tmp_path)
    created.remove_abandoned(tmp_path)
    assert list(tmp_path.iterdir()) == []

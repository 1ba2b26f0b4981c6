"""What SwanLab's local dashboard finds: its database, and its files of values.

`swanlab watch` needs older packages than the rest: tests/packaging/test_swanlab_watched.py asks it.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from neptune_runs import wandb_run
from tests.readers.run_folders import gather_one

from runferry import settings
from runferry.ports import Location
from runferry.readers.swanlab.reader import SwanlabReader
from runferry.testing.recording import Sample
from runferry.testing.writer_laws import numbered
from runferry.writers.swanlab import SwanlabWriter


@pytest.fixture(autouse=True)
def for_the_dashboard() -> Iterator[None]:
    before = settings.current()
    settings.install(settings.Settings(swanlab_dashboard=True))
    yield
    settings.install(before)


def put(where: Path, *samples: Sample) -> None:
    writer = SwanlabWriter.open(Location("swanlab", str(where)))
    for sample in samples:
        remote = writer.create(sample.run, sample.run.uid)
        for number, chunk in numbered(sample):
            writer.append(remote, number, chunk)
        writer.seal(remote, sample.run)
    writer.close()


def rows(where: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(where / "runs.swanlab")) as database:
        return database.execute(query).fetchall()


def test_every_run_is_an_experiment_of_the_one_project(tmp_path: Path) -> None:
    put(tmp_path, wandb_run("one"), wandb_run("two", "another"))
    assert rows(tmp_path, "SELECT name, sum FROM project") == [("example_project", 2)]
    listed = rows(tmp_path, "SELECT run_id, name, status, create_time, finish_time FROM experiment")
    begun, ended = "2023-11-14T22:13:20Z", "2023-11-14T22:14:20Z"
    assert listed == [
        ("run-20231114_221320-one", "fluffy-cloud-1", 1, begun, ended),
        ("run-20231114_221320-two", "fluffy-cloud-2", 1, begun, ended),
    ]


def test_a_run_that_is_written_again_is_listed_once(tmp_path: Path) -> None:
    put(tmp_path, wandb_run("one"))
    put(tmp_path, wandb_run("one"))
    assert rows(tmp_path, "SELECT count(*) FROM experiment") == [(1,)]
    assert rows(tmp_path, "SELECT count(*), count(DISTINCT chart_id) FROM source") == [(5, 5)]
    assert rows(tmp_path, "SELECT sum FROM project") == [(1,)]


def test_its_files_hold_the_values_steps_and_texts(tmp_path: Path) -> None:
    """Read as the layout of old clients, which it is."""
    put(tmp_path / "out", wandb_run("one"))
    kinds = dict(rows(tmp_path / "out", "SELECT name, type FROM tag"))
    assert kinds == {
        "train/loss": "line", "_runtime": "line", "__swanlab__.system.cpu": "line",
        "note": "text", "image": "image",
    }  # fmt: skip
    (home,) = (tmp_path / "out").glob("run-*")
    (home / "run-one.swanlab").unlink()
    shutil.rmtree(tmp_path / "out" / "runferry")
    found = gather_one(SwanlabReader, tmp_path / "out")
    assert found.series("train/loss") == [(0, 1.0), (10, 0.5), (20, 1 / 3)]
    assert found.texts("note") == [(0, "step 0"), (10, "step 1"), (20, "step 2")]
    assert found.run.name == "fluffy-cloud-1"
    assert not found.losses


def test_where_runs_are_compared_a_run_that_comes_is_too_and_no_chart_is_left_empty(
    tmp_path: Path,
) -> None:
    """The dashboard makes those charts once, and fails at one of them that shows nothing."""
    put(tmp_path, wandb_run("one"))
    with closing(sqlite3.connect(tmp_path / "runs.swanlab")) as database, database:
        database.execute("UPDATE project SET charts = 1")
    for run in (wandb_run("two", "another"), wandb_run("one"), wandb_run("two", "another")):
        put(tmp_path, run)
    compared = rows(
        tmp_path,
        "SELECT chart.name, count(source.id) FROM chart LEFT JOIN source ON chart_id = chart.id"
        " WHERE chart.project_id = 1 GROUP BY chart.id",
    )
    assert compared
    assert {count for _, count in compared} == {2}

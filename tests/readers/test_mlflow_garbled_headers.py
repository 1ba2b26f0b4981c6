"""A cell of one run's header that means nothing is that run's loss: every run is listed."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from mlflow_read import reading
from tests.writers.conftest import database, empty_database  # noqa: F401

from runferry.archive.store import Archive
from runferry.chunks import Lost, Points
from runferry.ports import Location
from runferry.readers.mlflow import MlflowReader, sqlite
from runferry.transfer.pull import pull

NO_UTF8 = "CAST(x'fffe' AS TEXT)"
BYTES = "x'fffe'"


@pytest.fixture
def three(database: Path) -> Path:  # noqa: F811
    """Three runs with a tag, a param and a metric each; `r2` is to be garbled."""
    with closing(sqlite3.connect(database)) as connection:
        for run in ("r1", "r2", "r3"):
            for statement in (
                "INSERT INTO runs (run_uuid, name, status, start_time, lifecycle_stage,"
                f" experiment_id) VALUES ('{run}', 'n', 'FINISHED', 1700000000000, 'active', 0)",
                f"INSERT INTO tags (key, value, run_uuid) VALUES ('a', 'b', '{run}')",
                f"INSERT INTO params (key, value, run_uuid) VALUES ('lr', '1', '{run}')",
                "INSERT INTO metrics (key, value, timestamp, run_uuid, step, is_nan)"
                f" VALUES ('loss', 0.5, 1, '{run}', 0, 0)",
            ):
                connection.execute(statement)
        connection.commit()
    return database


def garble(path: Path, table: str, column: str, cell: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"UPDATE {table} SET {column} = {cell} WHERE run_uuid = 'r2'")
        connection.commit()


@pytest.fixture
def reader(three: Path) -> Iterator[MlflowReader]:
    with reading(three) as opened:
        yield opened


@pytest.mark.parametrize(
    ("table", "column", "cell", "where"),
    [
        ("runs", "start_time", "'yesterday'", "runs.start_time"),
        ("runs", "end_time", "1e300", "runs.end_time"),
        ("runs", "artifact_uri", BYTES, "runs.artifact_uri"),
        ("runs", "name", NO_UTF8, "runs.name"),
        ("tags", "key", NO_UTF8, "tags.key"),
        ("tags", "value", BYTES, "tags.a"),
        ("params", "value", NO_UTF8, "params.lr"),
    ],
)
def test_a_garbled_cell_is_told_of_its_run_and_all_runs_come(
    three: Path, reader: MlflowReader, table: str, column: str, cell: str, where: str
) -> None:
    garble(three, table, column, cell)
    runs = list(reader.runs())
    assert [run.key.run_id for run in runs] == ["r1", "r2", "r3"]
    for run in runs:
        found = list(reader.read(run))
        losses = [chunk.loss for chunk in found if isinstance(chunk, Lost)]
        told = {loss.where for loss in losses if loss.code == "damaged-header"}
        assert told == ({where} if run.key.run_id == "r2" else set())
        assert any(isinstance(chunk, Points) for chunk in found)


def test_a_run_whose_id_is_garbled_fails_and_the_others_come(three: Path, tmp_path: Path) -> None:
    garble(three, "runs", "run_uuid", BYTES)
    archive = Archive.open(tmp_path / "archive", create=True)
    report = pull(Location("mlflow", f"sqlite:///{three}"), archive, reserve_bytes=0)
    assert {record.run.key.run_id for record in archive.records()} == {"r1", "r3"}
    (failure,) = report.failures
    assert "no run b'\\xff\\xfe'" in (failure.error or "")


def test_a_fault_of_ours_is_not_told_as_damage_of_the_file(
    reader: MlflowReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    def faulty(*_: object) -> None:
        raise TypeError("a fault of ours")

    (run, *_) = reader.runs()
    monkeypatch.setattr(sqlite, "beyond_runs", faulty)
    with pytest.raises(TypeError, match="a fault of ours"):
        list(reader.read(run))

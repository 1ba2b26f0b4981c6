"""A database that others write to while it is listed and read."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from tests.writers.conftest import database, empty_database  # noqa: F401

from runferry.chunks import Checkpoint
from runferry.ports import Location, ReadOptions
from runferry.readers.mlflow import MlflowReader


def begun(path: Path, *names: str) -> None:
    """Runs with nothing in them."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executemany(
            "INSERT INTO runs (run_uuid, name, status, start_time, lifecycle_stage, experiment_id)"
            " VALUES (?, 'one', 'RUNNING', 1700000000000, 'active', 0)",
            [(name,) for name in names],
        )
        connection.commit()


def test_a_reader_reads_while_it_lists_however_often_others_have_written(
    database: Path,  # noqa: F811
) -> None:
    begun(database, "r1", "r2")
    where = Location("mlflow", f"sqlite:///{database}")
    with closing(MlflowReader.open(where, ReadOptions())) as reader:
        for count in (2, 3, 4):
            last = [list(reader.read(run))[-1] for run in reader.runs()]
            assert len(last) == count
            assert all(isinstance(chunk, Checkpoint) for chunk in last)
            begun(database, f"r{count + 1}")

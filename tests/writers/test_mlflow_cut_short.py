"""A database whose writer was killed within a transaction is what it was before that."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from runferry.ports import Location, ReadOptions
from runferry.readers.mlflow import MlflowReader

_RUN = "INSERT INTO runs (run_uuid, name, status, experiment_id, lifecycle_stage) VALUES"


def test_a_writer_that_was_killed_leaves_what_was_there_before(
    database: Path, tmp_path: Path
) -> None:
    path, killed = database, tmp_path / "killed" / database.name
    killed.parent.mkdir()
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute(f"{_RUN} ('{'a' * 32}', 'whole', 'FINISHED', 0, 'active')")
        writer.execute("PRAGMA cache_size = 1")
        writer.execute("BEGIN")
        writer.execute(f"{_RUN} ('{'b' * 32}', 'half', 'RUNNING', 0, 'active')")
        writer.execute("CREATE TABLE filler (content)")
        writer.executemany("INSERT INTO filler VALUES (zeroblob(?))", [(4000,)] * 500)
        for found in sorted(path.parent.glob(f"{path.name}*")):
            shutil.copy(found, killed.parent)
    before = {file.name: file.read_bytes() for file in killed.parent.iterdir()}
    assert len(before[f"{path.name}-journal"]) > 512
    reader = MlflowReader.open(Location("mlflow", f"sqlite:///{killed}"), ReadOptions())
    assert [run.name for run in reader.runs()] == ["whole"]
    reader.close()
    assert {file.name: file.read_bytes() for file in killed.parent.iterdir()} == before

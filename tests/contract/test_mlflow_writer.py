"""The writer contract, kept by MLflow's writer: into sqlite in bulk, and to a server."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest

from runferry.ports import Location
from runferry.readers.mlflow import MlflowReader
from runferry.testing.recording import Sample
from runferry.testing.samples import all_samples
from runferry.testing.writer_contract import WriterContract
from runferry.writers.mlflow import MlflowWriter


class TestSqlite(WriterContract):
    writer = MlflowWriter
    reader = MlflowReader
    samples: ClassVar[tuple[Sample, ...]] = all_samples(keys=300)

    @pytest.fixture
    def destination(self, tmp_path: Path) -> Location:
        return self.database(tmp_path / "store" / "runs.db")

    @staticmethod
    def database(path: Path) -> Location:
        path.parent.mkdir(exist_ok=True)
        return Location("mlflow", f"sqlite:///{path}")

    @staticmethod
    def path_of(where: Location) -> Path:
        return Path(where.where.removeprefix("sqlite:///"))

    def owned(self, destination: Location) -> tuple[Path, ...]:
        return (self.path_of(destination).parent,)

    def unavailable(self, tmp_path: Path) -> Iterator[Location]:
        (tmp_path / "not-a-database.db").write_text("hello, I am a text file, not a database")
        yield self.database(tmp_path / "not-a-database.db")
        other = sqlite3.connect(tmp_path / "other.db")
        other.execute("create table experiments (something text)")
        other.close()
        yield self.database(tmp_path / "other.db")
        yield replace(self.database(tmp_path / "x.db"), where="sqlite:////proc/nowhere/runs.db")

    def add_foreign(self, destination: Location) -> None:
        import mlflow

        client = mlflow.MlflowClient(tracking_uri=destination.where)
        store = self.path_of(destination).parent
        experiment = client.create_experiment("theirs", artifact_location=f"file://{store}/theirs")
        run = client.create_run(experiment)
        client.log_metric(run.info.run_id, "loss", 0.5, step=1, timestamp=1_700_000_000_000)
        client.log_param(run.info.run_id, "lr", 0.1)
        client.set_terminated(run.info.run_id)

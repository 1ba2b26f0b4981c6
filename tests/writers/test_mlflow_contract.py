"""The contract of every writer, kept by the one into MLflow's sqlite."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from runferry.ports import Location, RemoteId
from runferry.readers.mlflow import MlflowReader
from runferry.testing.writer_contract import WriterContract
from runferry.writers.mlflow import MlflowWriter


class TestMlflow(WriterContract):
    writer = MlflowWriter
    reader = MlflowReader

    @pytest.fixture
    def destination(self, database: Path) -> Location:
        return Location("mlflow", f"sqlite:///{database}")

    def owned(self, destination: Location) -> tuple[Path, ...]:
        path = Path(destination.where.removeprefix("sqlite:///"))
        return (path, path.parent / "mlruns")

    def remove(self, destination: Location, remote: RemoteId) -> None:
        from mlflow import MlflowClient

        MlflowClient(tracking_uri=destination.where).delete_run(remote)

    def unavailable(self, tmp_path: Path) -> Iterator[Location]:
        (tmp_path / "file.db").write_text("not a database")
        yield Location("mlflow", f"sqlite:///{tmp_path}/file.db")
        yield Location("mlflow", f"sqlite:///{tmp_path}/file.db/below.db")
        yield Location("mlflow", str(tmp_path / "mlruns"))

    def add_foreign(self, destination: Location) -> None:
        from mlflow import MlflowClient

        client = MlflowClient(tracking_uri=destination.where)
        run = client.create_run("0", tags={"theirs": "1"}, run_name="theirs")
        client.log_metric(run.info.run_id, "loss", 1.0, step=1)
        client.log_param(run.info.run_id, "p", 1)
        client.set_terminated(run.info.run_id)

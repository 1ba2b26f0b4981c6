"""The contract of every writer, kept by the one to an MLflow server."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import ClassVar

import pytest

from runferry import settings
from runferry.ports import Location, RemoteId
from runferry.readers.mlflow import MlflowReader
from runferry.testing.recording import Sample
from runferry.testing.samples import attributes, media, steps, values
from runferry.testing.writer_contract import WriterContract
from runferry.writers.mlflow import MlflowWriter


@pytest.mark.slow
class TestServer(WriterContract):
    """One server for all laws: its tables are emptied before each."""

    writer = MlflowWriter
    reader = MlflowReader
    cannot_replace = True
    samples: ClassVar[tuple[Sample, ...]] = (values(), steps(), attributes(), media())

    @pytest.fixture
    def destination(self, served: tuple[str, Path]) -> Location:
        url, path = served
        with closing(sqlite3.connect(path)) as connection:
            for table in ("metrics", "latest_metrics", "params", "tags", "runs"):
                connection.execute(f"DELETE FROM {table}")
            connection.commit()
        return Location("mlflow", url)

    def owned(self, destination: Location) -> tuple[Path, ...]:
        return ()  # nothing of it is on this side

    def remove(self, destination: Location, remote: RemoteId) -> None:
        from mlflow import MlflowClient

        MlflowClient(tracking_uri=destination.where).delete_run(remote)

    def unavailable(self, tmp_path: Path) -> Iterator[Location]:
        settings.install(settings.Settings(patience=0.1))
        try:
            yield Location("mlflow", "http://127.0.0.1:9")  # the port of `discard`: nobody listens
        finally:
            settings.install(None)

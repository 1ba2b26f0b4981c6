"""What is pushed into MLflow comes back exactly, and what MLflow says since is never hidden."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from mlflow_runs import (
    SERIES,
    attributes,
    chunks,
    content,
    header,
    last_header,
    nasty_points,
    pulled,
    push,
    random_points,
)

from runferry.chunks import Attributes, Lost, Points, SeriesFacts
from runferry.model import Attribute, Cursor
from runferry.ports import Location, ReadOptions
from runferry.readers.mlflow import MlflowReader
from runferry.writers.mlflow import MlflowWriter


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("made") / "empty.db"
    MlflowWriter.open(Location("mlflow", f"sqlite:///{path}")).close()
    return path


@pytest.fixture
def database(empty_database: Path, tmp_path: Path) -> Path:
    """A database as MLflow makes it; the artifacts go where the first one's would."""
    path = tmp_path / "runs.db"
    shutil.copy(empty_database, path)
    with sqlite3.connect(path) as connection:
        connection.execute(
            "UPDATE experiments SET artifact_location = ?", (f"{tmp_path}/mlruns/0",)
        )
    return path


@pytest.fixture
def writer(database: Path) -> Iterator[MlflowWriter]:
    writer = MlflowWriter.open(Location("mlflow", f"sqlite:///{database}"))
    yield writer
    writer.close()


def test_everything_comes_back_exactly(writer: MlflowWriter, database: Path) -> None:
    run = header()
    sent = chunks(run)
    remote = push(writer, run, sent)
    back = pulled(str(database), remote)
    expected, found = content(sent), content(back)
    for kind, rows in expected.items():
        assert found[kind] == rows, kind
    restored = last_header(back)
    assert restored.origin_uid == run.uid
    assert replace(restored, key=run.key, origin_uid=None) == run

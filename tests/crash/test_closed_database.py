"""A database that is locked or read-only: a clear error, nothing lost, a rerun completes."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from runferry.archive.store import Archive
from runferry.dialects.mlflow import schema
from runferry.errors import RunferryError
from runferry.ports import Location, ReadOptions
from runferry.readers.mlflow import MlflowReader
from runferry.testing.reference import ReferenceReader, record
from runferry.testing.samples import curve
from runferry.transfer.patience import Patience
from runferry.transfer.pull import pull
from runferry.transfer.push import push
from runferry.transfer.report import Report
from runferry.transfer.verify import verify_archive
from runferry.writers.mlflow import MlflowWriter


@pytest.fixture(scope="module")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("empty") / "runs.db"
    MlflowWriter.open(Location("mlflow", f"sqlite:///{path}")).close()
    return path


@pytest.fixture
def database(empty_database: Path, tmp_path: Path) -> Path:
    path = tmp_path / "store" / "runs.db"
    path.parent.mkdir()
    path.write_bytes(empty_database.read_bytes())
    return path


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    source = record([curve(50), curve(50, seed=1)], tmp_path / "source")
    archive = Archive.open(tmp_path / "archive", create=True, reserve=0)
    reader = lambda: ReferenceReader.open(source, ReadOptions())  # noqa: E731
    assert not pull(source, archive, reserve_bytes=0, open_reader=reader).failures
    return archive


def at(database: Path) -> Location:
    return Location("mlflow", f"sqlite:///{database}")


def pushed(archive: Archive, database: Path) -> Report:
    where = at(database)
    patience = Patience(seconds=1.0)
    return push(archive, where, open_writer=lambda: MlflowWriter.open(where), patience=patience)


def assert_says_why(archive: Archive, database: Path, word: str) -> None:
    """Whether it is found out when the database is opened, or later."""
    try:
        report = pushed(archive, database)
    except RunferryError as error:
        told, hints = [error.what], [error.hint]
    else:
        told = [str(outcome.error) for outcome in report.failures]
        hints = [outcome.hint or "" for outcome in report.failures]
    assert told
    assert all(word in text for text in told), told
    assert all(hints), hints


def assert_completes(archive: Archive, database: Path) -> None:
    report = pushed(archive, database)
    assert not report.failures, report.failures
    assert report.aborted is None
    where = at(database)
    verified = verify_archive(
        archive,
        where,
        open_reader=lambda: MlflowReader.open(where, ReadOptions()),
        limits=MlflowWriter.limits,
    )
    assert verified.is_clean, verified


@contextmanager
def locked(database: Path) -> Iterator[None]:
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield
        other.execute("ROLLBACK")


def test_a_locked_database_is_said_to_be_and_a_rerun_completes(
    archive: Archive, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "BUSY_SECONDS", 0.2)
    with locked(database):
        assert_says_why(archive, database, "lock")
    assert_completes(archive, database)


@pytest.mark.usefixtures("modes_hold")
def test_a_read_only_database_is_said_to_be_and_a_rerun_completes(
    archive: Archive, database: Path
) -> None:
    database.chmod(0o444)
    database.parent.chmod(0o555)
    try:
        assert not os.access(database, os.W_OK, effective_ids=True)
        assert_says_why(archive, database, "read")
    finally:
        database.parent.chmod(0o755)
        database.chmod(0o644)
    assert_completes(archive, database)


@pytest.mark.usefixtures("modes_hold")
def test_an_archive_that_may_only_be_read_says_so_to_whoever_pushes_from_it(
    archive: Archive, database: Path
) -> None:
    folders = [archive.path, *(path for path in archive.path.rglob("*") if path.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    try:
        assert_says_why(archive, database, "cannot write here")
    finally:
        for folder in folders:
            folder.chmod(0o755)
    assert not pushed(archive, database).failures

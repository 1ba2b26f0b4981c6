"""A database that cannot be read on is an error that says where, and what to do about it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from itertools import chain
from pathlib import Path

import pytest
from tests.writers.conftest import database, empty_database  # noqa: F401

from runferry.archive.store import Archive
from runferry.chunks import Lost, Points
from runferry.dialects.mlflow import schema
from runferry.errors import Damaged, Locked, RunferryError
from runferry.ports import BATCH_ROWS, Location, ReadOptions
from runferry.readers.mlflow import MlflowReader
from runferry.transfer.pull import pull

ROWS = BATCH_ROWS + 1000
PAGE = 4096


@pytest.fixture
def full(database: Path) -> Path:  # noqa: F811
    """A database with more metrics than one batch."""
    with closing(sqlite3.connect(database)) as connection:
        connection.execute(
            "INSERT INTO runs (run_uuid, name, status, start_time, lifecycle_stage, experiment_id)"
            " VALUES ('r1', 'one', 'FINISHED', 1700000000000, 'active', 0)"
        )
        connection.executemany(
            "INSERT INTO metrics (key, value, timestamp, run_uuid, step, is_nan)"
            " VALUES ('loss', ?, ?, 'r1', ?, 0)",
            ((step / 7, 1_700_000_000_000 + step, step) for step in range(ROWS)),
        )
        connection.commit()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return database


def opened(path: Path) -> MlflowReader:
    return MlflowReader.open(Location("mlflow", f"sqlite:///{path}"), ReadOptions())


def ruin(path: Path, page: int) -> None:
    """Overwrite one page, counted from 0."""
    with path.open("r+b") as file:
        file.seek(page * PAGE)
        file.write(b"\xff" * PAGE)


def pages_of_metrics(path: Path) -> list[int]:
    """Leaves of the table (the first byte is 13) that hold its rows."""
    content = path.read_bytes()
    pages = [content[at : at + PAGE] for at in range(0, len(content), PAGE)]
    return [n for n, page in enumerate(pages) if page[0] == 13 and b"loss" in page]


def root_of(path: Path, table: str) -> int:
    """The first page of a table, which is the only one of a small table."""
    with closing(sqlite3.connect(path)) as connection:
        query = "SELECT rootpage FROM sqlite_master WHERE name = ?"
        return int(connection.execute(query, (table,)).fetchone()[0]) - 1


def assert_says_all(error: RunferryError, path: Path) -> None:
    assert str(path) in error.where
    assert error.hint
    assert "at byte" not in error.what


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_damaged_page_is_told_while_rows_are_read(full: Path, share: float) -> None:
    pages = pages_of_metrics(full)
    ruin(full, pages[int(len(pages) * share)])
    reader = opened(full)
    (run,) = reader.runs()
    with pytest.raises(Damaged, match="malformed") as caught:
        list(reader.read(run))
    assert_says_all(caught.value, full)
    reader.close()


@pytest.mark.parametrize("table", ["runs", "experiments"])
def test_a_damaged_page_is_told_while_runs_are_listed(full: Path, table: str) -> None:
    ruin(full, root_of(full, table))
    with pytest.raises(Damaged, match="malformed") as caught:
        list(opened(full).runs())
    assert_says_all(caught.value, full)


def test_a_cut_database_is_told(full: Path) -> None:
    with full.open("r+b") as file:
        file.truncate(full.stat().st_size // 2 // PAGE * PAGE)

    def read_all() -> None:
        reader = opened(full)
        for run in reader.runs():
            list(reader.read(run))

    with pytest.raises(Damaged) as caught:
        read_all()
    assert_says_all(caught.value, full)


def test_a_lock_between_listing_and_reading_is_told(
    full: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "BUSY_SECONDS", 0.1)
    reader = opened(full)
    (run,) = reader.runs()
    with closing(sqlite3.connect(full, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(Locked) as caught:
            list(reader.read(run))
        other.execute("ROLLBACK")
    assert_says_all(caught.value, full)
    assert sum(len(c.batch) for c in reader.read(run) if hasattr(c, "batch")) == ROWS
    reader.close()


def test_a_pull_from_a_damaged_database_commits_nothing_of_the_run(
    full: Path, tmp_path: Path
) -> None:
    ruin(full, pages_of_metrics(full)[-1])
    archive = Archive.open(tmp_path / "archive", create=True)
    report = pull(Location("mlflow", f"sqlite:///{full}"), archive, reserve_bytes=0)
    (failure,) = report.failures
    assert "malformed" in str(failure.error)
    assert failure.hint
    assert list(archive.records()) == []


@pytest.mark.parametrize(
    ("column", "cell"),
    [
        ("key", b"\xff\xfe"),
        ("key", "CAST(x'fffe' AS TEXT)"),
        ("step", "last"),
        ("timestamp", 1e300),
    ],
)
def test_a_row_after_many_that_means_nothing_is_told_and_all_others_come(
    full: Path, column: str, cell: object
) -> None:
    is_sql = isinstance(cell, str) and cell.startswith("CAST")
    with closing(sqlite3.connect(full)) as connection:
        connection.execute(
            f"UPDATE metrics SET {column} = {cell if is_sql else '?'}"
            " WHERE rowid = (SELECT max(rowid) FROM metrics)",
            () if is_sql else (cell,),
        )
        connection.commit()
    with closing(opened(full)) as reader:
        found = list(chain.from_iterable(map(reader.read, reader.runs())))
    steps = [step for one in found if isinstance(one, Points)
             for step in one.batch.column("step").to_pylist()]  # fmt: skip
    assert steps == list(range(ROWS - 1))
    (loss,) = (one.loss for one in found if isinstance(one, Lost))
    assert (loss.code, loss.count) == ("damaged-metric", 1)


def test_what_is_nested_beyond_measure_is_no_list_of_tables(full: Path) -> None:
    with closing(sqlite3.connect(full)) as connection:
        connection.execute(
            "INSERT INTO tags (key, value, run_uuid) VALUES ('mlflow.loggedArtifacts', ?, 'r1')",
            ("[" * 100_000,),
        )
        connection.commit()
    with closing(opened(full)) as reader:
        assert [len(list(reader.read(run))) > 1 for run in reader.runs()] == [True]


def test_a_file_that_is_no_database_is_let_go_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, connect, made = tmp_path / "mlflow.db", schema.connect, list[sqlite3.Connection]()
    path.write_bytes(b"no database " * 1000)

    def noted(path: Path, *, read_only: bool) -> sqlite3.Connection:
        made.append(connect(path, read_only=read_only))
        return made[-1]

    monkeypatch.setattr(schema, "connect", noted)
    with pytest.raises(Damaged):
        opened(path)
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        made[-1].execute("SELECT 1")

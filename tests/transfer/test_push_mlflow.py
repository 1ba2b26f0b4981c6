"""A push into MLflow's sqlite against what others, and earlier pushes, did there."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tests.transfer.roads import IMPATIENT, Curve, archive_of, pull_from

from runferry.archive.store import Archive
from runferry.ports import Location
from runferry.testing.faults import Breaking
from runferry.testing.reference import record
from runferry.transfer.claims import SILENT_SECONDS
from runferry.transfer.destination import ledger_key
from runferry.transfer.push import push
from runferry.transfer.report import Report
from runferry.transfer.selection import Selection
from runferry.transfer.verify import verify_archive
from runferry.writers.mlflow import MlflowWriter


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("made") / "runs.db"
    MlflowWriter.open(Location("mlflow", f"sqlite:///{path}")).close()
    return path


@pytest.fixture
def there(empty: Path, tmp_path: Path) -> Location:
    path = tmp_path / "there" / "runs.db"
    path.parent.mkdir()
    shutil.copy(empty, path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE experiments SET artifact_location = ?", (f"{path.parent}/0",))
        connection.commit()
    return Location("mlflow", f"sqlite:///{path}")


def send(
    archive: Archive, there: Location, *, breaks_at: int | None = None, **how: object
) -> Report:
    breaking = Breaking(MlflowWriter.open(there), at=breaks_at, after=True)
    return push(archive, there, open_writer=breaking.as_writer, patience=IMPATIENT, **how)  # type: ignore[arg-type]


def assert_whole(archive: Archive, there: Location) -> None:
    report = verify_archive(archive, there)
    assert report.runs
    assert report.is_clean, [run.unexpected or run.error for run in report.runs]


def grow(archive: Archive, folder: Path, rows: int) -> None:
    ended = tuple(range(20, rows, 20))
    pull_from(record([Curve().sample(rows, ended=ended)], folder / "source"), archive)


def forget_all(there: Location, statement: str) -> None:
    with closing(sqlite3.connect(there.where.removeprefix("sqlite:///"))) as connection:
        connection.execute(statement)
        connection.commit()


def test_an_emptied_destination_is_filled_again(there: Location, tmp_path: Path) -> None:
    archive = archive_of([Curve().sample(20)], tmp_path)
    assert send(archive, there).counts == {"new": 1}
    for table in ("metrics", "latest_metrics", "params", "tags", "runs"):
        forget_all(there, f"DELETE FROM {table}")
    assert send(archive, there).counts == {"new": 1}
    assert_whole(archive, there)


def test_a_run_deleted_in_mlflow_is_sent_again(there: Location, tmp_path: Path) -> None:
    archive = archive_of([Curve().sample(20)], tmp_path)
    send(archive, there)
    forget_all(there, "UPDATE runs SET lifecycle_stage = 'deleted'")
    assert send(archive, there).counts == {"new": 1}
    assert_whole(archive, there)


def test_a_place_is_the_same_only_where_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    relative = Location("mlflow", "sqlite:///runs.db")
    monkeypatch.chdir(tmp_path)
    first = ledger_key(relative)
    assert first == ledger_key(Location("mlflow", f"sqlite:///{tmp_path}/runs.db"))
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    assert ledger_key(relative) != first
    assert ledger_key(Location("mlflow", "http://u:p@h:1/x")) == "mlflow:http://h:1/x"


def test_growth_broken_off_and_grown_again_arrives(there: Location, tmp_path: Path) -> None:
    archive = archive_of([Curve().sample(20)], tmp_path)
    send(archive, there)
    grow(archive, tmp_path, 40)
    assert send(archive, there, breaks_at=4).counts == {"failed": 1}
    grow(archive, tmp_path, 60)
    assert send(archive, there).failures == ()
    assert_whole(archive, there)


def test_another_choice_of_series_takes_away_only_what_it_was_told_to(
    there: Location, tmp_path: Path
) -> None:
    archive = archive_of([Curve().sample(20)], tmp_path)
    only = Selection(metrics=("loss",))
    send(archive, there, selection=only)
    assert send(archive, there, selection=only).counts == {"unchanged": 1}
    assert send(archive, there).counts == {"replaced": 1}
    assert_whole(archive, there)
    for narrower in (only, Selection(metrics=("nothing/*",))):
        (failure,) = push(archive, there, selection=narrower).failures
        assert failure.error
        assert "would lose them" in failure.error
        assert "--restart" in str(failure.hint)
        assert_whole(archive, there)
    assert send(archive, there, selection=only, restart=True).counts == {"replaced": 1}
    report = verify_archive(archive, there, selection=Selection(metrics=("loss",)))
    assert report.is_clean, report.unexpected


def test_growth_after_compaction_arrives(there: Location, tmp_path: Path) -> None:
    archive = archive_of([Curve().sample(20)], tmp_path)
    grow(archive, tmp_path, 40)
    send(archive, there)
    (found,) = archive.records()
    archive.compact(found)
    grow(archive, tmp_path, 60)
    assert send(archive, there).counts == {"replaced": 1}
    assert_whole(archive, there)


def test_growth_of_what_was_discarded_here_arrives(there: Location, tmp_path: Path) -> None:
    archive = archive_of([Curve().sample(20)], tmp_path)
    send(archive, there)
    (found,) = archive.records()
    archive.remove(found.run.uid)
    grow(archive, tmp_path, 40)
    assert send(archive, there).failures == ()
    assert_whole(archive, there)


def test_restart_sends_all_of_it(there: Location, tmp_path: Path) -> None:
    archive = archive_of([Curve().sample(20)], tmp_path)
    send(archive, there)
    again = send(archive, there, restart=True)
    assert [(o.status, o.rows) for o in again.outcomes] == [("replaced", 40)]
    assert_whole(archive, there)


def test_a_push_that_was_killed_is_left_alone_until_it_is_silent(
    there: Location, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = archive_of([Curve().sample(20)], tmp_path / "mine")
    theirs = archive_of([Curve().sample(20)], tmp_path / "theirs")
    monkeypatch.setattr("runferry.transfer.claims.Claim.release", lambda self, remote: None)
    assert send(theirs, there, breaks_at=3).counts == {"failed": 1}
    (refused,) = send(mine, there).failures
    assert "another push" in (refused.error or "")
    assert "--restart" in (refused.hint or "")
    monkeypatch.setattr("runferry.transfer.claims.SILENT_SECONDS", -SILENT_SECONDS)
    assert send(mine, there).counts == {"new": 1}
    assert_whole(mine, there)

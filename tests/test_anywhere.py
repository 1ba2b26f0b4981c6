"""`any`: every run of every kind below a folder, and what a folder then means."""

from __future__ import annotations

import logging
import shutil
import sqlite3
from pathlib import Path

import pytest
from tests.transfer.roads import archive_of
from tests.trees import wandb_run

from runferry import registry
from runferry.anywhere import AnyReader, homes
from runferry.errors import NotFound
from runferry.locations import locate
from runferry.ports import Location, Reader, ReadOptions
from runferry.readers.plain_files import PlainFilesReader
from runferry.testing.reader_contract import ReaderContract
from runferry.testing.samples import curve, plain
from runferry.transfer.pull import pull
from runferry.transfer.push import push


def mlflow_store(database: Path, scratch: Path) -> Path:
    database.parent.mkdir(parents=True, exist_ok=True)
    archive = archive_of([plain(), curve(60, batch=20)], scratch)
    report = push(archive, Location("mlflow", f"sqlite:///{database}"))
    assert not report.failures
    return database


@pytest.fixture
def tree(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two kinds of runs, one of them twice, an archive, and what is no run."""
    scratch = tmp_path_factory.mktemp("scratch")
    root = tmp_path / "work"
    wandb_run(root / "project" / "wandb", "one")
    mlflow_store(root / "deep" / "er" / "mlflow.db", scratch)
    (root / "copy").mkdir()
    shutil.copy(root / "deep" / "er" / "mlflow.db", root / "copy" / "kept.sqlite")
    archive_of([plain()], root / "mine")
    (root / "data.csv").write_text("a,b\n1,2\n")
    return root


class TestAny(ReaderContract):
    reader = AnyReader

    @pytest.fixture
    def source(self, tree: Path) -> Location:
        return Location("any", str(tree))

    def grow(self, source: Location) -> None:
        shutil.rmtree(source.path / "project" / "wandb")
        wandb_run(source.path / "project" / "wandb", "one", rows=5)


def opened(root: Path) -> Reader:
    return AnyReader.open(Location("any", str(root)), ReadOptions())


def test_every_run_of_every_kind_is_found_and_none_twice_under_one_key(tree: Path) -> None:
    found = [run.key for run in opened(tree).runs()]
    assert len(found) == len(set(found)) == 5
    assert sorted(key.tracker for key in found) == ["mlflow"] * 4 + ["wandb"]
    assert sum("~" in key.run_id for key in found) == 2


def places_by_key(root: Path) -> dict[str, str]:
    """Where each run of MLflow lies below the root."""
    reader = opened(root)
    assert isinstance(reader, AnyReader)
    index = reader._index
    index.runs(reader._readers)
    return {
        str(key): str(index.homes.places[place.number].path.relative_to(root))
        for key, place in index._found.items()
        if key.tracker == "mlflow"
    }


def test_one_source_more_renames_no_copy_wherever_it_lies(tree: Path) -> None:
    """The first one keeps its keys; only one that lies before all others takes them."""
    before = places_by_key(tree)
    assert set(before.values()) == {"copy/kept.sqlite", "deep/er/mlflow.db"}
    for folder in ("d", "zz", "deep/er/still"):
        (tree / folder).mkdir()
        shutil.copy(tree / "copy" / "kept.sqlite", tree / folder / "one.db")
        after = places_by_key(tree)
        assert {key: place for key, place in after.items() if key in before} == before
        assert len(after) == len(before) + 2
        before = after
    (tree / "a").mkdir()
    shutil.copy(tree / "copy" / "kept.sqlite", tree / "a" / "one.db")
    after = places_by_key(tree)
    assert {key for key in before if after[key] != before[key]} == {
        key for key, place in before.items() if place == "copy/kept.sqlite"
    }
    assert not [key for key in after if key.count("~") > 1]


def test_a_store_that_takes_the_keys_of_another_costs_an_archive_nothing(
    tree: Path, tmp_path: Path
) -> None:
    from runferry.archive.store import Archive

    archive = Archive.open(tmp_path / "into", create=True)
    assert not pull(Location("any", str(tree)), archive, reserve_bytes=0).failures
    before = {record.run.key: record.digest for record in archive.records()}
    (tree / "a").mkdir()
    shutil.copy(tree / "copy" / "kept.sqlite", tree / "a" / "one.db")
    for _ in range(2):
        assert not pull(Location("any", str(tree)), archive, reserve_bytes=0).failures
        after = {record.run.key: record.digest for record in archive.records()}
        assert {key: after[key] for key in before} == before
        assert len(after) == len(before) + 2


def test_archives_are_left_out_and_said(tree: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    assert not [place for place in homes(tree).places if place.tracker == "archive"]
    assert "archive is left out" in caplog.text


def test_looking_at_strangers_databases_lays_nothing_beside_them(tree: Path) -> None:
    """sqlite would, for those with a write-ahead log."""
    database = tree / "theirs.sqlite3"
    connection = sqlite3.connect(database)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("CREATE TABLE operations (id)")
    connection.commit()
    connection.close()
    before = sorted(tree.iterdir())
    assert len(homes(tree).places) == 3
    assert sorted(tree.iterdir()) == before


def test_what_a_store_holds_is_not_found_a_second_time(tree: Path) -> None:
    """Event files and run folders among the artifacts of an MLflow run belong to that run."""
    store = tree / "mlruns"
    (store / "0" / "abc").mkdir(parents=True)
    (store / "0" / "meta.yaml").write_text("experiment_id: '0'\nname: Default\n")
    wandb_run(store / "0" / "abc" / "artifacts", "two")
    assert Location("mlflow", str(store)) in homes(tree).places
    assert "two" not in {run.key.run_id for run in opened(tree).runs()}


def test_a_mixed_folder_moves_as_one_and_a_second_pull_moves_nothing(
    tree: Path, tmp_path: Path
) -> None:
    from runferry.archive.store import Archive

    archive = Archive.open(tmp_path / "into", create=True)
    for status in ("new", "unchanged"):
        report = pull(locate(str(tree), role="source"), archive, workers=2, reserve_bytes=0)
        assert not report.failures
        assert {outcome.status for outcome in report.outcomes} == {status}
    assert len(list(archive.records())) == 5
    renamed = [record for record in archive.records() if "~" in record.run.key.run_id]
    assert [loss.code for record in renamed for loss in record.losses] == ["same-run-id"] * 2


def test_many_runs_of_many_kinds_are_read_by_processes_too(tmp_path: Path, tree: Path) -> None:
    from runferry.archive.store import Archive

    for number in range(60):
        wandb_run(tree / "more", f"n{number}", start=1_700_000_000 + number)
    archive = Archive.open(tmp_path / "into", create=True)
    report = pull(Location("any", str(tree)), archive, workers=2, reserve_bytes=0)
    assert not report.failures
    assert len(list(archive.records())) == 65


def test_a_folder_means_the_one_kind_that_lies_in_it(tree: Path) -> None:
    where = str(tree)
    assert locate(where, role="source") == Location("any", where)
    assert locate(f"{where}/project", role="source") == Location("wandb", f"{where}/project")
    database = f"{where}/deep/er/mlflow.db"
    assert locate(f"{where}/deep", role="source") == Location("mlflow", database)
    assert locate(f"any:{where}/deep", role="source") == Location("any", f"{where}/deep")


def test_tables_that_no_reader_takes_are_told_with_the_command(
    tree: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """They may be anything, so they are no runs unless they are named."""
    shutil.rmtree(tree / "mine" / "source")
    (tree / "deep" / "more.jsonl").write_text('{"a": 1}\n')
    (tree / "trained.csv").write_text("epoch,loss\n0,0.5\n")
    opened(tree)
    (said,) = (record.message for record in caplog.records if "not taken" in record.message)
    assert said == (
        f"2 tables are not taken for runs: runferry ls csv:{tree}, runferry ls jsonl:{tree}"
    )


def test_a_folder_of_nothing_but_tables_says_how_to_read_them(tmp_path: Path) -> None:
    for name in ("a.csv", "b.TSV"):
        (tmp_path / name).write_text("a,b\n1,2\n")
    for look in (lambda: locate(str(tmp_path), role="source"), lambda: opened(tmp_path)):
        with pytest.raises(NotFound) as caught:
            look()
        assert caught.value.hint == (f"2 tables are not taken for runs: runferry ls csv:{tmp_path}")


def test_tables_of_runs_are_not_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "trained.csv").write_text("epoch,loss\n0,0.5\n")
    job = tmp_path / "job"
    (job / ".hydra").mkdir(parents=True)
    (job / ".hydra" / "config.yaml").write_text("lr: 0.1\n")
    (job / "results.csv").write_text("a,b\n1,2\n")
    wandb_run(tmp_path / "wandb", "one")
    kept = tmp_path / "wandb" / "offline-run-20231114_221320-one" / "files"
    kept.mkdir()
    (kept / "table.csv").write_text("a,b\n1,2\n")
    assert len(list(opened(tmp_path).runs())) == 3
    assert "not taken" not in caplog.text
    assert locate(str(job), role="source").tracker == "hydra"
    assert "not taken" not in caplog.text


def test_the_suffixes_of_tables_are_those_of_their_readers() -> None:
    for name, suffixes in registry.TABLES.items():
        reader = registry.reader(name)
        assert issubclass(reader, PlainFilesReader)
        assert reader.tables.suffixes == suffixes

"""What is pushed into MLflow comes back exactly, and what MLflow says since is never hidden."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.writers.mlflow_runs import (
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

from runferry.chunks import Attributes, Checkpoint, Lost, Points, SeriesFacts
from runferry.dialects.mlflow import schema
from runferry.errors import Conflict, Locked, Refused, SourceChanged
from runferry.model import Cursor, RunKey
from runferry.ports import Location, ReadOptions
from runferry.readers.mlflow import MlflowReader
from runferry.writers.mlflow import MlflowWriter


def execute(database: Path, *statements: tuple[str, tuple[object, ...]] | str) -> None:
    """What somebody does to the database behind our back."""
    connection = sqlite3.connect(database)
    for statement in statements:
        connection.execute(*((statement,) if isinstance(statement, str) else statement))
    connection.commit()
    connection.close()


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


def test_a_repeated_send_changes_nothing(writer: MlflowWriter, database: Path) -> None:
    run, sent = header(), chunks()
    remote = push(writer, run, sent, seal=False)
    once = pulled(str(database), remote)
    again = MlflowWriter.open(Location("mlflow", f"sqlite:///{database}"))
    assert push(again, run, sent) == remote
    again.close()
    assert content(pulled(str(database), remote)) == content(once)


def test_a_send_that_was_cut_anywhere_is_completed_by_another_process(
    writer: MlflowWriter, database: Path
) -> None:
    run, sent = header(), chunks()
    remote = writer.create(run, run.uid)
    for number, chunk in enumerate(sent[:4]):
        writer.append(remote, number, chunk)
    other = MlflowWriter.open(Location("mlflow", f"sqlite:///{database}"))
    assert other.find(run.uid) == remote
    for number, chunk in enumerate(sent[3:], start=3):  # the last one is not known to have arrived
        other.append(remote, number, chunk)
    other.seal(remote, run)
    other.close()
    assert content(pulled(str(database), remote)) == content(sent)


def test_sealing_again_after_a_lost_answer_changes_nothing(
    writer: MlflowWriter, database: Path
) -> None:
    run, sent = header(), chunks()
    remote = push(writer, run, sent)
    for number, chunk in enumerate(sent[3:], start=3):
        writer.append(remote, number, chunk)
    writer.seal(remote, run)
    assert content(pulled(str(database), remote)) == content(sent)


def test_a_run_that_grew_is_appended_to(writer: MlflowWriter, database: Path) -> None:
    run = header()
    sent = [SeriesFacts(SERIES), Points(random_points(1, 30)), Points(random_points(2, 30))]
    remote = push(writer, run, sent[:2])
    writer.append(remote, 2, sent[0])
    writer.append(remote, 3, sent[2])
    before = content(pulled(str(database), remote))  # the new rows, as MLflow itself holds them
    assert set(before["points"]) >= set(content(sent[:2])["points"])
    writer.seal(remote, run)
    assert content(pulled(str(database), remote))["points"] == content(sent)["points"]


def test_a_run_that_is_sent_again_from_its_start_is_replaced(
    writer: MlflowWriter, database: Path, tmp_path: Path
) -> None:
    run = header()
    first = [SeriesFacts(SERIES), Points(random_points(1, 50)), Attributes(attributes())]
    second = [SeriesFacts(SERIES), Points(random_points(2, 20)), Points(random_points(3, 20))]
    remote = push(writer, run, first)
    push(writer, run, second)
    found, expected = content(pulled(str(database), remote)), content(second)
    assert (found["points"], found["attributes"]) == (expected["points"], expected["attributes"])
    once = tmp_path / "once.db"
    other = MlflowWriter.open(Location("mlflow", f"sqlite:///{once}"))
    push(other, run, second)
    other.close()
    assert table(database, "latest_metrics") == table(once, "latest_metrics")
    parts = {path.name.split("-")[1] for path in tmp_path.rglob("points-*.parquet")}
    assert parts == {"0", "1"}  # one of each database: nothing is left of the first sending


def table(database: Path, name: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(database)
    rows = connection.execute(f"SELECT * FROM {name}").fetchall()
    connection.close()
    return sorted(rows)


@pytest.mark.parametrize("seed", range(12))
def test_any_rows_come_back_exactly(seed: int, writer: MlflowWriter, database: Path) -> None:
    sent = [SeriesFacts(SERIES), Points(random_points(seed, 200))]
    remote = push(writer, header(f"r{seed}"), sent)
    back = pulled(str(database), remote)
    assert content(back)["points"] == content(sent)["points"]
    assert not [chunk for chunk in back if isinstance(chunk, Lost)]


def test_a_row_removed_in_mlflow_is_reported_and_not_returned(
    writer: MlflowWriter, database: Path
) -> None:
    sent = [SeriesFacts(SERIES), Points(nasty_points())]
    remote = push(writer, header(), sent)
    with sqlite3.connect(database) as connection:
        connection.execute("DELETE FROM metrics WHERE key = 'frac' AND step = -2")
        connection.execute("DELETE FROM metrics WHERE key = 'loss' AND step = 13")
    back = pulled(str(database), remote)
    missing = set(content(sent)["points"]) - set(content(back)["points"])
    assert len(missing) == 2
    lost = {(c.loss.code, c.loss.where): c.loss.count for c in back if isinstance(c, Lost)}
    assert lost == {("removed-from-mlflow", "a.frac"): 1, ("removed-from-mlflow", "loss"): 1}


def test_a_row_changed_in_mlflow_takes_its_new_value(writer: MlflowWriter, database: Path) -> None:
    sent = [SeriesFacts(SERIES), Points(nasty_points())]
    remote = push(writer, header(), sent)
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE metrics SET value = 0.11 WHERE key = 'loss' AND value = 0.1")
    rows = [r for c in pulled(str(database), remote) if isinstance(c, Points)
            for r in c.batch.to_pylist() if r["key"] == "loss"]  # fmt: skip
    assert [row["value"] for row in rows].count(0.11) == 1
    assert 0.1 not in [row["value"] for row in rows]


def test_what_was_added_in_mlflow_appears(writer: MlflowWriter, database: Path) -> None:
    sent = [SeriesFacts(SERIES), Points(nasty_points()), Attributes(attributes())]
    run = header()
    remote = push(writer, run, sent)
    artifacts = Path(database.parent, "mlruns")
    (folder,) = artifacts.glob(f"*/{remote}/artifacts")
    (folder / "later.txt").write_text("later")
    with sqlite3.connect(database) as connection:
        connection.execute(
            "INSERT INTO metrics (key, value, timestamp, run_uuid, step, is_nan)"
            " VALUES ('frac', 4.5, 1, ?, 9, 0), ('new', 1, 1, ?, 1, 0)", (remote, remote),
        )  # fmt: skip
        connection.execute("INSERT INTO params VALUES ('p', 'v', ?)", (remote,))
        connection.execute("INSERT INTO tags VALUES ('t', 'v', ?)", (remote,))
    back = pulled(str(database), remote)
    rows = [r for c in back if isinstance(c, Points) for r in c.batch.to_pylist()]
    assert [(r["key"], r["step"]) for r in rows][-2:] == [("a.frac", 9), ("new", 1)]
    found = content(back)
    assert set(found["points"]) > set(content(sent)["points"])
    assert ("config", repr(("p",)), '"v"') in found["attributes"]
    assert found["files"] == [repr(("later.txt", "other", b"later"))]
    assert last_header(back).labels == {**run.labels, "t": "v"}


def test_what_was_removed_beside_the_rows_is_reported(writer: MlflowWriter, database: Path) -> None:
    run, sent = header(), chunks()
    remote = push(writer, run, sent)
    (folder,) = Path(database.parent, "mlruns").glob(f"*/{remote}/artifacts")
    (folder / "code/train.py").unlink()
    (folder / "runferry/console-0-00000007.parquet").unlink()
    (part,) = (folder / "runferry").glob("points-*.parquet")
    part.write_bytes(part.read_bytes()[:-7])
    with sqlite3.connect(database) as connection:
        connection.execute("DELETE FROM tags WHERE key = 'plain'")
        connection.execute("DELETE FROM params WHERE key = 'c.int'")
    back = pulled(str(database), remote)
    lost = {(c.loss.code, c.loss.where) for c in back if isinstance(c, Lost)}
    assert lost > {
        ("removed-artifact", "code/train.py"),
        ("bundle-part-missing", "runferry/console-0-00000007.parquet"),
        ("bundle-part-damaged", f"runferry/{part.name}"),
        ("removed-from-mlflow", "plain"),
        ("removed-from-mlflow", "c.int"),
    }
    keys = {r["key"] for c in back if isinstance(c, Points) for r in c.batch.to_pylist()}
    assert keys == {"loss", "a.frac", "null step", "cpu", "bïg?"}  # as MLflow itself holds them


def test_an_unchanged_run_is_not_read_again_and_a_changed_one_is(
    writer: MlflowWriter, database: Path
) -> None:
    remote = push(writer, header(), chunks())
    reader = MlflowReader.open(Location("mlflow", str(database)), ReadOptions())
    (run,) = reader.runs()
    position = list(reader.read(run))[-1].position
    assert list(reader.read(run, Cursor(position))) == [Checkpoint(position)]
    with sqlite3.connect(database) as connection:
        connection.execute(
            "INSERT INTO metrics (key, value, timestamp, run_uuid, step, is_nan)"
            " VALUES ('loss', 4.5, 1, ?, 9, 0)", (remote,),
        )  # fmt: skip
    with pytest.raises(SourceChanged):
        list(reader.read(run, Cursor(position)))
    reader.close()


@pytest.mark.parametrize("child_first", [False, True])
def test_a_nested_run_finds_its_parent_whoever_comes_first(
    child_first: bool, writer: MlflowWriter, database: Path
) -> None:
    runs = [header("p"), header("c", parent="p")]
    for run in reversed(runs) if child_first else runs:
        push(writer, run, [])
    parent, child = writer.find(runs[0].uid), writer.find(runs[1].uid)
    assert last_header(pulled(str(database), child)).parent == parent


def test_only_an_unsealed_run_of_ours_is_discarded(writer: MlflowWriter, database: Path) -> None:
    run = header()
    remote = push(writer, run, chunks(), seal=False)
    writer.discard(remote)
    assert writer.find(run.uid) is None
    assert not list(Path(database.parent, "mlruns").glob("*/*"))
    with sqlite3.connect(database) as connection:
        for table in ("runs", "metrics", "latest_metrics", "params", "tags"):
            assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)
    remote = push(writer, run, [])
    with pytest.raises(Refused):
        writer.discard(remote)


def test_a_run_that_came_from_mlflow_keeps_its_id(writer: MlflowWriter, database: Path) -> None:
    run = replace(header(), key=RunKey("mlflow", "", "a" * 32))
    assert push(writer, run, []) == "a" * 32


def test_a_run_deleted_in_mlflow_is_gone_and_can_be_pushed_anew(
    writer: MlflowWriter, database: Path
) -> None:
    run = header()
    remote = push(writer, run, [])
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE runs SET lifecycle_stage = 'deleted'")
    assert writer.find(run.uid) is None
    assert push(writer, run, []) != remote


def test_a_deleted_experiment_is_a_conflict(writer: MlflowWriter, database: Path) -> None:
    push(writer, header(), [])
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE experiments SET lifecycle_stage = 'deleted'")
    with pytest.raises(Conflict, match="deleted"):
        writer.create(header("r2"), header("r2").uid)


def test_a_read_only_database_is_refused(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    connect = schema.connect  # permissions do not stop root, sqlite's own mode does
    monkeypatch.setattr(schema, "connect", lambda path, read_only: connect(path, read_only=True))
    writer = MlflowWriter.open(Location("mlflow", f"sqlite:///{database}"))
    with pytest.raises(Refused, match="read-only"):
        writer.create(header(), header().uid)
    writer.close()


def test_a_locked_database_says_so_and_nothing_is_half_written(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "BUSY_SECONDS", 0.1)
    writer = MlflowWriter.open(Location("mlflow", f"sqlite:///{database}"))
    holder = sqlite3.connect(database, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(Locked):
        writer.create(header(), header().uid)
    holder.execute("ROLLBACK")
    push(writer, header(), chunks())
    writer.close()


def test_a_file_store_as_destination_is_refused_with_a_hint(tmp_path: Path) -> None:
    with pytest.raises(Refused) as refusal:
        MlflowWriter.open(Location("mlflow", str(tmp_path / "mlruns")))
    assert "sqlite:///" in refusal.value.hint


def test_a_folder_that_was_moved_is_still_read_with_its_artifacts(
    writer: MlflowWriter, database: Path, tmp_path: Path
) -> None:
    sent = chunks()
    remote = push(writer, header(), sent)
    writer.close()
    elsewhere = tmp_path / "moved"
    elsewhere.mkdir()
    shutil.move(database, elsewhere)
    shutil.move(tmp_path / "mlruns", elsewhere)
    assert content(pulled(str(elsewhere / database.name), remote)) == content(sent)


def test_no_name_from_the_data_leaves_the_artifact_folder(
    writer: MlflowWriter, database: Path, tmp_path: Path
) -> None:
    remote = push(writer, header(), chunks())
    (folder,) = Path(tmp_path, "mlruns").glob(f"*/{remote}/artifacts")
    outside = [p for p in tmp_path.rglob("*") if p.is_file() and folder not in p.parents]
    assert outside == [database]

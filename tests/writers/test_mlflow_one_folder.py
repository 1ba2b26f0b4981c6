"""Two stores in one folder: what is written to one never touches, or shows up in, the other."""

from __future__ import annotations

import json
import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from tests.writers.mlflow_runs import blob_bytes, chunks, content, header, points, pulled, push

from runferry.archive.store import Archive
from runferry.chunks import Chunk, File, Header, Lost, Media, Points, SeriesFacts
from runferry.model import Address, Blob, MediaItem, RunKey, Series
from runferry.ports import Location, ReadOptions
from runferry.readers.mlflow import MlflowReader
from runferry.transfer.convert import convert
from runferry.transfer.report import ConvertReport
from runferry.writers.mlflow import MlflowWriter
from runferry.writers.mlflow.sqlite import SqliteBackend

NATIVE = {
    "name": "native", "status": "FINISHED", "state": "finished", "tags": (), "labels": {},
    "group": None, "entity": None, "job_type": None, "forked_from": None, "sweep": None,
}  # fmt: skip


def logged(database: Path, names: list[str]) -> None:
    """Runs as MLflow itself would have logged them: no mark, no bundle."""
    writer = MlflowWriter.open(Location("mlflow", f"sqlite:///{database}"))
    for name in names:
        run = replace(header(name, **NATIVE), key=RunKey("mlflow", "", name))
        sent: list[Chunk] = [
            SeriesFacts((Series("loss", ("loss",)),)),
            Points(points(("loss", step, 0.5, step) for step in range(4))),
            File("notes/a.txt", "other", Blob.from_bytes(name.encode())),
        ]
        push(writer, run, sent if name != "bare" else sent[:2])
    writer.close()
    with sqlite3.connect(database) as connection:
        connection.execute("DELETE FROM tags WHERE key LIKE 'runferry.%'")
    connection.close()
    for bundle in list((database.parent / "mlruns").rglob("runferry")):
        shutil.rmtree(bundle)
    for bare in list((database.parent / "mlruns").rglob("bare")):
        shutil.rmtree(bare)  # MLflow makes the folder when it is needed


def as_file_store(database: Path) -> None:
    """The same runs in a file store of `mlruns`, with the relative places that MLflow notes."""
    with sqlite3.connect(database) as connection:
        runs = connection.execute("SELECT run_uuid, experiment_id FROM runs").fetchall()
    connection.close()
    for run_id, number in runs:
        experiment = database.parent / "mlruns" / str(number)
        (experiment / run_id / "metrics").mkdir(parents=True, exist_ok=True)
        (experiment / run_id / "metrics" / "loss").write_text("1700000000000 0.5 0\n")
        (experiment / "meta.yaml").write_text(f"experiment_id: '{number}'\nname: e\n")
        (experiment / run_id / "meta.yaml").write_text(
            f"run_id: {run_id}\nrun_uuid: {run_id}\nstatus: 3\nstart_time: 1700000000000\n"
            f"artifact_uri: ./mlruns/{number}/{run_id}/artifacts\n"
        )
    database.unlink()


def files(folder: Path) -> dict[Path, bytes]:
    """All but what is written to."""
    found = (path for path in folder.rglob("*") if path.is_file() and path.name != "dst.db")
    return {path: path.read_bytes() for path in found}


def moved(source: str, target: Path, archive: Path) -> ConvertReport:
    opened = Archive.open(archive, create=True)
    return convert(Location("mlflow", source), Location("mlflow", f"sqlite:///{target}"), opened)


@pytest.mark.parametrize("kind", ["database", "file store"])
@pytest.mark.parametrize("made_by", ["us", "the vendor"])
def test_a_copy_beside_its_source_leaves_it_alone_and_the_next_moves_nothing(
    kind: str, made_by: str, empty_database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    source, target = tmp_path / "src.db", tmp_path / "dst.db"
    for path in (source, target) if made_by == "the vendor" else (source,):
        shutil.copy(empty_database, path)
        with sqlite3.connect(path) as connection:  # MLflow's default, whatever stands there
            connection.execute("UPDATE experiments SET artifact_location = ?",
                               (f"{tmp_path}/mlruns/0",))  # fmt: skip
        connection.close()
    logged(source, ["a" * 32, "b" * 32, "bare"])
    where = f"sqlite:///{source}"
    if kind == "file store":
        as_file_store(source)
        where = "mlruns"
    before = files(tmp_path)
    archive = tmp_path / "archive"
    first = moved(where, target, archive)
    assert first.exit_code == 0
    assert [outcome.status for outcome in first.push.outcomes] == ["new"] * 3
    assert before.items() <= files(tmp_path).items()
    second = moved(where, target, archive)
    assert second.exit_code == 0
    assert {outcome.status for outcome in second.pull.outcomes} == {"unchanged"}
    assert {outcome.status for outcome in second.push.outcomes} == {"unchanged"}
    assert before.items() <= files(tmp_path).items()


@pytest.mark.parametrize("mark", [None, "f" * 32])
def test_a_bundle_in_the_folder_of_another_run_is_not_read_as_that_runs(
    mark: str | None, database: Path
) -> None:
    writer = MlflowWriter.open(Location("mlflow", f"sqlite:///{database}"))
    remote = push(writer, header(), chunks())
    writer.close()
    with sqlite3.connect(database) as connection:
        if mark is None:
            connection.execute("DELETE FROM tags WHERE key = 'runferry.uid'")
        else:
            connection.execute("UPDATE tags SET value = ? WHERE key = 'runferry.uid'", (mark,))
    connection.close()
    back = pulled(str(database), remote)
    assert not content(back)["files"]
    assert not content(back)["media"]
    assert "foreign-artifacts" in {c.loss.code for c in back if isinstance(c, Lost)}


@pytest.mark.parametrize("run_id", ["../../escaped", "a" * 33, "a~2", "-a", "a/b", "ä"])
def test_an_id_that_mlflow_would_not_take_is_not_given(run_id: str, database: Path) -> None:
    writer = MlflowWriter.open(Location("mlflow", f"sqlite:///{database}"))
    run = replace(header(), key=RunKey("mlflow", "", run_id))
    assert push(writer, run, chunks()) == run.uid
    assert len(run.uid) == 32  # the column has no more
    writer.close()
    reader = MlflowReader.open(Location("mlflow", str(database)), ReadOptions())
    assert [found.key.run_id for found in reader.runs()] == [run.uid]
    reader.close()


@pytest.mark.parametrize("name", ["tab.json", "sub/tab.parquet"])
def test_a_table_that_mlflow_loaded_is_loaded_from_the_copy(
    name: str, empty_database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient

    monkeypatch.chdir(tmp_path)
    source, target = tmp_path / "src.db", tmp_path / "dst.db"
    shutil.copy(empty_database, source)
    with sqlite3.connect(source) as connection:
        connection.execute("UPDATE experiments SET artifact_location = ?", (f"{tmp_path}/m/0",))
    connection.close()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{source}")
    client = MlflowClient()
    run_id = client.create_run("0").info.run_id
    client.log_metric(run_id, "loss", 0.5)
    client.log_table(run_id, {"x": [1.5], "y": ["a"]}, name)
    report = moved(f"sqlite:///{source}", target, tmp_path / "archive")
    assert report.exit_code == 0
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{target}")
    assert MlflowClient().load_table("0", name)["x"].tolist() == [1.5]
    assert len(list(tmp_path.glob("mlruns/**/tab*"))) == 1


def test_a_table_that_changed_since_it_was_pushed_takes_its_own_place(database: Path) -> None:
    writer = MlflowWriter.open(Location("mlflow", f"sqlite:///{database}"))
    for row in (1, 2):
        table = f'{{"columns": ["x"], "data": [[{row}]]}}'.encode()
        item = MediaItem("tab.json", Address(0), "table", Blob.from_bytes(table), path="tab.json")
        facts = SeriesFacts((Series("tab.json", ("tab.json",), kind="media"),))
        remote = push(writer, header(), [Header(header()), facts, Media((item,))])
        (found,) = database.parent.glob("mlruns/**/tab*")
        assert found.read_bytes() == table
        native = SqliteBackend(database).run(remote)
        assert json.loads(native.tags["mlflow.loggedArtifacts"]) == [
            {"path": "tab.json", "type": "table"}
        ]
        (media,) = (c for c in pulled(str(database), remote) if isinstance(c, Media))
        assert blob_bytes(media.items[0].blob) == table
    writer.close()

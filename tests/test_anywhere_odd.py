"""`any` in a tree like somebody's home: nothing strange is claimed, opened twice or changed."""

from __future__ import annotations

import json
import logging
import os
import shutil
import sqlite3
import stat
from pathlib import Path

import pytest
from tests.trees import LOGS, listings, wandb_run, written

from runferry import registry
from runferry.anywhere import AnyReader, homes
from runferry.archive.layout import MANIFEST
from runferry.chunks import Lost
from runferry.dialects.plain_folder.layout import MARK
from runferry.errors import NotFound, SourceError
from runferry.model import Run
from runferry.ports import Location, Reader, ReadOptions

MARKERS = (
    "metrics.csv", "progress.csv", "monitor.csv", "results.csv", "training.log", "export.csv",
    "trainer_state.json", "result.json", "params.json", "params.pkl", "run.json", "config.json",
    "metrics.json", "cout.txt", "hparams.yaml", "events.out.tfevents.1.h", "run-a.wandb",
    "wandb-history.jsonl", "meta.yaml", "mlflow.db", "x.sqlite", MARK, MANIFEST,
    "projector_config.pbtxt", "table.parquet", "rows.jsonl", "plots/metrics/a.tsv",
    "scalars/loss.tsv", ".hydra/config.yaml", "checkpoint-5/trainer_state.json",
)  # fmt: skip
DATA_SETS = {
    "eeg.csv": "epoch,channel,value\n0,1,0.5\n",
    "stars.csv": "epoch,ra,dec,train\n2451545.0,1.5,2.5,1\n",
    "clock.csv": "epoch,loss\n1700000000,1.5\n",
    "stations.csv": "epoch,train_station\n1,Kings Cross\n",
    "people.csv": '"Name","Age"\n"x","1"\n',
    "states.csv": '"Name","State","Created","ID"\n"x","Ohio","1803","17"\n',
    "progress.csv": "task,owner,percent\nwrite,me,5\n",
    "monitor.csv": "host,load\na,0.5\n",
    "metrics.csv": "name,value\na,1\n",
    "results.csv": "id,label\n1,cat\n",
    "result.json": '{"answer": 42}\n',
    "params.json": "{}",
    "run.json": '{"run": "npm start"}',
    "config.json": "{}",
    "metrics.json": '{"accuracy": 0.5}',
    "plots/metrics/readme.txt": "figures\n",
    "plots/metrics/table.tsv": "country\tvalue\n",
}


def opened(root: Path) -> Reader:
    return AnyReader.open(Location("any", str(root)), ReadOptions())


def runs(root: Path) -> list[Run]:
    return list(opened(root).runs())


@pytest.mark.parametrize("together", [True, False])
def test_a_data_set_is_no_run(tmp_path: Path, together: bool) -> None:
    for number, (name, text) in enumerate(DATA_SETS.items()):
        written(tmp_path / ("all" if together else str(number)), {name: text})
    assert not homes(tmp_path).places


def test_the_same_names_are_runs_by_what_stands_in_them(tmp_path: Path) -> None:
    written(tmp_path, {name: text for name, (_, text) in LOGS.items()})
    written(tmp_path, {f"data/{name}": text for name, text in DATA_SETS.items()})
    found = sorted((run.key.tracker, run.key.run_id.partition("@")[0]) for run in runs(tmp_path))
    assert [tracker for tracker, _ in found] == sorted(tracker for tracker, _ in LOGS.values())
    assert not [name for _, name in found if name.startswith("data")]


def test_a_file_that_is_named_may_be_what_nobody_would_guess(tmp_path: Path) -> None:
    written(tmp_path, DATA_SETS)
    reader = registry.reader("keras")
    place = Location("keras", str(tmp_path / "eeg.csv"))
    assert len(list(reader.open(place, ReadOptions()).runs())) == 1


def test_rays_results_are_rays_alone(tmp_path: Path) -> None:
    row = {"training_iteration": 1, "timestamp": 5, "loss": 1.0}
    trial = {
        "result.json": json.dumps(row) + "\n",
        "params.json": "{}",
        "progress.csv": "training_iteration,timestamp,loss\n1,5,1.0\n",
    }
    written(tmp_path / "both", trial)
    written(tmp_path / "table", {name: trial[name] for name in ("params.json", "progress.csv")})
    written(tmp_path / "rllab", {"progress.csv": "Epoch,AverageReturn\n1,2\n", "params.json": "{}"})
    found = [(run.key.tracker, run.key.run_id.partition("@")[0]) for run in runs(tmp_path)]
    assert found == [("ray_tune", "both"), ("ray_tune", "table"), ("sb3", "rllab")]


def test_what_two_readers_read_of_one_file_is_said(tmp_path: Path) -> None:
    """Should they ever: here a file is what Lightning and the export of a chart look like."""
    header = '"step","r - loss","r - loss__MIN","r - loss__MAX"'
    written(tmp_path, {"metrics.csv": f'{header}\n"0","1","1","1"\n'})
    reader = opened(tmp_path)
    first, second = reader.runs()
    assert not [one for one in reader.read(first) if isinstance(one, Lost)]
    told = [one.loss for one in reader.read(second) if isinstance(one, Lost)]
    assert [loss.code for loss in told if str(first.key) in loss.detail] == ["shared-file"]


def test_what_a_run_of_wandb_saved_is_that_runs(tmp_path: Path) -> None:
    home = wandb_run(tmp_path, "one").parent
    written(home / "files", {name: text for name, (_, text) in LOGS.items()})
    assert [run.key.tracker for run in runs(tmp_path)] == ["wandb"]


def test_a_folder_that_was_named_gives_its_name_to_the_id(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = written(tmp_path / "exp", {"metrics.csv": "step,loss\n0,1.5\n"})
    (direct,) = runs(home)
    (below,) = runs(tmp_path)
    monkeypatch.chdir(home)
    (here,) = runs(Path())
    assert direct.key == below.key == here.key
    assert direct.key.run_id.startswith("exp@")


def test_pipes_and_sockets_are_never_waited_for(tmp_path: Path) -> None:
    for number, name in enumerate(MARKERS):
        for home in (tmp_path / "all", tmp_path / "version_0", tmp_path / str(number)):
            (home / name).parent.mkdir(parents=True, exist_ok=True)
            os.mkfifo(home / name)
    found = homes(tmp_path).places
    assert not [run.key for place in found for run in _listed(place)]


def _listed(place: Location) -> list[Run]:
    reader = registry.reader(place.tracker).open(place, ReadOptions())
    return list(reader.runs())


def test_a_pipe_that_is_named_is_refused(tmp_path: Path) -> None:
    for name in ("x.wandb", "events.out.tfevents.1.h", "metrics.csv", "training.csv"):
        os.mkfifo(tmp_path / name)
        for tracker in {*registry.loose_names(), *registry.TABLES}:
            place = Location(tracker, str(tmp_path / name))
            with pytest.raises(NotFound):
                registry.reader(tracker).open(place, ReadOptions())


def test_links_in_circles_end_and_bring_no_run_twice(tmp_path: Path) -> None:
    home = written(tmp_path / "a" / "b", {"metrics.csv": "step,loss\n0,1.5\n"})
    (home / "up").symlink_to(tmp_path)
    (home / "self").symlink_to(home / "self")
    (tmp_path / "one").symlink_to(tmp_path / "two")
    (tmp_path / "two").symlink_to(tmp_path / "one")
    (tmp_path / "again").symlink_to(home)
    (tmp_path / "out").symlink_to("/")
    assert len(runs(tmp_path)) == 1


@pytest.mark.usefixtures("modes_hold")
def test_what_is_closed_hides_nothing_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    written(tmp_path, {name: text for name, (_, text) in LOGS.items()})
    result = json.dumps({"training_iteration": 1}) + "\n"
    for name in ("shut", "zopen"):
        written(tmp_path / name / "hy", {".hydra/config.yaml": "lr: 1\n"})
        written(tmp_path / name / "ray", {"result.json": result, "params.json": "{}"})
        written(tmp_path / name / "sacred", {"run.json": '{"command": "x"}', "config.json": "{}"})
        written(tmp_path / name / "dvc", {"plots/metrics/a.tsv": "step\ta\n0\t1\n"})
    every = runs(tmp_path)
    shut = [path for path in (tmp_path / "shut").rglob("*") if path.is_file()]
    for path in shut:
        path.chmod(0)
    (tmp_path / "version_0").chmod(0)
    caplog.set_level(logging.WARNING)
    reader = opened(tmp_path)
    found = list(reader.runs())
    try:
        lost = {run.key for run in every} - {run.key for run in found}
        expected = {key for key in lost if key.run_id.startswith(("shut/", "version_0"))}
        assert lost == expected
        for run in found:
            if run.key.run_id.startswith("shut/"):
                with pytest.raises(SourceError, match="cannot be read"):
                    list(reader.read(run))
        assert "version_0 was not looked into" in caplog.text
    finally:
        (tmp_path / "version_0").chmod(0o755)


def test_thousands_of_folders_hide_no_run(tmp_path: Path) -> None:
    """Of every kind: a search that gives up after some names would leave them out in silence."""
    for number in range(25):
        folder = tmp_path / f"a{number:02}"
        folder.mkdir()
        for file in range(1000):
            (folder / f"{file}.txt").touch()
    written(tmp_path / "z", {name: text for name, (_, text) in LOGS.items()})
    written(tmp_path / "z" / "job", {".hydra/config.yaml": "lr: 1\n"})
    assert len(runs(tmp_path)) == len(LOGS) + 1


def test_a_tree_is_listed_once_for_all_readers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path, {name: text for name, (_, text) in LOGS.items()})
    listed = listings(monkeypatch)
    assert homes(tmp_path).places
    assert len(listed) == len(set(listed)) == 7


def test_databases_in_use_are_neither_locked_nor_changed(tmp_path: Path) -> None:
    """With a journal that waits to be rolled back, and with a write-ahead log."""
    for mode in ("DELETE", "WAL"):
        path = tmp_path / f"{mode}.db"
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute(f"PRAGMA journal_mode={mode}")
        connection.execute("CREATE TABLE runs (id)")
        connection.execute("CREATE TABLE kept (id)")
        connection.execute("BEGIN EXCLUSIVE")
        connection.execute("INSERT INTO kept VALUES (1)")
        (tmp_path / f"copy-{mode}").mkdir()
        for file in tmp_path.glob(f"{mode}.db*"):
            shutil.copy(file, tmp_path / f"copy-{mode}")
        before = _state(tmp_path)
        assert not homes(tmp_path).places
        assert _state(tmp_path) == before
        connection.execute("COMMIT")
        connection.close()


def _state(root: Path) -> dict[str, tuple[int, int, bytes]]:
    found = {}
    for path in sorted(root.rglob("*")):
        status = path.stat()
        if stat.S_ISREG(status.st_mode):
            found[str(path)] = (status.st_size, status.st_mtime_ns, path.read_bytes())
    return found


def test_the_marks_that_stores_are_told_by_are_those_that_are_written() -> None:
    assert registry.MARKS[registry.ARCHIVE] == MANIFEST
    assert {registry.MARKS[name] for name in registry.TABLES} == {MARK}

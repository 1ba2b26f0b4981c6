"""`runferry convert neptune-models: neptune:`: a server's models and versions, as runs of it."""

from __future__ import annotations

import base64
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("neptune", reason="neptune is not installed")

import neptune
from botocore.exceptions import EndpointConnectionError
from neptune.exceptions import ArtifactUploadingError
from neptune.internal.artifacts.drivers import LocalArtifactDriver, S3ArtifactDriver
from neptune.types import Boolean, Datetime, File, Float, Integer
from neptune_runs import PNG
from neptune_shown import replayed
from tests.cli.calling import Answer, Caller, environment
from tests.cli.terminals import conversation
from tests.readers.neptune_exports import atoms, points, put_file, write_run

from runferry import load_wandb_database, settings
from runferry.testing.neptune_backend import NeptuneServer
from runferry.writers.neptune.tracked import Tracked

BEGAN = 1_700_000_000.25
BEGUN = datetime.fromtimestamp(BEGAN, UTC)
NOBODY: Any = None  # nothing is sent to it
ROUNDED = ("--allow", "rounded")
"""A server tells neither steps nor times of images."""
SCRIPT = """
import sys
from pathlib import Path
from runferry.testing.neptune_backend import NeptuneServer
from test_models_to_neptune import log_models
server = NeptuneServer(Path("server"), ["team/vision"])
server.install()
log_models("team/vision")
from runferry.cli import main
main()
print("runs:", sorted(server.runs), file=sys.stderr)
"""

READ_ONLY_SYS = frozenset(
    {
        "creation_time", "id", "modification_time", "monitoring_time", "owner", "ping_time",
        "running_time", "size", "trashed", "stage", "model_id",
    }
)  # fmt: skip
"""Of namespace `sys`: what only Neptune itself sets."""


def log_models(project: str) -> None:
    """A model with two versions."""
    model = neptune.init_model(project=project, key="MOD", name="net", mode="sync")
    model["sys/description"] = "words"
    model["sys/tags"].add(["good"])
    model["signature"] = "x -> y"
    model.stop()
    for number in range(2):
        version = neptune.init_model_version(project=project, model="PRO-MOD", mode="sync")
        version["accuracy"] = number / 2
        for step in range(3):
            version["val/loss"].append(step / 4, step=step + 0.5, timestamp=BEGAN + step)
        version["notes"].append("a line", timestamp=BEGAN)
        version["words"].add(["x", "y"])
        version.stop()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[NeptuneServer]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NEPTUNE_DATA_DIRECTORY", str(tmp_path / "queue"))
    monkeypatch.setenv("NEPTUNE_PROJECT", "team/vision")
    monkeypatch.setenv("NEPTUNE_API_TOKEN", "any")
    monkeypatch.setenv("RUNFERRY_NEPTUNE_MODE", "sync")
    server = NeptuneServer(tmp_path / "server", ["team/vision", "team/sound"])
    server.install(monkeypatch.setattr)
    log_models("team/vision")
    yield server
    settings.install(None)


def runs_of(server: NeptuneServer, project: str = "team/vision") -> dict[str, dict[str, Any]]:
    """The attributes of the runs of a project, by `sys/custom_run_id`."""
    return {run_id: server.values(name, run_id) for name, run_id in server.runs if name == project}


def migrated(*args: str) -> Answer:
    answer = Caller(Path())("convert", *args, "--json")
    assert answer.code == 0, answer.err
    return answer


def test_models_and_versions_become_runs_of_their_own_project(server: NeptuneServer) -> None:
    answer = migrated("neptune-models:", "neptune:", "--workers", "2")
    assert answer.json["push"]["counts"] == {"new": 3}
    assert answer.json["verify"]["clean"]
    found = runs_of(server)
    assert set(found) == {"PRO-MOD", "PRO-MOD-1", "PRO-MOD-2"}
    model, version = found["PRO-MOD"], found["PRO-MOD-2"]
    assert model["sys/tags"] == {"good", "model"}
    assert version["sys/tags"] == {"model_version"}
    assert {*model["sys/group_tags"], *version["sys/group_tags"]} == {"PRO-MOD"}
    assert (model["sys/name"], model["sys/description"]) == ("net", "words")


def test_of_sys_what_cannot_be_set_is_below_old_sys(server: NeptuneServer) -> None:
    made = server.made["team/vision", "PRO-MOD-1"]
    times = ("creation_time", "modification_time", "ping_time")
    counted = {
        "monitoring_time": Integer(7),
        "running_time": Float(61.5),
        "trashed": Boolean(False),
    }
    values = counted | {name: Datetime(BEGUN) for name in times}
    for name, value in values.items():  # of these the vendor's in-memory backend has few
        server.containers[made.id, made.type].set(["sys", name], value)
    before = server.containers[made.id, made.type].get_structure()["sys"]
    migrated("neptune-models:", "neptune:")
    version = runs_of(server)["PRO-MOD-1"]
    for name in READ_ONLY_SYS:
        assert version[f"old_sys/{name}"] == before[name].value, name
    assert version["old_sys/model_id"] == "PRO-MOD"
    assert "old_sys/state" not in version


def test_values_and_series_keep_steps_and_parts_of_seconds(server: NeptuneServer) -> None:
    migrated("neptune-models:", "neptune:")
    version = runs_of(server)["PRO-MOD-2"]
    assert version["accuracy"] == 0.5
    assert version["words"] == {"x", "y"}
    assert version["val/loss"] == [(step + 0.5, BEGAN + step, step / 4) for step in range(3)]
    assert [(row[1], row[2]) for row in version["notes"]] == [(BEGAN, "a line")]


def test_versions_are_numbered_within_their_project(server: NeptuneServer) -> None:
    log_models("team/sound")
    versions = sorted(key for key in server.made if key[1].startswith("PRO-MOD-"))
    projects = ("team/sound", "team/vision")
    assert versions == [(name, f"PRO-MOD-{n}") for name in projects for n in (1, 2)]


def picture(number: int) -> File:
    """One that differs from those of other numbers."""
    return File.from_content(PNG + bytes([number]), extension="png")


def log_files(home: Path) -> None:
    """Another version, with all that holds bytes or names places."""
    home.mkdir()
    for name in ("hello.py", "data/train.csv", "data/more/test.csv"):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(name)
    version = neptune.init_model_version(project="team/vision", model="PRO-MOD", mode="sync")
    version["model/weights"].upload(File.from_content(b"weights", extension="ckpt"))
    version["model/card"].upload(File.from_content("words", extension="txt"))
    version["source_code/files"].upload_files([str(home / "*.py")])
    version["data/train"].upload_files([str(home / "data" / "*.csv")])
    for step in (3, 4):
        version["pictures"].append(picture(step), step=step)
    version["data/tracked"].track_files(str(home / "data"))
    version.stop()


@pytest.fixture
def files(server: NeptuneServer, tmp_path: Path) -> tuple[dict[str, Any], dict[str, Any], Any]:
    """Values and files of the run that this version became, and what was told."""
    log_files(tmp_path / "home")
    answer = migrated("neptune-models:", "neptune:", "--run", "PRO-MOD-3", *ROUNDED)
    values = runs_of(server)["PRO-MOD-3"]
    return values, server.contents("team/vision", "PRO-MOD-3"), answer.json


def losses_of(told: Any) -> set[tuple[str, str]]:
    (run,) = told["push"]["runs"]
    return {(loss["code"], loss["where"]) for loss in run["losses"]}


def test_files_of_a_set_carry_its_namespace_as_prefix(files: Any) -> None:
    _, sets, _ = files
    assert sets["source_code/files"] == {"source_code/files/home/hello.py": b"hello.py"}
    assert sets["data/train"] == {"data/train/home/data/train.csv": b"data/train.csv"}


def test_a_file_keeps_its_attribute_its_bytes_and_its_extension(files: Any) -> None:
    values, sets, _ = files
    run = neptune.init_run(project="team/vision", with_id=values["sys/id"], mode="read-only")
    for path, content, extension in (
        ("model/weights", b"weights", "ckpt"),
        ("model/card", b"words", "txt"),
    ):
        assert sets[path] == {"": content}
        assert run[path].fetch_extension() == extension
    run.stop()


def test_a_series_of_files_of_a_server_keeps_its_order_and_the_hidden_steps_are_told(
    files: Any,
) -> None:
    values, _, told = files
    assert [(step, pictured(image)) for step, _, image in values["pictures"]] == [(0, 3), (1, 4)]
    (run,) = told["pull"]["runs"]
    (loss,) = (loss for loss in run["losses"] if loss["code"] == "image-address")
    assert (loss["where"], loss["fate"], loss["count"]) == ("pictures", "rounded", 2)


def pictured(image: Any) -> int:
    """The number of a picture."""
    return base64.b64decode(image.data)[-1]


def test_a_series_of_files_of_an_export_keeps_order_steps_and_times(
    server: NeptuneServer, tmp_path: Path
) -> None:
    data = tmp_path / "export" / "model_data"
    rows = [
        ("2.0", {"path": put_file(data, "VIS-MOD-1/2.png", PNG + b"\x02", "model_files")}),
        ("5.0", {"path": put_file(data, "VIS-MOD-1/5.png", PNG + b"\x05", "model_files")}),
    ]
    about = atoms("VIS-MOD-1", {"sys/id": "VIS-MOD-1", "sys/creation_time": BEGUN})
    pictures = points("VIS-MOD-1", "pictures", rows, "file_series")
    write_run(data, "VIS-MOD-1", [*about, *pictures], scope="model_versions")
    migrated(f"neptune-models:{data.parent}", "neptune:team/vision")
    found = runs_of(server)["VIS-MOD-1"]["pictures"]
    times = [row["timestamp"].timestamp() for row in pictures]
    assert [(step, pictured(image)) for step, _, image in found] == [(2, 2), (5, 5)]
    assert [time for _, time, _ in found] == times


def test_an_artifact_tracks_the_files_where_they_lie(
    files: Any, server: NeptuneServer, tmp_path: Path
) -> None:
    values, _, told = files
    listed = server.tracked[values["data/tracked"].hash]
    assert {one.file_path for one in listed} == {"train.csv", "more/test.csv"}
    assert ("artifact-hash", "data/tracked") in losses_of(told)


def test_files_that_are_not_where_they_were_are_told(server: NeptuneServer, tmp_path: Path) -> None:
    log_files(tmp_path / "home")
    shutil.rmtree(tmp_path / "home" / "data")
    check_that_it_is_not_shown(server)


def check_that_it_is_not_shown(server: NeptuneServer) -> None:
    answer = migrated("neptune-models:", "neptune:", "--run", "PRO-MOD-3", *ROUNDED)
    assert "data/tracked" not in runs_of(server)["PRO-MOD-3"]
    assert ("not-shown", "data/tracked") in losses_of(answer.json)


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_what_the_client_takes_for_a_pattern_is_told(
    server: NeptuneServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    log_files(tmp_path / "home")
    shutil.rmtree(tmp_path / "home" / "data" / "more")
    (tmp_path / "home" / "data" / "train.csv").rename(tmp_path / "home" / "data" / "train*.csv")
    monkeypatch.setenv("RUNFERRY_NEPTUNE_MODE", mode)
    check_that_it_is_not_shown(server)


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_an_artifact_that_the_server_did_not_take_is_an_error(
    server: NeptuneServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    log_files(tmp_path / "home")
    monkeypatch.setenv("RUNFERRY_NEPTUNE_MODE", mode)

    def failing(*_: object) -> None:
        raise ArtifactUploadingError("no")

    monkeypatch.setattr(LocalArtifactDriver, "get_tracked_files", failing)
    answer = Caller(Path())(
        "convert", "neptune-models:", "neptune:", "--run", "PRO-MOD-3", *ROUNDED, "--json"
    )
    assert answer.code == 4, answer.err
    assert "runferry/sealed" not in runs_of(server)["PRO-MOD-3"]


def test_a_bucket_that_says_no_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def closed(place: str) -> None:
        asked.append(place)
        raise EndpointConnectionError(endpoint_url="https://s3")

    monkeypatch.setattr(S3ArtifactDriver, "get_tracked_files", closed)
    places = [(f"{name}.csv", f"s3://bucket/{name}.csv") for name in "abc"]
    tracked = Tracked()
    assert not tracked.send(NOBODY, "data/tracked", places)
    assert asked == ["s3://bucket/a.csv"]
    (loss,) = tracked.losses()
    assert (loss.code, loss.count) == ("not-shown", 3)


def test_the_stage_becomes_a_tag_on_request(server: NeptuneServer) -> None:
    """Of runs that are there already with `--restart` only, which is said."""
    migrated("neptune-models:", "neptune:")
    answer = migrated("neptune-models:", "neptune:", "--stage-as-tag")
    (note,) = answer.json["notes"]
    assert "3 runs there already, left as sent before; --restart" in note
    assert runs_of(server)["PRO-MOD-1"]["sys/tags"] == {"model_version"}
    answer = migrated("neptune-models:", "neptune:", "--stage-as-tag", "--restart")
    assert not [note for note in answer.json["notes"] if "--restart" in note]
    version = runs_of(server)["PRO-MOD-1"]
    assert version["sys/tags"] == {"model_version", "none"}
    assert "old_sys/stage" not in version


def test_the_report_says_that_relative_time_begins_before_the_run(server: NeptuneServer) -> None:
    answer = Caller(Path())("convert", "neptune-models:", "neptune:")
    assert answer.code == 0, answer.err
    assert "note: Neptune sets the creation time" in answer.out
    assert "old_sys/creation_time" in answer.out


def test_a_rerun_appends_nothing(server: NeptuneServer) -> None:
    migrated("neptune-models:", "neptune:")
    before = runs_of(server)
    again = migrated("neptune-models:", "neptune:")
    assert again.json["push"]["counts"] == {"unchanged": 3}
    elsewhere = migrated("neptune-models:", "neptune:", "--archive", "another")
    assert elsewhere.json["push"]["counts"] == {"unchanged": 3}
    assert runs_of(server) == before


def test_temporary_files_lie_in_one_folder_and_are_removed_when_all_went_well(
    server: NeptuneServer,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log_files(tmp_path / "home")
    before = {path.name for path in Path().iterdir()}
    temporary = tmp_path_factory.mktemp("temporary")
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.setenv("RUNFERRY_NEPTUNE_MODE", "async")
    kept, uploaded = NeptuneServer.keep, []

    def keep(server: NeptuneServer, path: Path) -> Path:
        uploaded.append(path)
        return kept(server, path)

    monkeypatch.setattr(NeptuneServer, "keep", keep)
    migrated("neptune-models:", "neptune:", *ROUNDED)
    assert uploaded
    assert all(path.is_relative_to(temporary) for path in uploaded)
    assert not list(temporary.iterdir())
    beside = {path.name for path in Path().iterdir()} - before
    (log,) = beside - {".runferry"}
    assert log.startswith("neptune-models-to-neptune-")


def test_filters_choose_models_and_versions(server: NeptuneServer) -> None:
    migrated("neptune-models:", "neptune:", "--run", "PRO-MOD-*")
    assert set(runs_of(server)) == {"PRO-MOD-1", "PRO-MOD-2"}
    migrated("neptune-models:", "neptune:", "--tag", "good")
    assert "PRO-MOD" in runs_of(server)


@pytest.mark.parametrize("source", ["neptune-models:team", "neptune-models:team/vision,sound"])
def test_several_or_all_projects_of_a_workspace(server: NeptuneServer, source: str) -> None:
    log_models("team/sound")
    migrated(source, "neptune:")
    for project in ("team/vision", "team/sound"):
        assert len(runs_of(server, project)) == 3, project


def test_a_failed_pull_of_what_was_asked_for_is_told_as_that(
    server: NeptuneServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(*_: object, **__: object) -> None:
        raise ConnectionError("the line is cut")

    monkeypatch.setattr(neptune.ModelVersion, "fetch", lost)
    answer = Caller(Path())("convert", "neptune-models:", "neptune:", "--run", "PRO-MOD-1")
    assert answer.code != 0
    assert "the line is cut" in answer.err
    assert "no run is selected" not in answer.err
    assert "note: " not in answer.out, "nothing was moved"


def test_an_unknown_project_is_a_clear_error(server: NeptuneServer) -> None:
    answer = Caller(Path())("convert", "neptune-models:team/unknown", "neptune:")
    assert answer.code != 0
    assert "team/unknown" in answer.err
    (log,) = Path().glob("neptune-models-to-neptune-*.log")
    assert "team/unknown" in log.read_text()


def test_no_project_is_a_clear_error(
    server: NeptuneServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NEPTUNE_PROJECT")
    answer = Caller(Path())("convert", "neptune-models:", "neptune:")
    assert answer.code == 2
    assert "NEPTUNE_PROJECT" in answer.err


def test_the_queue_of_the_client_takes_models_too(
    server: NeptuneServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNFERRY_NEPTUNE_MODE", "offline")
    migrated("neptune-models:", "neptune:")
    queued = [replayed(queue) for queue in Path("queue", "offline").iterdir()]
    assert {run["runferry/run_id"] for run in queued} == {"PRO-MOD", "PRO-MOD-1", "PRO-MOD-2"}
    assert "queued" not in migrated("neptune-models:", "neptune:").err
    shutil.rmtree(Path("queue", "offline"))  # as `neptune sync` does
    assert "3 runs were queued before" in migrated("neptune-models:", "neptune:").err


def test_elsewhere_they_become_runs_of_their_job_type(
    server: NeptuneServer, database: Path
) -> None:
    migrated("neptune-models:", "wandb:./runs")
    databases = [load_wandb_database(path) for path in Path("runs").rglob("*.wandb")]
    runs = [record for database in databases for record in database.run]
    assert {run["run_id"]: run["job_type"] for run in runs} == {
        "PRO-MOD": "model", "PRO-MOD-1": "model_version", "PRO-MOD-2": "model_version"
    }  # fmt: skip
    assert {run["run_group"] for run in runs} == {"PRO-MOD"}
    migrated("neptune-models:", f"mlflow:sqlite:///{database}")
    with closing(sqlite3.connect(database)) as tracked:
        kinds = tracked.execute("SELECT value FROM tags WHERE key = 'runferry.kind'").fetchall()
    assert sorted(kinds) == [("model",), ("model_version",), ("model_version",)]


# --- on a terminal

PROJECT = "Neptune project, WORKSPACE/PROJECT (blank: NEPTUNE_PROJECT): "
WORKERS = "Number of workers (blank: "


def asked(folder: Path, answers: list[tuple[str, str]], *args: str) -> tuple[int, str]:
    command = [sys.executable, "-W", "ignore", "-c", SCRIPT, "convert", *args]
    return conversation(
        command,
        answers,
        folder,
        environment(
            NEPTUNE_DATA_DIRECTORY=str(folder / "queue"), NEPTUNE_PROJECT="team/vision",
            NEPTUNE_API_TOKEN="any",
            RUNFERRY_NEPTUNE_MODE="sync", HOME=str(folder), XDG_CONFIG_HOME=str(folder),
        ),
    )  # fmt: skip


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are of POSIX")
@pytest.mark.parametrize("project", ["team/vision", ""])
def test_project_and_workers_are_asked_for_in_this_order(tmp_path: Path, project: str) -> None:
    code, shown = asked(
        tmp_path, [(PROJECT, project), (WORKERS, "3")], "neptune-models:", "neptune:"
    )
    assert code == 0, shown
    assert "3 new" in shown
    assert "note: Neptune sets the creation time" in shown


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are of POSIX")
def test_an_unknown_project_ends_it(tmp_path: Path) -> None:
    code, shown = asked(
        tmp_path, [(PROJECT, "team/nothing"), (WORKERS, "")], "neptune-models:", "neptune:"
    )
    assert code not in (0, None), shown
    assert "team/nothing" in shown

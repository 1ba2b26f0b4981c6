"""Files and artifacts of Neptune's models: with their bytes, their order, and where they lie."""

from __future__ import annotations

import base64
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("neptune", reason="neptune is not installed")

import neptune
from botocore.exceptions import EndpointConnectionError
from neptune.exceptions import ArtifactUploadingError
from neptune.internal.artifacts.drivers import LocalArtifactDriver, S3ArtifactDriver
from neptune.types import File
from neptune_models import BEGUN, ROUNDED, migrated, runs_of
from neptune_models import server as server  # noqa: PLC0414  a fixture
from neptune_runs import PNG
from tests.cli.calling import Caller
from tests.readers.neptune_exports import atoms, points, put_file, write_run

from runferry.testing.neptune_backend import NeptuneServer
from runferry.writers.neptune.tracked import Tracked

NOBODY: Any = None  # nothing is sent to it


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

"""A server's runs and models through the real client, whose server is a stand-in."""

from __future__ import annotations

import io
import warnings
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from gathered import Gathered, gather
from neptune_gathered import gather_all, neptune_at
from neptune_serving import BEGAN, PROJECT, QUIET, logging_to, neptune
from neptune_serving import server as server  # noqa: PLC0414  a fixture

from runferry.errors import BadLocation, NotFound, SourceChanged
from runferry.ports import Location, ReadOptions
from runferry.readers.neptune.reader import NeptuneModelsReader, NeptuneReader
from runferry.readers.neptune.server.series import ServedSeries
from runferry.testing.content import Content, digest_of
from runferry.testing.neptune_backend import NeptuneServer
from runferry.testing.reader_contract import ReaderContract


def picture() -> bytes:
    from PIL import Image

    content = io.BytesIO()
    Image.new("L", (2, 2), 7).save(content, "PNG")
    return content.getvalue()


def log_everything(home: Path, **options: Any) -> None:
    home.mkdir(exist_ok=True)
    (home / "a.csv").write_bytes(b"1,2\n")
    (home / "b.csv").write_bytes(b"3,4\n")
    with logging_to(name="hello", description="words", tags=["a", "b"], **options) as run:
        run["params"] = {"lr": 0.1, "n": 3, "flag": True, "text": "ü"}
        run["when"] = datetime(2024, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
        run["words"].add(["y", "x"])
        for number in range(2500):
            run["train/loss"].append(number / 7, step=number / 4, timestamp=BEGAN + number)
        run["notes"].extend(["one", "two"], timestamps=[BEGAN, BEGAN + 0.001])
        run["pictures"].append(neptune.types.File.from_content(picture(), extension="png"), step=7)
        run["weights"].upload(str(home / "a.csv"))
        run["memory"].upload(neptune.types.File.from_content("in memory", extension="txt"))
        run["set"].upload_files([str(home / "*.csv")])
        run["data"].track_files(str(home / "a.csv"))


def models_of(text: str = PROJECT) -> dict[str, Gathered]:
    reader = NeptuneModelsReader.open(Location("neptune-models", text), ReadOptions())
    return {run.key.run_id: gather(reader, run) for run in reader.runs()}


class TestNeptuneServed(ReaderContract):
    reader = NeptuneReader

    @pytest.fixture
    def source(self, tmp_path: Path, server: NeptuneServer) -> Location:
        with logging_to() as run:
            run["a"] = 1
            for number in range(5):
                run["loss"].append(float(number), step=number, timestamp=BEGAN)
                run["notes"].append(f"{number}", timestamp=BEGAN)
            run["memory"].upload(neptune.types.File.from_content("text", extension="txt"))
        with logging_to() as run:
            run["loss"].append(1.0, timestamp=BEGAN)
        return Location("neptune", PROJECT)

    def grow(self, source: Location) -> None:
        run = neptune.init_run(project="team/vision", with_id="PRO-1", mode="sync", **QUIET)
        run["a"] = 2
        run["loss"].append(5.0, step=5, timestamp=BEGAN)
        run["new"].append(1.0, timestamp=BEGAN)
        run.stop()

    def nowhere(self, tmp_path: Path) -> Location:
        return Location("neptune", "team/nothing")


def test_what_was_logged_is_read(server: NeptuneServer, tmp_path: Path) -> None:
    log_everything(tmp_path / "home")
    found = gather_all(PROJECT)["PRO-1"]
    config = found.role("config")
    assert config == {
        ("params", "lr"): 0.1,
        ("params", "n"): 3,
        ("params", "flag"): True,
        ("params", "text"): "ü",
        ("when",): datetime(2024, 1, 2, 3, 4, 5, 678000, UTC),
        ("words",): ["x", "y"],
    }
    loss = found.points("train.loss")
    assert [p["value"] for p in loss] == [n / 7 for n in range(2500)]
    assert [(p["step"], p["step_frac"] or 0) for p in loss] == [
        (n // 4, n % 4 * 250_000) for n in range(2500)
    ]
    assert [p["time"].timestamp() for p in loss] == [BEGAN + n for n in range(2500)]
    assert [(t["text"], t["step"]) for t in found.rows("texts")] == [("one", 0), ("two", 1)]


def test_the_header_is_what_the_table_says(server: NeptuneServer, tmp_path: Path) -> None:
    log_everything(tmp_path / "home")
    header = gather_all(PROJECT)["PRO-1"].header
    assert (header.key.scope, header.key.run_id) == ("team/vision", "PRO-1")
    assert (header.name, header.notes, header.tags) == ("hello", "words", ("a", "b"))
    assert (header.entity, header.project) == ("team", "vision")
    assert header.created is not None
    assert header.state == "running"


def test_bytes_are_fetched_when_they_are_opened(server: NeptuneServer, tmp_path: Path) -> None:
    log_everything(tmp_path / "home")
    found = gather_all(PROJECT)["PRO-1"]
    assert set(found.files) == {"weights.csv", "memory.txt", "set/a.csv", "set/b.csv"}
    with found.files["set/b.csv"].blob.open() as content:  # type: ignore[misc]
        assert content.read() == b"3,4\n"
    with found.files["memory.txt"].blob.open() as content:  # type: ignore[misc]
        assert content.read() == b"in memory"
    (item,) = found.media
    assert digest_of(item.blob) == digest_of(type(item.blob).from_bytes(picture()))
    assert "image-address" in found.codes()


def test_an_artifact_is_what_it_tracks(server: NeptuneServer, tmp_path: Path) -> None:
    log_everything(tmp_path / "home")
    (artifact,) = gather_all(PROJECT)["PRO-1"].artifacts
    (entry,) = artifact.entries
    assert (entry.path, entry.blob.size) == ("a.csv", 4)
    assert entry.reference == (tmp_path / "home" / "a.csv").as_uri()
    assert artifact.digest


def test_series_come_page_by_page(server: NeptuneServer) -> None:
    with logging_to() as run:
        for number in range(2500):
            run["loss"].append(float(number), timestamp=BEGAN)
    server.pages = 0
    assert gather_all(PROJECT)["PRO-1"].values("loss") == [float(n) for n in range(2500)]
    assert server.pages == 4  # how many there are, and three pages


def test_values_that_the_server_counts_and_does_not_give_are_told(
    server: NeptuneServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with logging_to() as run:
        run["loss"].extend([1.0, 2.0], timestamps=[BEGAN, BEGAN])
    monkeypatch.setattr(ServedSeries, "_total", lambda *_: 5)
    found = gather_all(PROJECT)["PRO-1"]
    assert found.values("loss") == [1.0, 2.0]
    assert [(one.where, one.count) for one in found.losses if one.code == "missing-values"] == [
        ("loss", 3)
    ]


def test_what_grows_is_read_on_without_asking_for_the_rest(server: NeptuneServer) -> None:
    with logging_to() as run:
        for number in range(1500):
            run["loss"].append(float(number), step=number, timestamp=BEGAN)
        reader = neptune_at(PROJECT)
        (listed,) = reader.runs()
        first = gather(reader, listed)
        run["loss"].append(7.0, step=2000, timestamp=BEGAN)
    server.pages = 0
    rest = gather(reader, listed, first.cursor())
    assert rest.values("loss") == [7.0]
    assert server.pages == 2
    joined = Content.of([*reader.read(listed)]).comparable()["rows"]["Points"]
    assert len(joined) == 1501


def test_values_or_files_that_are_gone_are_a_changed_source(server: NeptuneServer) -> None:
    with logging_to() as run:
        run["loss"].extend([1.0, 2.0], timestamps=[BEGAN, BEGAN])
        reader = neptune_at(PROJECT)
        (listed,) = reader.runs()
        cursor = gather(reader, listed).cursor()
        run["file"].upload(neptune.types.File.from_content("x", extension="txt"))
        with pytest.raises(SourceChanged):
            gather(reader, listed, cursor)
        cursor = gather(reader, listed).cursor()
        server.series[server.made["team/vision", "PRO-1"].id]["loss"].pop()
        with pytest.raises(SourceChanged, match="had 2 values"):
            gather(reader, listed, cursor)


# --- models


def log_models() -> None:
    model = neptune.init_model(project="team/vision", key="MOD", name="net", mode="sync")
    model["signature"] = "x -> y"
    model.stop()
    for number in range(2):
        version = neptune.init_model_version(project="team/vision", model="PRO-MOD", mode="sync")
        version["accuracy"] = number / 2
        version["loss"].append(0.5, step=1, timestamp=BEGAN)
        version.stop()


def test_models_and_versions_are_runs_of_their_kinds_and_one_group(server: NeptuneServer) -> None:
    log_models()
    found = models_of()
    assert set(found) == {"PRO-MOD", "PRO-MOD-1", "PRO-MOD-2"}
    model, second = found["PRO-MOD"], found["PRO-MOD-2"]
    assert (model.header.kind, model.header.job_type) == ("model", "model")
    assert (second.header.kind, second.header.job_type) == ("model_version", "model_version")
    assert {one.header.group for one in found.values()} == {"PRO-MOD"}
    assert model.role("config") == {("signature",): "x -> y"}
    assert second.role("config") == {("accuracy",): 0.5}
    assert second.role("other")["sys", "stage"] == "none"
    assert second.values("loss") == [0.5]


def test_nobody_who_moves_models_is_warned_of_them(
    server: NeptuneServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    log_models()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")  # as the vendor's package has it, once it is imported
        monkeypatch.setattr("neptune.common.warnings.warned_once", set())
        models_of()
    assert not [one for one in told if "registry" in str(one.message)]


def test_runs_and_models_are_two_sources(server: NeptuneServer) -> None:
    with logging_to() as run:
        run["a"] = 1
    log_models()
    assert set(gather_all(PROJECT)) == {"PRO-1"}
    assert set(models_of()) == {"PRO-MOD", "PRO-MOD-1", "PRO-MOD-2"}


# --- places


def test_one_run_several_projects_or_all_of_a_workspace(server: NeptuneServer) -> None:
    for project in ("team/other", "elsewhere/third"):
        server.add(project)
    for project in ("team/vision", "team/other", "elsewhere/third"):
        with logging_to(project) as run:
            run["project"] = project
    assert set(gather_all("team/vision/PRO-1")) == {"PRO-1"}

    def projects(text: str) -> list[str]:
        reader = neptune_at(text)
        return [run.key.scope for run in reader.runs()]

    assert projects("team/vision,other") == ["team/vision", "team/other"]
    assert projects("team") == ["team/other", "team/vision"]
    with pytest.raises(NotFound, match="no project"):
        projects("nobody")
    with pytest.raises(NotFound, match="of this id"):
        projects("team/vision/PRO-99")
    with pytest.raises(BadLocation):
        projects("team/vision/PRO-1/deeper")


def test_nothing_behind_the_name_is_the_project_of_the_environment(
    server: NeptuneServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with logging_to() as run:
        run["a"] = 1
    with pytest.raises(BadLocation, match="NEPTUNE_PROJECT"):
        neptune_at("")
    monkeypatch.setenv("NEPTUNE_PROJECT", "team/vision")
    assert set(gather_all("")) == {"PRO-1"}


def test_the_client_says_nothing_on_standard_output(
    server: NeptuneServer, capsys: pytest.CaptureFixture[str]
) -> None:
    with logging_to() as run:
        run["a"] = 1
    capsys.readouterr()
    gather_all(PROJECT)
    assert capsys.readouterr().out == ""

"""Offline experiments of Comet, made by Comet's own client."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from comet_experiments import BEGAN, ENDED, experiment, metric, packed
from run_folders import gather_one
from tests.blobs import bytes_of

from runferry import chunks
from runferry.ports import Location
from runferry.python_apart import environment_apart
from runferry.readers.comet import CometReader
from runferry.testing.reader_contract import ReaderContract

SCRIPT = Path(__file__).with_name("comet_script.py")


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive of an experiment that Comet's client logged."""
    if find_spec("comet_ml") is None:  # imported here it would log whatever other tests do
        pytest.skip("comet_ml is not installed")
    home = tmp_path_factory.mktemp("comet")
    environment = environment_apart() | {
        "COMET_API_KEY": "", "COMET_DISABLE_AUTO_LOGGING": "0", "HOME": str(home),
    }  # fmt: skip
    command = [sys.executable, "-W", "ignore", str(SCRIPT), str(home)]
    subprocess.run(command, check=True, capture_output=True, timeout=120, env=environment)
    (archive,) = home.glob("*.zip")
    return archive


class TestComet(ReaderContract):
    reader = CometReader

    @pytest.fixture
    def source(self, tmp_path: Path) -> Location:
        rows = [metric(name, n / 7, n) for n in range(9) for name in ("a", "b")]
        home = experiment(tmp_path / "made" / "x", rows, **ENDED)
        packed(home, tmp_path / "made" / "one.zip")
        (home / "experiment.json").unlink()
        return Location("comet", str(tmp_path / "made"))

    @classmethod
    def sized(cls, folder: Path, rows: int) -> Location:
        home = experiment(folder / "x", [metric("a", n / 7, n) for n in range(rows)], **ENDED)
        return Location("comet", str(home))


def test_what_comet_logged_is_read(real: Path) -> None:
    found = gather_one(CometReader, real)
    assert found.series("loss") == [(n, 1 / (n + 1)) for n in range(5)]
    assert found.series("train.loss") == [(1, 0.5)]
    assert found.series("acc") == [(n, n) for n in range(5)]
    assert found.series("big") == [(0, 2**60 + 1)]
    assert str(found.series("odd")) == "[(0, inf), (1, nan), (2, inf), (3, nan), (4, inf)]"
    assert found.series("comet.epoch") == [(0, 0), (2, 1), (4, 2)]
    assert found.texts("text-sample") == [(2, "hello text")]
    assert all(time is not None for time in found.times("loss"))
    assert "printed at once\n" in [row["line"] for row in found.console()]


def test_header_config_and_others_are_those_of_the_experiment(real: Path) -> None:
    found = gather_one(CometReader, real)
    run = found.run
    assert run.key.run_id == real.stem
    assert (run.name, run.project, run.entity) == ("my run", "proj", "team")
    assert {*run.tags} == {"t1", "t2"}  # the client keeps a set
    assert (run.state, run.complete) == ("finished", True)
    assert run.started is not None
    assert run.ended is not None
    assert run.started < run.ended
    assert found.attributes("config") == {
        ("lr",): 0.2,
        ("nested", "a"): 1,
        ("nested", "b"): [1, 2],
        ("word",): "x",
        ("late",): 1,
    }
    told = found.attributes("other")["parameters", "late"]
    assert told == {"step": 4}
    assert found.attributes("other")["note",] == "v"
    assert "python_version" in {path[0] for path in found.attributes("environment")}
    assert found.codes() == {"replaced-parameter": 1}


def test_files_media_and_models_are_read_with_their_bytes(real: Path) -> None:
    found = gather_one(CometReader, real)
    media = {i.key: i for c in found.chunks if isinstance(c, chunks.Media) for i in c.items}
    assert (media["img"].media_type, media["html"].media_type) == ("image", "html")
    assert bytes_of(media["img"].blob)[:4] == b"\x89PNG"
    assert bytes_of(media["html"].blob) == b"<b>x</b>"
    assert json.loads(bytes_of(media["h"].blob))["version"] == 2
    files = {c.path: c for c in found.chunks if isinstance(c, chunks.File)}
    assert bytes_of(files["dir/f.txt"].blob) == b"bytes"
    told = found.attributes("other")["assets", "dir/f.txt"]
    assert isinstance(told, dict)
    assert (told["type"], told["metadata"]) == ("asset", {"m": 1})
    artifacts = {c.name: c for c in found.chunks if isinstance(c, chunks.Artifact)}
    assert [entry.path for entry in artifacts["net"].entries] == ["plain.txt"]
    assert artifacts["far"].entries[0].reference == "s3://bucket/k"


def test_an_id_that_comet_gave_to_a_text_is_kept(real: Path, tmp_path: Path) -> None:
    """Also where nothing else is said of it; a row of texts has a place for neither."""
    logged = gather_one(CometReader, real)
    (said,) = (json.loads(c.payload) for c in logged.chunks if isinstance(c, chunks.Raw))
    assert said.keys() == {"asset_id", "metadata"}
    assert said["metadata"] == {"by": "me"}
    payload = {
        "upload_type": "text-sample",
        "file_path": "t.txt",
        "additional_params": {"fileName": "t", "step": 1, "assetId": "a1"},
    }
    home = experiment(tmp_path / "x", [{"payload": payload, "type": "file_upload"}], **ENDED)
    (home / "t.txt").write_text("words")
    found = gather_one(CometReader, home)
    assert found.texts("t") == [(1, "words")]
    (raw,) = (c for c in found.chunks if isinstance(c, chunks.Raw))
    assert json.loads(raw.payload) == {"asset_id": "a1"}


def test_uploads_of_one_name_are_all_described(real: Path) -> None:
    """As a file, and as a part of a model: the second does not replace the first."""
    found = gather_one(CometReader, real)
    assets = {path[1]: it for path, it in found.attributes("other").items() if path[0] == "assets"}
    plain, model = (it for name, it in assets.items() if name.startswith("plain.txt"))
    assert isinstance(plain, dict)
    assert isinstance(model, dict)
    assert (plain["type"], plain["step"]) == ("asset", 5)
    assert plain["params"] == {"overwrite": True}
    assert (model["type"], model["model"]) == ("model-element", "net")


def test_an_unpacked_experiment_equals_its_archive(real: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(real) as archive:
        archive.extractall(tmp_path / "x")
    one, other = gather_one(CometReader, real), gather_one(CometReader, tmp_path)
    assert one.content.comparable() == other.content.comparable()


def test_an_archive_cut_anywhere_gives_an_exact_prefix(real: Path, tmp_path: Path) -> None:
    whole = gather_one(CometReader, real).content
    ordered = tmp_path / "ordered"  # the client packs its files in any order
    with zipfile.ZipFile(real) as archive, zipfile.ZipFile(ordered, "w", 8) as again:
        for name in sorted(archive.namelist(), key=lambda name: name != "messages.json"):
            again.writestr(name, archive.read(name))
    content = ordered.read_bytes()
    cut = tmp_path / "cut.zip"
    seen = []
    for length in range(1, len(content), max(len(content) // 40, 1)):
        cut.write_bytes(content[:length])
        if not CometReader.recognises(cut):
            continue
        found = gather_one(CometReader, cut)
        assert not found.run.complete
        assert {"cut-archive"} <= found.codes().keys()
        points = found.series("loss")
        assert points == [(n, 1 / (n + 1)) for n in range(len(points))]
        seen.append(len(points))
    assert seen == sorted(seen)
    assert seen[-1] == 5
    assert whole.header is not None


def test_damaged_lines_are_kept_and_what_follows_is_read(tmp_path: Path) -> None:
    home = experiment(tmp_path / "x", [metric("a", 1.0, 0), metric("a", 2.0, 1)], **ENDED)
    lines = (home / "messages.json").read_text().splitlines(keepends=True)
    (home / "messages.json").write_text(lines[0] + '{"payload": {"met\n' + lines[1] + lines[0][:9])
    found = gather_one(CometReader, home)
    assert found.series("a") == [(0, 1.0), (1, 2.0)]
    assert found.codes() == {"damaged-line": 1, "cut-tail": 1}
    assert not found.run.complete or found.content.header is not None
    assert found.content.header is not None
    assert not found.content.header.complete


def test_messages_of_no_known_type_are_kept_as_they_are(tmp_path: Path) -> None:
    odd = [{"payload": {"x": 1}, "type": "new"}, {"payload": {"metric": 3}, "type": "metric_msg"}]
    found = gather_one(CometReader, experiment(tmp_path / "x", [metric("a", 1), *odd], **ENDED))
    assert found.codes() == {"unknown-message": 2}
    raw = [c for c in found.chunks if isinstance(c, chunks.Raw)]
    assert [json.loads(c.payload) for c in raw] == odd


def test_bundles_of_older_clients_are_read(tmp_path: Path) -> None:
    told = [
        {"metric": {"metricName": "a", "metricValue": 0.5, "step": 1}, "local_timestamp": BEGAN},
        {"param": {"paramName": "lr", "paramValue": 0.1, "step": None}},
        {"log_other": {"key": "Name", "val": "old"}},
        {"stdout": "line\n", "stderr": False, "local_timestamp": BEGAN},
        {"fileName": "train.py"},
        {"env_details": {"hostname": "box", "user": "me"}},
    ]
    messages = [{"payload": one, "type": "ws_msg"} for one in told]
    found = gather_one(CometReader, experiment(tmp_path / "x", messages, **ENDED))
    assert found.series("a") == [(1, 0.5)]
    assert found.attributes("config") == {("lr",): 0.1}
    assert found.attributes("other")["file_name",] == "train.py"
    assert (found.run.name, found.run.host, found.run.user) == ("old", "box", "me")
    assert [row["line"] for row in found.console()] == ["line\n"]
    assert found.codes() == {}


def test_a_field_of_a_bundle_that_nobody_knows_is_kept(tmp_path: Path) -> None:
    message = {"payload": {"fileName": "train.py", "code": "print()"}, "type": "ws_msg"}
    found = gather_one(CometReader, experiment(tmp_path / "x", [message], **ENDED))
    (raw,) = (chunk for chunk in found.chunks if isinstance(chunk, chunks.Raw))
    assert json.loads(raw.payload) == {"code": "print()"}


@pytest.mark.parametrize("time", [1.5, "now", 2**60])
def test_a_time_that_cannot_be_kept_is_told(tmp_path: Path, time: Any) -> None:
    message = metric("a", 0.5, 1, local_timestamp=time)
    found = gather_one(CometReader, experiment(tmp_path / "x", [message], **ENDED))
    assert found.series("a") == [(1, 0.5)]
    assert found.codes() == {"odd-time": 1}


def test_text_that_is_no_utf_8_is_told(tmp_path: Path) -> None:
    home = experiment(tmp_path / "x", [metric("caf?", 0.5, 1)], **ENDED)
    path = home / "messages.json"
    path.write_bytes(path.read_bytes().replace(b"?", b"\xe9"))
    assert gather_one(CometReader, home).codes() == {"bad-utf8": 1}


def test_what_was_logged_again_with_another_value_is_told(tmp_path: Path) -> None:
    told = [{"payload": {"key": "k", "value": it}, "type": "log_other"} for it in (1, 1, 2)]
    found = gather_one(CometReader, experiment(tmp_path / "x", told, **ENDED))
    assert found.attributes("other")["k",] == 2
    assert found.codes() == {"replaced-attribute": 1}


def test_whatever_else_is_said_of_an_upload_is_kept(tmp_path: Path) -> None:
    """What only repeats its type or the end of its name is not."""
    home = tmp_path / "x"
    said = {"type": "audio", "extension": "wav", "overwrite": False, "runId": None}
    uploads = []
    for kind, name, more in (
        ("audio", "a.wav", {"sampleRate": 8000, "epoch": 3, **said}),
        ("asset", "b.wav", {"groupingName": "g", "extension": "bin"}),
        ("text-sample", "note", {"epoch": 3, "by": "hand"}),
    ):
        payload = {
            "upload_type": kind,
            "file_path": name,
            "additional_params": {"fileName": name, "step": 1, **more},
        }
        uploads.append({"payload": payload, "type": "file_upload"})
    experiment(home, uploads, **ENDED)
    for upload in uploads:
        (home / str(upload["payload"]["file_path"])).write_bytes(b"bytes")
    found = gather_one(CometReader, home)
    (sound,) = [item for c in found.chunks if isinstance(c, chunks.Media) for item in c.items]
    assert sound.metadata == {"type": "audio", "epoch": 3, "params": {"sampleRate": 8000}}
    assert found.attributes("other")["assets", "b.wav"] == {
        "type": "asset", "step": 1, "params": {"groupingName": "g", "extension": "bin"}
    }  # fmt: skip
    (raw,) = [c for c in found.chunks if isinstance(c, chunks.Raw)]
    assert json.loads(raw.payload) == {"params": {"by": "hand"}}
    assert found.texts("note") == [(1, "bytes")]
    assert found.series("comet.epoch") == [(1, 3)]


def test_files_of_one_name_are_all_there(tmp_path: Path) -> None:
    home = tmp_path / "x"
    uploads = []
    for number in range(3):
        params = {"fileName": "a.bin", "assetId": "same" if number else None}
        payload = {
            "upload_type": "asset",
            "file_path": f"{number}.bin",
            "additional_params": params,
        }
        uploads.append({"payload": payload, "type": "file_upload"})
    experiment(home, uploads, **ENDED)
    for number in range(3):
        (home / f"{number}.bin").write_bytes(bytes([number]))
    found = gather_one(CometReader, home)
    files = [chunk for chunk in found.chunks if isinstance(chunk, chunks.File)]
    assert {it.path: bytes_of(it.blob) for it in files} == {
        "a.bin": b"\0", "a.bin~same": b"\1", "a.bin~same~2": b"\2"
    }  # fmt: skip


def test_what_the_header_cannot_hold_is_an_attribute(tmp_path: Path) -> None:
    odd = {"workspace": 7, "tags": ["a", 1], "start_time": "then", "stop_time": 2**70}
    found = gather_one(CometReader, experiment(tmp_path / "x", [], **{**ENDED, **odd}))
    told = found.attributes("other")
    assert {path[1]: value for path, value in told.items() if path[0] == "experiment"} == odd


def test_a_number_that_no_double_holds_is_told_also_of_the_experiment_itself(
    tmp_path: Path,
) -> None:
    home = experiment(tmp_path / "x", [metric("a", "N", 0)], **ENDED, odd="N")
    for name in ("messages.json", "experiment.json"):
        path = home / name
        path.write_text(path.read_text().replace('"N"', "1e999"))
    found = gather_one(CometReader, home)
    assert found.texts("a") == [(0, "1e999")]
    assert found.attributes("other")["experiment", "odd"] == "1e999"
    losses = {(loss.code, loss.where) for loss in found.losses}
    assert losses == {
        ("number-beyond-double", "messages.json"), ("number-beyond-double", "experiment.json")
    }  # fmt: skip


def test_an_experiment_without_an_end_is_known_by_its_place(tmp_path: Path) -> None:
    found = gather_one(CometReader, experiment(tmp_path / "x", [metric("a", 1.0, 0)]))
    assert found.run.key.run_id.startswith("x@")
    assert (found.run.state, found.run.complete) == ("unknown", False)

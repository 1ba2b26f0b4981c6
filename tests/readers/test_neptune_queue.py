"""`.neptune` folders of the client 1.x: what the client logged, replayed in order."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from neptune_gathered import gather_one, half_logged
from neptune_queues import (
    ID,
    floats,
    log_on,
    logged,
    operation,
    queue,
    replayed,
    script,
    surroundings,
)

from runferry.errors import SourceChanged
from runferry.losses import Fate
from runferry.ports import Location
from runferry.readers.neptune.reader import NeptuneReader
from runferry.testing.content import digest_of
from runferry.testing.reader_contract import ReaderContract


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the client logged everything that it can."""
    return logged("everything", tmp_path_factory.mktemp("real") / "work")


class TestNeptuneQueue(ReaderContract):
    reader = NeptuneReader

    @pytest.fixture
    def source(self, tmp_path: Path) -> Location:
        many = [floats("loss", [(float(n), n / 7)]) for n in range(40)]
        atoms = [operation("AssignInt", f"a/{n}", value=n) for n in range(5)]
        tags = operation("AddStrings", "sys/tags", values=["t"])
        lines = [{"value": "l", "step": None, "ts": 1.5}]
        console = operation("LogStrings", "monitoring/stdout", values=lines)
        content = base64.b64encode(b"bytes").decode()
        file = operation("UploadFileContent", "f", ext="txt", file_content=content)
        queue(tmp_path / ".neptune", [*many, *atoms, tags, console, file])
        return Location("neptune", str(tmp_path))

    def grow(self, source: Location) -> None:
        (folder,) = source.path.glob(".neptune/offline/*")
        more = [floats("loss", [(float(n), n / 7)]) for n in range(40, 60)]
        news = operation("AssignFloat", "b", value=0.5)
        tags = operation("RemoveStrings", "sys/tags", values=["t"])
        line = [{"value": "m", "step": None, "ts": 2.5}]
        console = operation("LogStrings", "monitoring/stdout", values=line)
        log_on(folder, [*more, news, tags, console], first=48, log="data-1.log")
        log_on(folder, [floats("acc", [(0, 1.0)])], first=71)
        queue(
            source.path / ".neptune",
            [floats("loss", [(99, 9.0)])],
            name=f"async/run__{ID}__2__zzzzzzzz",
            began="2024-02-02T03:04:05+00:00",
        )

    @classmethod
    def sized(cls, folder: Path, rows: int) -> Location:
        many = (
            floats("loss", [(float(n), n / 7) for n in range(begin, begin + 100)])
            for begin in range(0, rows, 100)
        )
        queue(folder / ".neptune", list(many))
        return Location("neptune", str(folder))


# --- the client itself


def test_what_the_client_logged_is_read(real: Path) -> None:
    found = gather_one(real)
    config = found.role("config")
    assert sorted(map(str, config.pop(("words",)))) == ["x", "z"]  # type: ignore[arg-type]
    assert config == {
        ("params", "lr"): 0.1,
        ("params", "n"): 2**31 - 1,
        ("params", "flag"): True,
        ("params", "text"): "ü",
        ("params", "empty"): "",
        ("when",): datetime(2024, 1, 2, 3, 4, 5, 678000, UTC),
        ("cleared",): [],
        ("copied",): "value",
    }
    loss = found.points("train.loss")
    assert [p["value"] for p in loss] == [1 / (n + 1) for n in range(300)]
    assert [(p["step"], p["step_frac"] or 0) for p in loss] == [
        (n // 4, n % 4 * 250_000) for n in range(300)
    ]
    assert [p["time"].timestamp() for p in loss] == [1_700_000_000.25 + n for n in range(300)]
    assert [(p["step"], p["value"]) for p in found.points("val")] == [
        (0, 1.5),
        (10, 2.5),
        (20, 3.5),
    ]
    assert [p["step"] for p in found.points("plain")] == [None]
    assert [t["text"] for t in found.rows("texts")] == ["one", "two"]
    assert [line["line"] for line in found.rows("console")] == ["line 1\n", "line 2\n"]
    assert not any(loss.fate > Fate.REENCODED for loss in found.losses)


def test_the_header_is_what_was_assigned(real: Path) -> None:
    found = gather_one(real)
    header = found.header
    assert header == found.run
    assert (header.name, header.notes) == ("hello", "a run")
    assert set(header.tags) == {"a", "b"}  # a set, in no order of the client's
    assert (header.group, header.key.scope) == ("g", "")
    assert header.client is not None
    assert header.client.startswith("neptune 1.14")
    assert header.created is not None
    assert not header.complete


def test_images_keep_bytes_steps_and_words(real: Path) -> None:
    first, second = gather_one(real).media
    assert (first.at.step, first.caption, first.metadata) == (
        0,
        "d0",
        {"name": "n0", "description": "d0"},
    )
    assert first.blob.media_type == "image/png"
    assert digest_of(first.blob) != digest_of(second.blob)


def test_files_are_present_or_missing(real: Path) -> None:
    files = gather_one(real).files
    present = {name for name, file in files.items() if not file.blob.is_missing}
    assert set(files) - present == {"gone.bin"}
    assert present == {
        "weights.bin",
        "memory.txt",
        "set/lib/net.py",
        "source_code/files/train.py",
        "source_code/files/lib/net.py",
        "source_code/files/lib/old.py",
    }
    with files["memory.txt"].blob.open() as content:  # type: ignore[misc]
        assert content.read() == b"in memory"


def test_what_is_tracked_is_a_reference(real: Path) -> None:
    (artifact,) = gather_one(real).artifacts
    (entry,) = artifact.entries
    assert (artifact.name, entry.reference, entry.path) == ("dataset", "lib", "there")


def test_deleted_attributes_are_not_given_and_deleted_values_are_told(real: Path) -> None:
    found = gather_one(real)
    assert "lost" not in found.series
    assert "cleared-values" in found.codes()


def test_a_log_is_read_while_the_client_writes_it(tmp_path: Path) -> None:
    home = tmp_path / "work"
    with half_logged(script("growing", home), surroundings(home)):
        half = gather_one(home)
        assert half.values("loss") == [float(n) for n in range(len(half.values("loss")))]
        assert 400 <= len(half.values("loss")) <= 500  # the rest is in the client's buffer
    rest = gather_one(home, half.cursor())
    whole = gather_one(home)
    assert half.values("loss") + rest.values("loss") == whole.values("loss")
    assert rest.attributes == whole.attributes


# --- the operations


def test_every_assignment_keeps_its_type(tmp_path: Path) -> None:
    found = replayed(
        tmp_path,
        operation("AssignFloat", "f", value=1),
        operation("AssignInt", "i", value=2**70),
        operation("AssignBool", "b", value=False),
        operation("AssignString", "s", value="x"),
        operation("AssignDatetime", "d", value=1_704_164_645_678),
        operation("AssignFloat", "f", value=2.5),
    )
    assert found.role("config") == {
        ("f",): 2.5,
        ("i",): 2**70,
        ("b",): False,
        ("s",): "x",
        ("d",): datetime(2024, 1, 2, 3, 4, 5, 678000, UTC),
    }


def test_a_copy_is_what_it_was_copied_from(tmp_path: Path) -> None:
    copy = {
        "container_id": ID,
        "container_type": "run",
        "source_path": ["a"],
        "source_attr_name": "Integer",
    }
    found = replayed(
        tmp_path,
        operation("AssignInt", "a", value=3),
        operation("CopyAttribute", "b", **copy),
        operation("CopyAttribute", "c", **{**copy, "container_id": "another"}),
    )
    assert found.role("config") == {("a",): 3, ("b",): 3}
    (raw,) = found.raws
    assert "another container" in raw.reason


def test_values_before_a_clearing_are_not_given(tmp_path: Path) -> None:
    found = replayed(
        tmp_path,
        floats("m", [(0, 1.0)]),
        operation("ClearFloatLog", "m"),
        floats("m", [(1, 2.0)]),
        operation("ClearFloatLog", "n"),
        floats("n", [(0, 3.0)]),
    )
    assert found.values("m") == [2.0]
    assert found.values("n") == [3.0]
    (loss,) = (one for one in found.losses if one.code == "cleared-values")
    assert (loss.fate, loss.count, loss.where) == (Fate.KEPT, 1, "m")


def test_a_clearing_of_what_was_read_is_a_changed_source(tmp_path: Path) -> None:
    folder = queue(tmp_path / ".neptune", [floats("m", [(0, 1.0)])])
    cursor = gather_one(tmp_path).cursor()
    log_on(folder, [operation("ClearFloatLog", "m")], first=2, log="data-1.log")
    with pytest.raises(SourceChanged, match="cleared"):
        gather_one(tmp_path, cursor)
    assert not gather_one(tmp_path).rows("points")


def test_a_file_that_was_given_and_deleted_is_a_changed_source(tmp_path: Path) -> None:
    content = base64.b64encode(b"x").decode()
    upload = operation("UploadFileContent", "f", ext="txt", file_content=content)
    folder = queue(tmp_path / ".neptune", [upload])
    cursor = gather_one(tmp_path).cursor()
    log_on(folder, [operation("DeleteAttribute", "f")], first=2, log="data-1.log")
    with pytest.raises(SourceChanged):
        gather_one(tmp_path, cursor)
    assert not gather_one(tmp_path).files


def test_ranges_of_series_are_kept(tmp_path: Path) -> None:
    config = operation("ConfigFloatSeries", "monitoring/cpu", min=0.0, max=100.0, unit="%")
    found = replayed(tmp_path, config, floats("monitoring/cpu", [(None, 1.0)]))
    told = found.role("other")["neptune", "series", "monitoring", "cpu"]
    assert told == {"min": 0.0, "max": 100.0, "unit": "%"}
    assert found.series["monitoring.cpu"].stream == "system"


def test_artifacts_are_added_to_cleared_and_assigned(tmp_path: Path) -> None:
    found = replayed(
        tmp_path,
        operation("TrackFilesToArtifact", "a", project_id="p", entries=[["old", None]]),
        operation("ClearArtifact", "a"),
        operation("TrackFilesToArtifact", "a", project_id="p", entries=[["s3://b/x", None]]),
        operation("TrackFilesToArtifact", "a", project_id="p", entries=[["/d/y", "to/y"]]),
        operation("AssignArtifact", "b", hash="f" * 64),
    )
    first, second = found.artifacts
    assert [(one.path, one.reference) for one in first.entries] == [
        ("x", "s3://b/x"),
        ("to/y", "/d/y"),
    ]
    assert second.digest == "f" * 64


def test_an_image_that_was_too_large_is_a_missing_one(tmp_path: Path) -> None:
    values = [{"value": {"data": "", "name": None, "description": None}, "step": 1, "ts": 1.0}]
    found = replayed(tmp_path, operation("LogImages", "i", values=values))
    (item,) = found.media
    assert item.blob.is_missing
    assert "missing-bytes" in found.codes()


def test_images_of_the_oldest_clients_are_base64_alone(tmp_path: Path) -> None:
    content = base64.b64encode(b"\xff\xd8\xff rest").decode()
    values = [{"value": content, "step": None, "ts": 1.0}]
    (item,) = replayed(tmp_path, operation("LogImages", "i", values=values)).media
    assert (item.blob.media_type, item.blob.size) == ("image/jpeg", 8)


@pytest.mark.parametrize(
    "odd",
    [
        operation("AssignFloat", "x", value="text"),
        operation("AssignInt", "x", value=True),
        operation("AssignDatetime", "x", value=1e30),
        operation("AddStrings", "x", values=[1]),
        operation("LogFloats", "x", values=[{"value": "a", "step": 0, "ts": 1.0}]),
        operation("LogFloats", "x", values=[{"value": 1.0, "step": "a", "ts": 1.0}]),
        operation("LogFloats", "x", values=[{"step": 0, "ts": 1.0}]),
        operation("LogStrings", "x", values=[{"value": 1, "step": 0, "ts": 1.0}]),
        operation("LogImages", "x", values=[{"value": {"data": "%"}, "step": 0, "ts": 1.0}]),
        operation("UploadFile", "x", ext="txt"),
        operation("TrackFilesToArtifact", "x", entries=3),
        operation("FlyToTheMoon", "x"),
        {"type": "AssignInt", "path": [], "value": 1},
        {"type": "AssignInt", "path": [1], "value": 1},
        {"type": 3, "path": ["x"]},
    ],
)
def test_an_operation_that_cannot_be_replayed_is_kept_as_it_is(
    tmp_path: Path, odd: dict[str, Any]
) -> None:
    found = replayed(tmp_path, odd, operation("AssignInt", "after", value=1))
    assert found.role("config")["after",] == 1
    (raw,) = found.raws
    assert json.loads(raw.payload)["obj"] == odd
    assert "odd-operation" in found.codes()


def test_steps_are_kept_to_six_places_and_told(tmp_path: Path) -> None:
    found = replayed(
        tmp_path, floats("m", [(1 / 3, 1.0), (0.28, 2.0), (0.29, 3.0), (-1.5, 4.0), (1e300, 5.0)])
    )
    assert [(p["step"], p["step_frac"]) for p in found.points("m")] == [
        (0, 333_333),
        (0, 280_000),
        (0, 290_000),
        (-2, 500_000),
        (None, None),
    ]
    assert {(one.code, one.count) for one in found.losses if one.code.endswith("step")} == {
        ("rounded-step", 1),
        ("bad-step", 1),
    }

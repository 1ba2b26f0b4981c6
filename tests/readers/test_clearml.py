"""Offline sessions of ClearML are read as the client logged them."""

from __future__ import annotations

import base64
import io
import json
import math
import shutil
import zipfile
import zlib
from importlib.util import find_spec
from pathlib import Path

import pytest
from clearml_sessions import logged_by_the_client, moved, one, read, scalar, write_session, written

from runferry import anywhere
from runferry.chunks import Artifact, File, Media, Points, Raw, Texts
from runferry.errors import Damaged
from runferry.ports import Location, ReadOptions
from runferry.readers.clearml.reader import ClearmlReader
from runferry.tables import loads
from runferry.testing.content import Content
from runferry.testing.reader_contract import ReaderContract
from runferry.testing.samples import bulk, curve, files, media, plain


class TestClearmlSession(ReaderContract):
    reader = ClearmlReader

    @pytest.fixture
    def source(self, tmp_path: Path) -> Location:
        written(tmp_path / "offline", (plain(), curve(60), media(), files()))
        return Location("clearml", str(tmp_path / "offline"))

    @classmethod
    def sized(cls, folder: Path, rows: int) -> Location:
        written(folder, (bulk(rows),))
        return Location("clearml", str(folder))


class TestClearmlZip(ReaderContract):
    reader = ClearmlReader

    @pytest.fixture
    def source(self, tmp_path: Path) -> Location:
        for folder in written(tmp_path / "offline", (curve(60), media(), files())):
            shutil.rmtree(folder)
        return Location("clearml", str(tmp_path / "offline"))


class TestClearmlOwn(ReaderContract):
    reader = ClearmlReader

    @pytest.fixture
    def source(self, tmp_path: Path) -> Location:
        written(tmp_path / "offline", (plain(), curve(60)), has_own=True)
        return Location("clearml", str(tmp_path / "offline"))


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if find_spec("clearml") is None:
        pytest.skip("clearml is not installed")
    return logged_by_the_client(tmp_path_factory.mktemp("client"))


def test_what_the_client_logged_is_read(session: Path) -> None:
    found, chunks = one(session)
    header = found.header
    assert header is not None
    assert (header.key.tracker, header.key.run_id) == ("clearml", session.name)
    assert (header.name, header.project, header.job_type) == ("first run", "group/demo", "testing")
    assert {*header.tags} == {"a", "b c"}
    assert header.notes == "some notes"
    assert header.complete
    values = {place: loads(value) for place, value in found.attributes.items()}
    config = {path: value for (role, path), value in values.items() if role == "config"}
    assert config["General", "lr"] == 0.1
    assert config["General", "n"] == 3
    assert config["General", "flag"] is True
    assert config["General", "s"] == "1"
    assert config["General", "nested/x"] is None
    assert config["General", "nested/y"] == [1, 2]
    assert config["Other", "a"] == 1
    assert "depth = 3" in str(config["configuration", "net"])
    assert values["summary", ("best",)] == 0.75
    assert values["other", ("properties", "owner")] == "me"
    assert {(s.path, s.kind) for s in found.series.values()} == {
        (("loss", "train"), "scalar"), (("loss", "a/b"), "scalar"), (("Summary", "best"), "scalar"),
        (("spread", "w"), "media"), (("tab", "s"), "media"), (("pictures", "x"), "media"),
        (("sounds", "y"), "media"), (("far", "z"), "media"),
    }  # fmt: skip
    points = [row for c in chunks if isinstance(c, Points) for row in c.batch.to_pylist()]
    assert [(r["step"], r["value"]) for r in points if r["key"] == "loss.train"] == [
        (step, step * 0.5) for step in range(5)
    ]
    kinds = [item.media_type for c in chunks if isinstance(c, Media) for item in c.items]
    assert sorted(kinds) == ["audio", "image", "image", "plot", "plot"]
    said = [item.metadata for c in chunks if isinstance(c, Media) for item in c.items]
    assert [it for it in said if it] == [{"url": "https://host.example/shelf/far.png"}]
    lines = [cells[-2] for cells in found.rows["Console"]]
    assert {"hello text\n", "a printed line\n"} <= {*lines}
    assert "requirements.txt" in found.files


def test_a_session_that_was_moved_has_its_files(session: Path, tmp_path: Path) -> None:
    """What it states are absolute paths of where it was written."""
    copy = shutil.copytree(session, tmp_path / "other" / session.name)
    _, chunks = one(copy)
    artifacts = {chunk.name: chunk for chunk in chunks if isinstance(chunk, Artifact)}
    assert artifacts.keys() == {"numbers", "file"}
    for artifact in artifacts.values():
        (entry,) = artifact.entries
        assert not entry.blob.is_missing
    media = [item for chunk in chunks if isinstance(chunk, Media) for item in chunk.items]
    assert [item.key for item in media if item.blob.is_missing] == ["far.z"]
    others = [c.path for c in chunks if isinstance(c, File) and c.path.startswith("data/")]
    assert others == []


def test_a_session_is_found_wherever_it_lies(tmp_path: Path) -> None:
    (folder,) = written(tmp_path / "a", (curve(5),))
    moved(folder, tmp_path / "deep" / "down")
    with anywhere.looked_once():
        assert [place.tracker for place in anywhere.homes(tmp_path).places] == ["clearml"]


def test_of_a_folder_and_its_zip_the_folder_alone_is_read(tmp_path: Path) -> None:
    """The client may make the zip before all is written."""
    (folder,) = written(tmp_path, (curve(5),))
    assert folder.with_name(f"{folder.name}.zip").exists()
    assert len(read(tmp_path)) == 1


def test_no_file_of_a_session_is_a_table_that_nobody_takes(tmp_path: Path) -> None:
    (folder,) = written(tmp_path, (curve(5),))
    with anywhere.looked_once():
        assert anywhere.homes(tmp_path).untaken == ""
    assert len(read(folder / "metrics.jsonl")) == 1  # it means its session


def test_a_zip_says_what_its_folder_says(tmp_path: Path) -> None:
    (folder,) = written(tmp_path, (curve(30),))
    whole = Content.of(read(folder)[0][1]).comparable()
    packed = Content.of(read(folder.with_name(f"{folder.name}.zip"))[0][1]).comparable()
    assert packed == whole


def test_a_task_that_is_cut_gives_what_stands_before_the_cut(tmp_path: Path) -> None:
    """Wherever it is cut, all the rows are read, and that it was cut is told."""
    task = {
        "hyperparams": {"General": {"lr": {"name": "lr", "type": "float", "value": "0.5"}}},
        "id": "offline-1", "name": 'a "quoted", [odd] name', "project_name": "p", "tags": ["x"],
    }  # fmt: skip
    text = json.dumps(task)
    line = json.dumps([scalar(0, 1.0), scalar(1, 2.0)]) + "\n"
    for cut in range(0, len(text), 3):
        folder = tmp_path / f"at-{cut}" / "offline-1"
        found, _ = one(write_session(folder, task=text[:cut], metrics=line))
        assert len(found.rows["Points"]) == 2
        assert [loss.code for loss in found.losses] == ["cut-file"]
        assert found.header is not None
        assert found.header.key.run_id == "offline-1"
        if cut > text.index('"project_name"'):
            assert found.header.name == task["name"]
            assert found.attributes["config", ("General", "lr")] == "0.5"


def test_a_line_that_is_cut_is_told_and_the_rest_is_read(tmp_path: Path) -> None:
    good = json.dumps([scalar(0, 1.0)])
    metrics = f"{good}\n{good[:40]}\n{good}\n{good[:50]}"
    found, _ = one(write_session(tmp_path / "offline-1", task={"id": "offline-1"}, metrics=metrics))
    assert len(found.rows["Points"]) == 2
    assert sorted(loss.code for loss in found.losses) == ["cut-tail", "damaged-line"]


def test_numbers_are_what_they_were(tmp_path: Path) -> None:
    """NaN and infinities that somebody authored, integers of 64 bits, a null."""
    values = [math.nan, math.inf, -math.inf, -0.0, 2**60 + 1, None, 0.1]
    line = json.dumps([scalar(step, value) for step, value in enumerate(values)])
    _, chunks = one(write_session(tmp_path / "offline-1", task={"id": "offline-1"}, metrics=line))
    rows = [row for c in chunks if isinstance(c, Points) for row in c.batch.to_pylist()]
    kinds = ["float64"] * 4 + ["int", "null", "float64"]
    assert [row["kind"] for row in rows] == kinds
    assert math.isnan(rows[0]["value"])
    assert [row["value"] for row in rows[1:3]] == [math.inf, -math.inf]
    assert math.copysign(1, rows[3]["value"]) == -1
    assert rows[4]["value_i64"] == 2**60 + 1


@pytest.mark.parametrize("number", ["1e999", "-1e999", "1e-999", f"1{'0' * 309}.0", "1e9999999"])
def test_a_number_that_no_double_holds_keeps_its_text_and_is_told(
    tmp_path: Path, number: str
) -> None:
    """Wherever it stands: alone, in a vector, in an event that nobody knows."""
    plain = json.dumps(scalar(0, "N")).replace('"N"', number)
    others = [
        scalar(1, None, type="training_stats_vector", values=["N", 1.0], variant="vector"),
        scalar(2, None, type="new", variant="unknown", more="N"),
    ]
    line = f"[{plain}, {json.dumps(others)[1:-1]}]".replace('"N"', number)
    folder = write_session(tmp_path / "offline-1", task={"id": "offline-1"}, metrics=line)
    found, chunks = one(folder)
    assert [(loss.code, loss.where, loss.count) for loss in found.losses] == [
        ("number-beyond-double", "metrics.jsonl:1", 3)
    ]
    texts = [row for c in chunks if isinstance(c, Texts) for row in c.batch.to_pylist()]
    assert texts[0]["text"] == number
    assert number in texts[1]["text"]
    (raw,) = (chunk for chunk in chunks if isinstance(chunk, Raw))
    assert json.loads(raw.payload)["more"] == number


@pytest.mark.parametrize("number", ["-0", "0", "0.0", "1e-300", "Infinity", "NaN"])
def test_a_number_that_a_double_holds_is_one(tmp_path: Path, number: str) -> None:
    line = json.dumps([scalar(0, "N"), scalar(1, 0)]).replace('"N"', number)
    folder = write_session(tmp_path / "offline-1", task={"id": "offline-1"}, metrics=line)
    found, chunks = one(folder)
    assert [*found.losses] == []
    rows = [row for c in chunks if isinstance(c, Points) for row in c.batch.to_pylist()]
    assert str(rows[0]["value"]) == str(float(number.lower()))


def test_odd_events_are_kept_as_they_are(tmp_path: Path) -> None:
    odd = [{"type": "new", "metric": "m", "variant": "v"}, {"type": "plot"}, 5]
    line = json.dumps([scalar(0, 1.0), *odd])
    found, _ = one(write_session(tmp_path / "offline-1", task={"id": "offline-1"}, metrics=line))
    assert sum(thing.startswith("Raw(") for thing in found.things) == 2
    assert [loss.code for loss in found.losses] == ["damaged-line"]


def test_names_from_the_data_lead_nowhere(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    uri = f"{tmp_path}/offline-1/../secret"
    task = {
        "id": "offline-1", "offline_folder": f"{tmp_path}/offline-1",
        "execution": {"artifacts": [{"key": "k", "uri": uri, "mode": "output", "type": "custom"}]},
    }  # fmt: skip
    sample = scalar(0, 0, type="training_debug_image", key="../../secret", url="x")
    folder = write_session(tmp_path / "offline-1", task=task, metrics=json.dumps([sample]))
    _, chunks = one(folder)
    (artifact,) = (chunk for chunk in chunks if isinstance(chunk, Artifact))
    assert artifact.entries[0].blob.is_missing
    (item,) = (item for chunk in chunks if isinstance(chunk, Media) for item in chunk.items)
    assert item.blob.is_missing


def test_a_session_of_ours_that_somebody_edited_is_read_as_it_is(tmp_path: Path) -> None:
    """What lies beside refines it, and never replaces it."""
    (folder,) = written(tmp_path, (curve(10),), has_own=True)
    metrics = folder / "metrics.jsonl"
    before = one(folder)[0].header
    with metrics.open("a") as stream:
        stream.write(json.dumps([scalar(99, 1.0)]) + "\n")
    found, _ = one(folder)
    assert 99 in {cells[1] for cells in found.rows["Points"]}
    assert before is not None
    assert found.header is not None
    assert before.key.tracker != found.header.key.tracker == "clearml"


def test_rows_stay_in_their_order_however_odd_their_values(tmp_path: Path) -> None:
    """Plain numbers are read by the column, others one by one."""
    values = [0.5, 1.5, None, 2.5, True, 3, 2**60, 4.5, math.nan, -0.0] * 3
    line = json.dumps([scalar(step, value) for step, value in enumerate(values)])
    folder = write_session(tmp_path / "offline-1", task={"id": "offline-1"}, metrics=line)
    _, chunks = one(folder)
    rows = [row for c in chunks if isinstance(c, Points) for row in c.batch.to_pylist()]
    assert [row["step"] for row in rows] == [*range(len(values))]
    assert [row["seq"] for row in rows] == [*range(len(values))]
    kinds = ["float64", "float64", "null", "float64", "bool", "int", "int", *["float64"] * 3]
    assert [row["kind"] for row in rows] == kinds * 3
    assert {row["key"] for row in rows} == {"loss.train"}


def test_steps_and_times_that_are_none_are_told(tmp_path: Path) -> None:
    odd = [scalar(1, 0.5, iter="soon"), scalar(2, 0.5, timestamp=2**70), scalar(3, 0.5, iter=1.5)]
    said = [{"type": "log", "msg": "hello", "timestamp": "now"}]
    folder = write_session(
        tmp_path / "offline-1", task={"id": "offline-1"}, metrics=json.dumps(odd),
        log=json.dumps(said),
    )  # fmt: skip
    found, _ = one(folder)
    assert len(found.rows["Points"]) == 3
    assert sorted((loss.code, loss.count) for loss in found.losses) == [
        ("odd-iter", 2), ("odd-timestamp", 1), ("odd-timestamp", 1)
    ]  # fmt: skip


def test_text_that_is_no_utf_8_is_told_wherever_it_stands(tmp_path: Path) -> None:
    line = json.dumps([scalar(0, "caf?", metric="\ud800")])
    folder = write_session(tmp_path / "offline-1", task={"id": "offline-1", "name": "?"})
    (folder / "metrics.jsonl").write_bytes(line.encode().replace(b"?", b"\xe9"))
    (folder / "task.json").write_bytes(b'{"id": "offline-1", "name": "\xe9"}')
    with (folder / "metrics.jsonl").open("ab") as stream:
        stream.write(b"\n")
    codes = sorted((loss.code, loss.where) for loss in one(folder)[0].losses)
    assert codes == [
        ("bad-text", "metrics.jsonl:1"), ("bad-utf8", "metrics.jsonl:1"), ("bad-utf8", "task.json")
    ]  # fmt: skip


def test_a_task_that_is_no_mapping_is_told(tmp_path: Path) -> None:
    folder = write_session(tmp_path / "offline-1", task=[1])
    assert [loss.code for loss in one(folder)[0].losses] == ["cut-file"]


def test_half_a_packed_plot_is_kept_as_it_is(tmp_path: Path) -> None:
    packed = base64.b64encode(zlib.compress(json.dumps({"data": [*range(500)]}).encode())[:-20])
    event = scalar(0, 0, type="plot", plot_data=packed.decode())
    folder = write_session(
        tmp_path / "offline-1", task={"id": "offline-1"}, metrics=json.dumps([event])
    )
    assert [chunk for chunk in one(folder)[1] if isinstance(chunk, Raw)]


def test_requirements_that_are_no_text_are_attributes(tmp_path: Path) -> None:
    script = {"requirements": {"pip": ["numpy"]}}
    found, _ = one(
        write_session(tmp_path / "offline-1", task={"id": "offline-1", "script": script})
    )
    assert loads(found.attributes["environment", ("script", "requirements", "pip")]) == ["numpy"]


def test_a_zip_that_cannot_be_read_is_named_and_the_others_are_read(tmp_path: Path) -> None:
    """Wherever it is cut, or a byte of it is another one."""
    (folder,) = written(tmp_path / "made", (curve(30),))
    packed = folder.with_name(f"{folder.name}.zip").read_bytes()
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        within = archive.getinfo("metrics.jsonl").compress_size // 2
    another = bytes([*packed[:within], packed[within] ^ 0x55, *packed[within + 1 :]])
    listed = packed.rfind(b"PK\x01\x02")
    misnamed = bytearray(packed)  # said to be UTF-8
    misnamed[listed + 9] |= 8
    misnamed[listed + 46] = 0xFF
    damaged = tmp_path / "some" / f"{folder.name}.zip"
    damaged.parent.mkdir()
    write_session(tmp_path / "some" / "offline-1", task={"id": "offline-1"})
    for content in (b"", packed[:100], packed[: len(packed) // 2], packed[:-1], another, misnamed):
        damaged.write_bytes(content)
        reader = ClearmlReader.open(Location("clearml", str(damaged.parent)), ReadOptions())
        whole, cut = sorted(reader.runs(), key=lambda run: len(run.key.run_id))
        assert (whole.key.run_id, cut.key.run_id) == ("offline-1", folder.name)
        assert list(reader.read(whole))
        with pytest.raises(Damaged, match="this zip cannot be read") as caught:
            list(reader.read(cut))
        assert caught.value.where == str(damaged)
        assert caught.value.hint == f"unzip -t {damaged}"
        assert ClearmlReader.recognises(damaged)


def test_levels_that_no_stream_stands_for_are_kept(tmp_path: Path) -> None:
    """`info` is what is printed, `error` what is printed to stderr; each other one is told."""
    levels = ["info", "warning", "WARNING", "debug", "error", "critical", None, "info", "notset"]
    said = [{"type": "log", "msg": "one\ntwo", "level": level} for level in levels]
    folder = write_session(
        tmp_path / "offline-1", task={"id": "offline-1"}, log=json.dumps(said)
    )  # fmt: skip
    found, chunks = one(folder)
    assert [cells[2] for cells in found.rows["Console"]] == [
        *["stdout"] * 8, *["stderr"] * 4, *["stdout"] * 6
    ]  # fmt: skip
    kept = [json.loads(chunk.payload) for chunk in chunks if isinstance(chunk, Raw)]
    assert kept == [
        {"level": "warning", "lines": [2, 6]}, {"level": "debug", "lines": [6, 8]},
        {"level": "critical", "lines": [10, 12]}, {"level": "notset", "lines": [16, 18]},
    ]  # fmt: skip
    assert not found.losses


def test_keys_that_come_twice_are_told_wherever_they_stand(tmp_path: Path) -> None:
    event = json.dumps(scalar(0, 1.0))
    twice = event.replace('"iter"', '"value": 5, "value" : 6, "iter"')
    nested = json.dumps(scalar(1, 2.0, more={"a:b": ":"})).replace("{", '{"a:b": 1, ', 2)
    metrics = f"[{event}]\n[{event},{twice}]\n[{nested}]\n[{nested.replace(': 1', ':1')}]\n"
    metrics += json.dumps([scalar(2, 3.0, metric="a:b", variant='":')]) + "\n"
    said = '[{"type": "log", "msg": "a", "msg": "b"}]\n'
    folder = write_session(
        tmp_path / "offline-1", task={"id": "offline-1"}, metrics=metrics, log=said
    )  # fmt: skip
    found, _ = one(folder)
    assert [(loss.code, loss.where, loss.count) for loss in found.losses] == [
        ("repeated-key", "metrics.jsonl:2", 2), ("repeated-key", "metrics.jsonl:3", 1),
        ("repeated-key", "metrics.jsonl:4", 1), ("repeated-key", "log.jsonl:1", 1),
    ]  # fmt: skip
    assert len(found.rows["Points"]) == 6

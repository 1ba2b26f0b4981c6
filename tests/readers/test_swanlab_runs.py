"""SwanLab's run folders: what each record becomes, whatever client wrote it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from run_folders import gather_one
from swanlab_runs import (
    BACKUP,
    RECORDS,
    SECOND,
    START_NS,
    attributes,
    backup,
    finish,
    folder,
    framed,
    header,
    line,
    medium,
    record,
    scalar,
    start,
)
from tests.blobs import bytes_of

from runferry import chunks
from runferry.dialects.protobuf import field, integer
from runferry.errors import BadLocation, Damaged, UnknownVersion
from runferry.losses import Fate
from runferry.ports import Location, ReadOptions
from runferry.readers.swanlab.reader import SwanlabReader
from runferry.testing.reader_contract import ReaderContract
from runferry.writers.swanlab import messages


class TestSwanlab(ReaderContract):
    reader = SwanlabReader

    @pytest.fixture
    def source(self, tmp_path: Path) -> Location:
        folder(tmp_path / "swanlog", RECORDS[:-1], "one")
        folder(tmp_path / "swanlog", [start("two"), scalar("x", 0, 1.0)], "two")
        backup(tmp_path / "swanlog", BACKUP)
        return Location("swanlab", str(tmp_path / "swanlog"))

    def grow(self, source: Location) -> None:
        more = [scalar("a/b", 5, 9.0), scalar("new", 5, 1.0), line("more", 3), finish()]
        log = source.path / "run-20231114_221320-one" / "run-one.swanlab"
        log.write_bytes(framed([*RECORDS[:-1], *more]))

    @classmethod
    def sized(cls, folder_: Path, rows: int) -> Location:
        records = [scalar(key, step, 0.5) for step in range(rows // 2) for key in ("loss", "acc")]
        folder(folder_, [start(), *records])
        return Location("swanlab", str(folder_))


def test_header_config_and_environment_are_what_the_client_wrote(tmp_path: Path) -> None:
    found = gather_one(SwanlabReader, folder(tmp_path, RECORDS))
    run = header(found)
    assert (run.name, run.project, run.entity, run.tags) == ("one", "proj", "team", ("a", "b"))
    assert (run.notes, run.group, run.job_type, run.host) == ("why", "g", "train", "box")
    assert (run.started_ns, run.ended_ns) == (START_NS, START_NS + 60 * SECOND)
    assert (run.status, run.state, run.complete) == ("FINISHED", "finished", True)
    assert run.client == "swanlab 0.10.3"
    values = attributes(found)
    assert values["config", ("lr",)] == 0.1
    assert values["config", ("net", "layers")] == [1, 2]
    assert values["other", ("swanlab", "config", "net", "desc")] == "how it is built"
    assert values["environment", ("runtime", "hostname")] == "box"
    assert not found.losses


def test_config_is_in_the_order_in_which_it_was_stated(tmp_path: Path) -> None:
    folder(tmp_path, RECORDS)
    (config,) = tmp_path.glob("run-*/files/config.yaml")
    places = {"a": 1, "b": 2, "z": 0}
    entries = (f"{name}:\n  sort: {place}\n  value: 1\n" for name, place in places.items())
    config.write_text("".join(entries))
    found = attributes(gather_one(SwanlabReader, tmp_path))
    assert [path for role, path in found if role == "config"] == [("z",), ("a",), ("b",)]


def test_values_that_were_logged_together_share_their_row(tmp_path: Path) -> None:
    found = gather_one(SwanlabReader, folder(tmp_path, RECORDS))
    loss, other = (found.rows(chunks.Points, key) for key in ("loss", "a/b"))
    assert [row["seq"] for row in loss] == [row["seq"] for row in other]
    assert [row["step"] for row in loss] == list(range(6))
    assert found.times("loss") == [START_NS + step * SECOND for step in range(6)]
    twice = [start(), scalar("x", 1, 1.0), scalar("x", 1, 2.0)]
    rows = gather_one(SwanlabReader, folder(tmp_path / "b", twice)).rows(chunks.Points, "x")
    assert [row["value"] for row in rows] == [1.0, 2.0]
    assert rows[0]["seq"] != rows[1]["seq"]


def test_lines_keep_stream_and_order(tmp_path: Path) -> None:
    found = gather_one(SwanlabReader, folder(tmp_path, RECORDS))
    (console,) = [
        chunk.batch.to_pylist() for chunk in found.chunks if isinstance(chunk, chunks.Console)
    ]
    told = [(row["stream"], row["line"]) for row in console]
    assert told == [("stdout", "hello\n"), ("stderr", "oh no\n")]


def test_media_come_with_bytes_captions_and_texts_as_texts(tmp_path: Path) -> None:
    items = [
        messages.item("003-a.png", "00", 3, "cap", None),
        messages.item("003-b.png", "00", 3, None, b"xyz"),
        messages.item("gone.png", "00", 7, None, None),
    ]
    text = messages.item("003-c.txt", "00", 5, None, b"hello")
    home = folder(tmp_path, [start(), medium("img", 3, 2, items), medium("t", 3, 4, [text])])
    (home / "media" / "image").mkdir(parents=True)
    (home / "media" / "image" / "003-a.png").write_bytes(b"abc")
    found = gather_one(SwanlabReader, home)
    media = [it for chunk in found.chunks if isinstance(chunk, chunks.Media) for it in chunk.items]
    assert [(it.index, it.caption, it.media_type) for it in media] == [
        (0, "cap", "image"), (1, None, "image"), (2, None, "image"),
    ]  # fmt: skip
    assert [bytes_of(it.blob) for it in media] == [b"abc", b"xyz", None]
    assert found.texts("t") == [(3, "hello")]
    assert {(loss.code, loss.where) for loss in found.losses} == {("missing-bytes", "media")}


def test_columns_tell_facts_of_series(tmp_path: Path) -> None:
    column = messages.column("loss", 1, is_system=False, x_axis="epoch", is_hidden=True)
    system = messages.column("cpu", 1, is_system=True, x_axis=None, is_hidden=False)
    records = [
        start(),
        record(12, column),
        record(12, system),
        scalar("loss", 0, 1.0),
        scalar("cpu", 0, 1.0),
    ]
    found = gather_one(SwanlabReader, folder(tmp_path, records))
    series = {one.key: one for one in found.content.series.values()}
    assert (series["loss"].x_axis, series["loss"].hidden) == ("epoch", True)
    assert series["cpu"].stream == "system"


def test_what_nobody_knows_is_kept_as_it_is(tmp_path: Path) -> None:
    odd = [
        start(),
        record(17, b"\x08\x01"),
        integer(1, 3),
        record(13, field(1, "x") + integer(3, 1) + integer(9, 7) + field(5, b"")),
        record(12, b"\xff"),
    ]
    found = gather_one(SwanlabReader, folder(tmp_path, odd))
    raws = [chunk for chunk in found.chunks if isinstance(chunk, chunks.Raw)]
    assert {raw.record_type for raw in raws} == {"#17", "unknown", "scalar", "column"}
    assert found.series("x") == [(0, 0.0)]


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (record(10, field(1, b"pr\xffj")), "text that is no UTF-8"),
        (record(11, field(1, "1")), "malformed: bytes where a number belongs"),
        (record(12, field(3, "k") + field(12, field(3, "red"))), "fields that are not known"),
        (medium("k", 0, 2, [field(1, "a.png") + field(9, "alt")]), "fields that are not known"),
        (record(14, field(1, "k") + field(4, integer(1, 2**40))), "a time beyond 64 bits"),
    ],
)
def test_a_record_that_is_read_otherwise_than_it_stands_is_kept_beside(
    tmp_path: Path, message: bytes, reason: str
) -> None:
    found = gather_one(SwanlabReader, folder(tmp_path / "in", [start(), message]))
    raws = [chunk for chunk in found.chunks if isinstance(chunk, chunks.Raw)]
    assert [raw.reason for raw in raws] == [reason]


def test_a_way_to_resume_that_nobody_knows_is_not_taken_for_another(tmp_path: Path) -> None:
    home = folder(tmp_path / "in", [record(10, field(10, "r1") + integer(11, 4))])
    assert attributes(gather_one(SwanlabReader, home))["other", ("swanlab", "resume")] == 4


def test_a_line_whose_time_is_none_is_kept_beside(tmp_path: Path) -> None:
    told = record(16, field(1, "hello") + field(3, integer(1, 2**62)))
    found = gather_one(SwanlabReader, folder(tmp_path / "in", [start(), told]))
    assert [raw.record_type for raw in found.chunks if isinstance(raw, chunks.Raw)] == ["log"]


# --- resumed --------------------------------------------------------------------------------------

LATER_NS = START_NS + 3600 * SECOND
LATER = [start(resume=1, at_ns=LATER_NS), scalar("loss", 9, 0.5), line("again", 1), finish()]


def resumed(root: Path, records: list[bytes] = LATER) -> Path:
    return folder(root, records, time="20231114_231320")


class TestSwanlabResumed(ReaderContract):
    """A run that is resumed is a run that grows, by a folder of its own."""

    reader = SwanlabReader

    @pytest.fixture
    def source(self, tmp_path: Path) -> Location:
        folder(tmp_path / "swanlog", RECORDS)
        return Location("swanlab", str(tmp_path / "swanlog"))

    def grow(self, source: Location) -> None:
        resumed(source.path)


def test_folders_of_a_resumed_run_are_one_run_in_order_of_time(tmp_path: Path) -> None:
    resumed(tmp_path)
    folder(tmp_path, RECORDS)
    (tmp_path / "run-20231114_231320-r1" / "files" / "config.yaml").write_text(
        "lr:\n  value: 0.2\n"
    )
    found = gather_one(SwanlabReader, tmp_path)
    assert [step for step, _ in found.series("loss")] == [0, 1, 2, 3, 4, 5, 9]
    run = [chunk.run for chunk in found.chunks if isinstance(chunk, chunks.Header)][-1]
    assert run.key.run_id == "r1"
    assert (run.started_ns, run.state, run.complete) == (START_NS, "finished", True)
    values = {
        it.path: it.value
        for chunk in found.chunks if isinstance(chunk, chunks.Attributes)
        for it in chunk.items if it.role == "config"
    }  # fmt: skip
    assert values == {("lr",): 0.2, ("net", "layers"): [1, 2]}
    files = {chunk.path for chunk in found.chunks if isinstance(chunk, chunks.File)}
    assert files == {"files/requirements.txt", "run-20231114_231320-r1/files/requirements.txt"}
    assert not found.losses


def test_a_resumed_run_that_goes_on_has_not_ended(tmp_path: Path) -> None:
    folder(tmp_path, RECORDS)
    resumed(tmp_path, LATER[:-1])
    (run,) = SwanlabReader.open(Location("swanlab", str(tmp_path)), ReadOptions()).runs()
    assert (run.state, run.ended_ns, run.complete) == ("running", None, False)
    assert run.started_ns == START_NS


@pytest.mark.parametrize("way", [0, 4])  # no way, and one that nobody knows
def test_an_id_that_was_used_again_without_resuming_is_another_run(
    tmp_path: Path, way: int
) -> None:
    folder(tmp_path, RECORDS)
    resumed(tmp_path, [start(resume=way, at_ns=LATER_NS), scalar("loss", 9, 0.5)])
    found = SwanlabReader.open(Location("swanlab", str(tmp_path)), ReadOptions()).runs()
    assert [run.key.run_id for run in found] == ["r1", "r1~2"]


def test_a_file_that_was_saved_is_never_looked_for_elsewhere(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("s")
    saved = [
        messages.save("../../secret", str(secret), 0),
        messages.save("m.pt", "/x", 0) + field(6, b"w"),
    ]
    home = folder(tmp_path / "in", [start(), *(record(20, one) for one in saved)])
    found = gather_one(SwanlabReader, home)
    files = {it.path: it.blob for it in found.chunks if isinstance(it, chunks.File)}
    assert files["files/../../secret"].is_missing
    opened = files["files/m.pt"].open
    assert opened is not None
    assert opened().read() == b"w"


def test_a_file_that_was_saved_as_a_link_is_read_where_it_leads_and_told_once(
    tmp_path: Path,
) -> None:
    """`swanlab.save` makes such; a link elsewhere in the folder is data of somebody else."""
    saved = tmp_path / "model.bin"
    saved.write_bytes(b"weights")
    home = folder(tmp_path / "in", [start()])
    (home / "files").mkdir(exist_ok=True)
    (home / "files" / "model.bin").symlink_to(saved)
    (home / "other.bin").symlink_to(saved)
    found = gather_one(SwanlabReader, home)
    files = {it.path: it.blob for it in found.chunks if isinstance(it, chunks.File)}
    opened = files["files/model.bin"].open
    assert opened is not None
    with opened() as stream:
        assert stream.read() == b"weights"
    assert "other.bin" not in files
    told = {(loss.code, loss.where, loss.fate) for loss in found.losses}
    assert told == {
        ("linked-file", "files/model.bin", Fate.KEPT), ("linked-file", "other.bin", Fate.DROPPED)
    }  # fmt: skip
    assert gather_one(SwanlabReader, home, found.cursor()).codes() == {}


# --- damage ---------------------------------------------------------------------------------------


def _seen(home: Path) -> list[tuple[Any, ...]]:
    found = gather_one(SwanlabReader, home)
    return [
        (row["key"], row["step"], row["value"], row["seq"])
        for chunk in found.chunks
        if isinstance(chunk, chunks.Points)
        for row in chunk.batch.to_pylist()
    ]


def test_truncated_anywhere_gives_an_exact_prefix(tmp_path: Path) -> None:
    home = folder(tmp_path, RECORDS)
    log = home / "run-r1.swanlab"
    whole, content = _seen(home), log.read_bytes()
    ends = [len(framed(RECORDS[:count])) for count in range(len(RECORDS) + 1)]
    for length in range(7, len(content)):
        log.write_bytes(content[:length])
        found = _seen(home)
        assert found == whole[: len(found)]
        full = sum(end <= length for end in ends) - 1
        assert len(found) == sum(map(is_scalar, RECORDS[:full]))


def is_scalar(content: bytes) -> bool:
    """Whether this is the record of a value: of what follows number and time."""
    head = len(record(13, b"")) - 1
    return content[head - 1] == 13 << 3 | 2


def test_a_flipped_bit_loses_its_record_and_is_told(tmp_path: Path) -> None:
    home = folder(tmp_path, RECORDS)
    log = home / "run-r1.swanlab"
    whole, content = _seen(home), log.read_bytes()
    for at in range(len(framed(RECORDS[:2])) + 3, len(content) - 40, 11):
        broken = bytearray(content)
        broken[at] ^= 4
        log.write_bytes(broken)
        found = gather_one(SwanlabReader, home)
        values = [row[:3] for row in _seen(home)]
        assert set(values) <= {row[:3] for row in whole}
        assert len(values) < len(whole) or len(found.losses)
        assert any(
            loss.code == "damaged-bytes" and loss.fate is Fate.DROPPED for loss in found.losses
        )


def test_other_files_and_versions_are_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "run-x.swanlab"
    for content, error in ((b"SQLite format 3", Damaged), (b":SWL\xd6\xe1\x09", UnknownVersion)):
        path.write_bytes(content)
        with pytest.raises(error):
            SwanlabReader.open(Location("swanlab", str(path)), ReadOptions())


def test_the_cloud_is_no_source() -> None:
    with pytest.raises(BadLocation, match="cannot be read"):
        SwanlabReader.open(Location("swanlab", "team/project"), ReadOptions())

"""Event files of ours: what their records say is given back, and garbled ones are told."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
from tensorboard_runs import START, event_file, framed, gather_one, opened, record, scalar, version
from tests.readers.gathered import Gathered

from runferry import chunks
from runferry.dialects.chunk_trees import chunk_tree
from runferry.dialects.tensorboard.own_files import MARK_TAG, SEAL_TAG, Mark, at_file, spelled
from runferry.dialects.tensorboard.wire import record_event
from runferry.losses import Fate, Loss
from runferry.model import Attribute, Blob, Run, RunKey, Series, Uid

RUN = Run(
    RunKey("wandb", "p", "r1"),
    name="first",
    tags=("a", "b"),
    started_ns=START * 10**9 + 1,
    state="finished",
    complete=True,
)
FILE = b"bytes of a file"


def kept(blob: Blob, name: str) -> dict[str, object]:
    del name
    return at_file(blob, hashlib.sha256(FILE).hexdigest())  # type: ignore[return-value]


def own_records(*stated: chunks.Chunk, seal: bool = True) -> bytes:
    """A file with these chunks and one value of the series `loss`."""
    told = [record_event(MARK_TAG, Mark(RUN.uid, RUN).content())]
    for chunk in stated:
        kind, tree = chunk_tree(chunk, kept)  # type: ignore[arg-type]
        told.append(record_event(f"runferry/{kind}", spelled(tree)))
    told.append(scalar("loss", 3, 0.5).SerializeToString())
    if seal:
        told.append(record_event(SEAL_TAG, b"{}"))
    return b"".join(map(record, [version().SerializeToString(), *told]))


def written(folder: Path, content: bytes) -> Path:
    path = event_file(folder, [], suffix=f"runferry.{RUN.uid}")
    path.write_bytes(content)
    return path


def read(tmp_path: Path, *stated: chunks.Chunk, seal: bool = True) -> Gathered:
    written(tmp_path / "first", own_records(*stated, seal=seal))
    return gather_one(tmp_path)


SERIES = chunks.SeriesFacts((Series("loss", ("train", "loss"), goal="minimize"),))


def test_a_run_has_the_header_that_it_had_and_a_key_of_its_own(tmp_path: Path) -> None:
    found = read(tmp_path, SERIES)
    (listed,) = opened(tmp_path).runs()
    assert listed.origin_uid == found.header.origin_uid == RUN.uid
    assert listed.key == found.header.key
    assert found.header.key.tracker == "tensorboard"
    for name in ("name", "tags", "started_ns", "state", "complete"):
        assert getattr(found.header, name) == getattr(RUN, name)


def test_what_is_not_sealed_is_not_complete(tmp_path: Path) -> None:
    assert not read(tmp_path, SERIES, seal=False).header.complete


def test_rows_belong_to_the_series_that_was_stated(tmp_path: Path) -> None:
    found = read(tmp_path, SERIES)
    assert found.series == {"loss": Series("loss", ("train", "loss"), goal="minimize")}
    assert [(row["key"], row["step"]) for row in found.rows("points")] == [("loss", 3)]


@pytest.mark.parametrize("seconds", [START - 1, START + 1], ids=["earlier", "later"])
@pytest.mark.parametrize("is_renamed", [False, True], ids=["named-as-ours", "renamed"])
def test_rows_of_another_file_beside_ours_have_numbers_of_their_own(
    tmp_path: Path, seconds: int, is_renamed: bool
) -> None:
    """The mark says whose file it is, whatever it is called."""
    folder = tmp_path / "first"
    ours = written(folder, own_records(SERIES))
    theirs = [version(), scalar("loss", 4, 0.25), scalar("loss", 5, 0.125)]
    suffix = "host.7.0"
    if is_renamed:
        ours.rename(folder / f"events.out.tfevents.{START}.host.8.0")
        suffix = f"runferry.{'0' * 32}"
    event_file(folder, theirs, seconds, suffix)
    found = gather_one(tmp_path)
    by_step = {row["step"]: row["seq"] for row in found.rows("points")}
    assert by_step.keys() == {3, 4, 5}
    assert len(set(by_step.values())) == 3
    assert by_step[3] == 0
    with (folder / f"events.out.tfevents.{seconds}.{suffix}").open("ab") as file:
        file.write(framed([scalar("loss", 6, 0.0)]))
    (grown,) = gather_one(tmp_path, found.cursor()).rows("points")
    assert grown["seq"] == by_step[5] + 1


def test_attributes_are_those_of_the_run_alone(tmp_path: Path) -> None:
    stated = chunks.Attributes((Attribute(("lr",), "config", 1),), is_whole=True)
    assert read(tmp_path, SERIES, stated).attributes == {("config", ("lr",)): 1}


def test_what_is_stated_again_is_given_once_as_stated_last(tmp_path: Path) -> None:
    """Pushes state sums of losses, and all files and documents, each time; readers read on."""

    def state(word: str, count: int) -> list[chunks.Chunk]:
        blob = Blob.from_bytes(word.encode())
        blob = replace(blob, sha256=hashlib.sha256(word.encode()).hexdigest())
        return [
            chunks.File("notes.txt", "other", blob),
            chunks.Document("layout", "shown", {"word": word}),
            chunks.Lost(Loss("gone", Fate.DROPPED, "here", count)),
        ]

    first = read(tmp_path, SERIES, *state("a", 1), *state("b", 2))
    assert [one.body for one in first.documents] == [{"word": "b"}]
    assert [one.count for one in first.losses] == [2]
    path = next((tmp_path / "first").glob("events.out.*"))
    for again, documents, counts in (
        (state("b", 2), [], []),
        (state("c", 5), [{"word": "c"}], [3]),
    ):
        with path.open("ab") as file:
            for chunk in again:
                kind, tree = chunk_tree(chunk, kept)  # type: ignore[arg-type]
                file.write(record(record_event(f"runferry/{kind}", spelled(tree))))
        cursor = first.cursor()
        first = gather_one(tmp_path, cursor)
        assert [one.body for one in first.documents] == documents
        assert list(first.files) == ["notes.txt"] * len(documents)
        assert [one.count for one in first.losses] == counts


def test_a_file_has_its_bytes_or_is_missing(tmp_path: Path) -> None:
    sha256 = hashlib.sha256(FILE).hexdigest()
    stated = chunks.File("notes.txt", "other", Blob.from_bytes(FILE))
    assert read(tmp_path, SERIES, stated).files["notes.txt"].blob.is_missing
    (tmp_path / "first" / "runferry_files").mkdir()
    (tmp_path / "first" / "runferry_files" / sha256).write_bytes(FILE)
    opener = gather_one(tmp_path).files["notes.txt"].blob.open
    assert opener is not None
    with opener() as stream:
        assert stream.read() == FILE


@pytest.mark.parametrize(
    ("tag", "content"),
    [
        ("runferry/attributes", b"{"),
        ("runferry/attributes", b'[{"path":1}]'),
        ("runferry/nonsense", b"{}"),
        ("runferry/document", b'["a"]'),
        (MARK_TAG, b"[]"),
    ],
)
def test_a_record_that_is_not_ours_is_kept_and_told(
    tmp_path: Path, tag: str, content: bytes
) -> None:
    events = [version().SerializeToString(), record_event(tag, content)]
    events.append(scalar("loss", 0, 1.0).SerializeToString())
    written(tmp_path / "first", b"".join(map(record, events)))
    found = gather_one(tmp_path)
    assert [(loss.code, loss.fate) for loss in found.losses] == [("bad-record", Fate.DROPPED)]
    assert [(raw.record_type, raw.payload) for raw in found.raws] == [(tag, content)]
    assert found.values("loss") == [1.0]
    assert found.header.origin_uid is None


def test_a_mark_is_a_uid_and_a_run() -> None:
    assert Mark.of(Mark(Uid("0" * 32), RUN).content()) == Mark(Uid("0" * 32), RUN)

"""The files that the writer leaves: where they lie, how they grow, what a crash does to them."""

from __future__ import annotations

import io
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

import pyarrow as pa
import pytest
from tensorboard_shown import event_file, loaded, opened, picture, sound, written

from runferry import _native, chunks
from runferry.dialects.tensorboard.names import tag_path
from runferry.errors import Refused
from runferry.losses import Fate, Loss
from runferry.model import Address, Attribute, Blob, MediaItem, RunKey, Series, Uid
from runferry.ports import Location, ReadOptions, RemoteId
from runferry.readers.tensorboard import TensorboardReader
from runferry.testing.content import Content
from runferry.testing.recording import Recording, Sample
from runferry.testing.samples import START_NS, as_run, attributes, curve, header, media, plain
from runferry.testing.writer_laws import numbered
from runferry.writers.tensorboard import shown, target


def content(logdir: Path, remote: RemoteId) -> Content:
    """What the reader makes of one run."""
    reader = TensorboardReader.open(Location("tensorboard", str(logdir / remote)), ReadOptions())
    (run,) = reader.runs()
    return Content.of(reader.read(run))


# --- growing, and broken off ----------------------------------------------------------------------


def test_cut_anywhere_the_whole_chunks_count_and_sending_on_gives_the_same_file(
    tmp_path: Path,
) -> None:
    sample = as_run(curve(12, keys=2, batch=4), "cut")
    (remote,) = written(tmp_path / "whole", sample)
    whole = event_file(tmp_path / "whole", remote).read_bytes()
    sent = list(numbered(sample))
    ends = [0, *chunk_ends(event_file(tmp_path / "whole", remote))]
    shutil.copytree(tmp_path / "whole", tmp_path / "cut")
    path = event_file(tmp_path / "cut", remote)
    for cut in range(ends[1], len(whole), 7):
        path.write_bytes(whole[:cut])
        writer = opened(tmp_path / "cut")
        progress = writer.stored(remote)
        assert progress.chunks == sum(end <= cut for end in ends[2:])
        assert not progress.is_sealed
        for number, chunk in sent[progress.chunks :]:
            writer.append(remote, number, chunk)
        writer.seal(remote, sample.run)
        assert path.read_bytes() == whole


def chunk_ends(path: Path) -> list[int]:
    """Behind the mark, and behind each chunk."""
    marks = _native.EventMarks(path, []).marks
    return [end for tag, end, _ in marks if tag in ("runferry/mark", "runferry/end")]


def test_what_is_said_of_tags_holds_for_who_goes_on(tmp_path: Path) -> None:
    said = (
        Attribute(tag_path("note", "shape"), "other", [1]),
        Attribute(tag_path("later", "description"), "other", "of it all"),
    )
    run = Recording(header("one")).put(chunks.Attributes(said, is_whole=True))
    run.log({"note": "a"}, step=0).flush().log({"note": "b", "later": "c"}, step=1)
    sample = run.sample()
    (whole,) = written(tmp_path / "whole", sample)
    remote = opened(tmp_path / "parts").create(sample.run, sample.run.uid)
    for number, chunk in numbered(sample):
        opened(tmp_path / "parts").append(remote, number, chunk)
    opened(tmp_path / "parts").seal(remote, sample.run)
    left, right = (event_file(tmp_path / name, remote) for name in ("whole", "parts"))
    assert remote == whole
    assert left.read_bytes() == right.read_bytes()
    assert left.read_bytes().count(b"of it all") == 2  # said, and shown


def test_a_flipped_byte_ends_what_is_whole(tmp_path: Path) -> None:
    """What a disk has lost is sent again, and what stands behind it, too."""
    sample = curve(12, keys=2, batch=4)
    (remote,) = written(tmp_path, sample)
    path = event_file(tmp_path, remote)
    ends = chunk_ends(path)
    spoilt = bytearray(path.read_bytes())
    spoilt[ends[3] + 20] ^= 1
    path.write_bytes(spoilt)
    progress = opened(tmp_path).stored(remote)
    assert (progress.chunks, progress.is_sealed, progress.was_sealed) == (3, False, False)


def test_a_seal_that_outlasted_what_it_seals_is_not_believed(tmp_path: Path) -> None:
    """As a loss of power may leave it: the end was written, and a part before it was not."""
    sample = curve(12, keys=2, batch=4)
    (remote,) = written(tmp_path, sample)
    path = event_file(tmp_path, remote)
    whole = path.read_bytes()
    ends = chunk_ends(path)
    path.write_bytes(whole[: ends[2]] + bytes(ends[3] - ends[2]) + whole[ends[3] :])
    writer = opened(tmp_path)
    progress = writer.stored(remote)
    assert (progress.chunks, progress.is_sealed, progress.was_sealed) == (2, False, False)
    for number, chunk in list(numbered(sample))[2:]:
        writer.append(remote, number, chunk)
    writer.seal(remote, sample.run)
    assert path.read_bytes() == whole


def test_what_stands_there_is_never_written_again(tmp_path: Path) -> None:
    """A file only grows: TensorBoard has it open."""
    sample = as_run(curve(40, batch=10), "grows")
    writer = opened(tmp_path)
    remote = writer.create(sample.run, sample.run.uid)
    path, before = event_file(tmp_path, remote), b""
    node = path.stat().st_ino
    for number, chunk in numbered(sample):
        writer.append(remote, number, chunk)
        now = path.read_bytes()
        assert now.startswith(before)
        assert path.stat().st_ino == node
        before = now
    writer.seal(remote, sample.run)
    assert path.read_bytes().startswith(before)
    assert len(list((tmp_path / remote).iterdir())) == 1


def test_discarding_growth_leaves_the_run_as_it_was_sealed(tmp_path: Path) -> None:
    sample = as_run(curve(40, batch=10), "grown")
    (remote,) = written(tmp_path, sample)
    before = event_file(tmp_path, remote).read_bytes()
    writer = opened(tmp_path)
    more = list(numbered(sample))
    writer.append(remote, len(more), more[-1][1])
    assert opened(tmp_path).stored(remote).was_sealed
    opened(tmp_path).discard(remote)
    assert event_file(tmp_path, remote).read_bytes() == before
    with pytest.raises(Refused):
        opened(tmp_path).discard(remote)


def test_a_failed_append_leaves_what_was_there(tmp_path: Path) -> None:
    """Half of a chunk counts for nothing, and is cut off by the next."""
    sample = as_run(curve(20, batch=10), "failed")
    sent = list(numbered(sample))
    writer = opened(tmp_path)
    remote = writer.create(sample.run, sample.run.uid)
    gone = Blob(3, None, None, lambda: (_ for _ in ()).throw(OSError(5, "a bad disk")))
    for number, chunk in sent:
        writer.append(remote, number, chunk)
    with pytest.raises(Refused, match="a bad disk"):
        writer.append(remote, len(sent), chunks.File("a", "other", gone))
    assert writer.stored(remote).chunks == len(sent)
    writer.append(remote, len(sent), chunks.File("a", "other", Blob.from_bytes(b"abc")))
    assert opened(tmp_path).stored(remote).chunks == len(sent) + 1


# --- bytes ----------------------------------------------------------------------------------------


def test_bytes_that_tensorboard_shows_are_stored_once(tmp_path: Path) -> None:
    shown = [("image", picture()), ("image", picture(shade=1)), ("audio", sound())]
    run = Recording(header("once"))
    for step, (kind, bytes_) in enumerate(shown):
        item = MediaItem("", Address(0), kind, Blob.from_bytes(bytes_), caption=f"c{step}")
        run.log({f"{kind}s": item}, step=step, time_ns=START_NS)
    (remote,) = written(tmp_path, run.sample())
    whole = event_file(tmp_path, remote).read_bytes()
    assert [whole.count(bytes_) for _, bytes_ in shown] == [1, 1, 1]
    assert not (tmp_path / remote / "runferry_files").exists()
    assert content(tmp_path, remote).things == Content.of(run.sample().chunks).things


def test_media_come_back_as_they_were(tmp_path: Path) -> None:
    (remote,) = written(tmp_path, media())
    assert content(tmp_path, remote).things == Content.of(media().chunks).things


def test_a_copied_folder_is_the_whole_run(tmp_path: Path) -> None:
    """No place in it is absolute."""
    (remote,) = written(tmp_path / "here", media())
    shutil.move(tmp_path / "here", tmp_path / "there")
    assert content(tmp_path / "there", remote).things == Content.of(media().chunks).things


# --- limits ---------------------------------------------------------------------------------------


def test_a_time_beyond_nanoseconds_is_refused_with_its_place(tmp_path: Path) -> None:
    sample = curve(2, keys=1, batch=2)
    (points,) = [chunk for chunk in sample.chunks if isinstance(chunk, chunks.Points)]
    far = pa.array([2**62] * points.batch.num_rows).cast(points.batch.schema.field("time").type)
    late = chunks.Points(points.batch.set_column(3, points.batch.schema.field("time"), far))
    run = Sample(sample.run, (late,))
    with pytest.raises(Refused, match="2262"):
        written(tmp_path, run)


def test_config_that_changes_is_kept_and_the_first_is_shown(tmp_path: Path) -> None:
    """TensorBoard believes the first metadata of a tag."""
    sample = attributes()
    writer = opened(tmp_path)
    remote = writer.create(sample.run, sample.run.uid)
    sent = list(numbered(sample))
    for number, chunk in sent:
        writer.append(remote, number, chunk)
    writer.seal(remote, sample.run)
    (loss,) = writer.losses(remote)
    assert (loss.code, loss.fate, loss.where) == ("first-shown", Fate.REENCODED, "config")
    found = content(tmp_path, remote).attributes
    assert found == Content.of(sample.chunks).attributes


def test_a_header_that_changed_alone_is_sealed_anew(tmp_path: Path) -> None:
    sample = plain()
    (remote,) = written(tmp_path, sample)
    size = event_file(tmp_path, remote).stat().st_size
    opened(tmp_path).seal(remote, sample.run)
    assert event_file(tmp_path, remote).stat().st_size == size
    opened(tmp_path).seal(remote, replace(sample.run, name="another"))
    assert event_file(tmp_path, remote).stat().st_size > size
    found = content(tmp_path, remote).header
    assert found is not None
    assert found.name == "another"
    assert opened(tmp_path).stored(remote).is_sealed


def test_losses_stay_told_when_the_header_alone_is_sealed_anew(tmp_path: Path) -> None:
    lost = Loss("gone", Fate.DROPPED, "here", 2)
    sample = Recording(header("lossy")).put(chunks.Lost(lost)).sample()
    (remote,) = written(tmp_path, sample)
    assert content(tmp_path, remote).losses == [lost]
    opened(tmp_path).seal(remote, replace(sample.run, name="another"))
    assert content(tmp_path, remote).losses == [lost]


# --- what TensorBoard cannot hold -----------------------------------------------------------------


def test_what_no_reader_would_read_back_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(target, "LONGEST_EVENT", 1000)
    sample = plain()
    (remote,) = written(tmp_path, sample, seal=False)
    for long in (chunks.Raw("r", "long", b"x" * 1000), curve_of_text("x" * 1001)):
        writer = opened(tmp_path)
        before = writer.stored(remote)
        with pytest.raises(Refused, match="more than an event can hold"):
            writer.append(remote, before.chunks, long)
        assert opened(tmp_path).stored(remote) == before


def curve_of_text(text: str) -> chunks.Texts:
    rows = Recording(header("texts")).log({"note": text}, step=0).sample().chunks
    return next(chunk for chunk in rows if isinstance(chunk, chunks.Texts))


def test_large_images_of_one_row_stand_in_events_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shown, "_LARGEST", 200)
    png = picture() + b"\0" * 100
    at = Address(0, 0, None, None)
    items = tuple(
        MediaItem("k", at, "image", Blob(len(png), "image/png", None, partial(io.BytesIO, png)), n)
        for n in range(3)
    )
    declared = chunks.SeriesFacts((Series("k", ("k",), kind="media"),))
    sample = Sample(header("images"), (declared, chunks.Media(items)))
    (remote,) = written(tmp_path, sample)
    assert content(tmp_path, remote).things == Content.of(sample.chunks).things
    assert not list((tmp_path / remote).glob("runferry_files/*"))


def test_half_a_letter_is_shown_as_a_sign_and_kept(tmp_path: Path) -> None:
    items = (Attribute(("a \ud800",), "config", "\udfff"),)
    run = replace(header("half"), key=RunKey("tensorboard", "", "half"), group="\udc80")
    sample = Sample(run, (chunks.Attributes(items),))
    (remote,) = written(tmp_path, sample)
    assert content(tmp_path, remote).attributes == Content.of(sample.chunks).attributes


@pytest.mark.parametrize("body", [
    b"no JSON", b"[1]", b'{"a": 1}', b'{"a": ["x"]}', b'{"a": [1, 2], "b": [1]}',
    b'{"a": [1%s]}' % (b"0" * 400),
])  # fmt: skip
def test_a_plot_that_only_says_it_is_a_curve_is_kept(tmp_path: Path, body: bytes) -> None:
    blob = Blob(len(body), "application/json", None, partial(io.BytesIO, body))
    at = Address(0, 0, None, None)
    item = MediaItem("k", at, "plot", blob, metadata={"plugin": "pr_curves"})
    declared = chunks.SeriesFacts((Series("k", ("k",), kind="media"),))
    sample = Sample(header("plot"), (declared, chunks.Media((item,))))
    (remote,) = written(tmp_path, sample)
    assert content(tmp_path, remote).things == Content.of(sample.chunks).things
    assert "k" not in loaded(tmp_path, remote)


@pytest.mark.usefixtures("modes_hold")
def test_a_closed_folder_or_file_in_the_logdir_ends_no_other_push(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shut, other = as_run(plain(), "shut"), as_run(plain(), "other")
    (remote,) = written(tmp_path, shut)
    closed = tmp_path / "theirs"
    closed.mkdir()
    event_file(tmp_path, remote).chmod(0)
    closed.chmod(0)
    try:
        writer = opened(tmp_path)
        assert writer.present() == {}
        assert writer.find(Uid("0" * 32)) is None
        assert "theirs was not looked into: Permission denied" in caplog.text
        with pytest.raises(Refused, match="Permission denied") as refused:
            writer.find(shut.run.uid)
        assert refused.value.where == str(tmp_path / remote)
        assert refused.value.hint
        written(tmp_path, other)
        assert set(writer.present() or ()) == {other.run.uid}
    finally:
        closed.chmod(0o755)
        event_file(tmp_path, remote).chmod(0o644)

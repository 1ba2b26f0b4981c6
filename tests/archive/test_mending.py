"""What was lost is healed, what was left behind goes, what is damaged is named."""

from __future__ import annotations

import errno
import json
import os
import time
from pathlib import Path

import pytest
from tests.archive.runs import Row, archived, batch_of, content, points_in, run_named
from tests.blobs import bytes_of

from runferry.archive import lock, segments, vacuum
from runferry.archive.as_destination import ArchiveWriter
from runferry.archive.as_source import ArchiveReader
from runferry.archive.layout import commit_path
from runferry.archive.lock import FileLock
from runferry.archive.store import Archive, DamagedRun, RunRecord
from runferry.archive.vacuum import UNLOCKED_GRACE
from runferry.archive.working_folder import working_folder
from runferry.chunks import Chunk, File, Points
from runferry.errors import ArchiveError, Corrupt
from runferry.model import Blob
from runferry.ports import Location
from runferry.transfer.push import push
from runferry.transfer.verify import verify_archive

LONG_AGO = time.time() - 10 * UNLOCKED_GRACE


def file(content: bytes = b"weights") -> File:
    return File("f", "other", Blob.from_bytes(content))


def pulled(count: int = 9) -> list[Chunk]:
    return [Points(batch_of([Row("loss", seq, seq) for seq in range(count)])), file()]


def blobs_in(archive: Archive) -> list[Path]:
    return [path for path in (archive.path / "blobs").rglob("*") if path.is_file()]


def check_whole(archive: Archive, record: RunRecord, count: int = 9) -> None:
    archive.check(record)
    assert len(content(archive, record)) == count
    (held,) = [chunk for chunk in archive.chunks(record) if isinstance(chunk, File)]
    assert bytes_of(held.blob) == b"weights"


def aged(*paths: Path) -> None:
    for path in paths:
        for part in (*(path.rglob("*") if path.is_dir() else ()), path):
            os.utime(part, (LONG_AGO, LONG_AGO))


# --- healing --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("what", "damage"),
    [
        *(("segment", damage) for damage in ("gone", "short", "garbled")),
        *(("blob", damage) for damage in ("gone", "short")),
    ],
)
def test_a_full_pull_heals_what_was_lost(archive: Archive, what: str, damage: str) -> None:
    first = archived(archive, run_named("r"), pulled())
    (blob,) = blobs_in(archive)
    lost = blob if what == "blob" else archive.path / first.segments[0].path
    if damage == "gone":
        lost.unlink()
    elif damage == "short":
        lost.write_bytes(lost.read_bytes()[:-1])
    else:
        lost.write_bytes(bytes(lost.stat().st_size))
    healed = archived(archive, run_named("r"), pulled())
    assert archive.record(first.run.uid) == healed
    assert healed.digest == first.digest
    check_whole(archive, healed)
    assert len(blobs_in(archive)) == 1
    assert not list((archive.path / "blobs").glob(".*"))


@pytest.mark.parametrize("damage", ["gone", "short", "long", "garbled"])
def test_a_blob_that_is_not_what_it_was_is_no_blob_to_anybody(
    archive: Archive, tmp_path: Path, damage: str
) -> None:
    whole = Archive.open(tmp_path / "whole", create=True)
    for each in (whole, archive):
        record = archived(each, run_named("r"), pulled())
    (lost,) = blobs_in(archive)
    raw = lost.read_bytes()
    if damage == "gone":
        lost.unlink()
    else:
        lost.write_bytes({"short": raw[:-1], "long": raw + b"s", "garbled": raw.swapcase()}[damage])
    (held,) = [chunk for chunk in archive.chunks(record) if isinstance(chunk, File)]
    with pytest.raises(Corrupt) as caught:
        bytes_of(held.blob)
    assert str(lost) in str(caught.value)
    assert caught.value.hint
    place = Location("archive", str(archive.path))
    for one, other in ((whole, place), (archive, Location("archive", str(whole.path)))):
        assert not verify_archive(one, other).is_clean
    pushed = push(archive, Location("archive", str(tmp_path / "copy")))
    assert [failure.error and str(lost) in failure.error for failure in pushed.failures] == [True]
    lost.unlink(missing_ok=True)
    check_whole(archive, archived(archive, run_named("r"), pulled()))


def test_an_equal_pull_leaves_no_blob_on_its_way(archive: Archive) -> None:
    record = archived(archive, run_named("r"), pulled())
    assert archived(archive, run_named("r"), pulled()) == record
    assert len(blobs_in(archive)) == 1


# --- vacuum beside others -------------------------------------------------------------------------


def test_a_vacuum_never_takes_a_blob_from_a_push(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = archived(archive, run_named("old"), [file()])
    archive.remove(old.run.uid)
    aged(*blobs_in(archive))
    run, writer = run_named("r"), ArchiveWriter(archive)
    look = vacuum._Broom.look_who_writes

    def push_begins_after(broom: vacuum._Broom) -> None:
        look(broom)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Archive, "let_vacuum_finish", lambda _: None)  # killed before it waits
            writer.create(run, run.uid)
            writer.append(run.uid, 0, file())

    monkeypatch.setattr(vacuum._Broom, "look_who_writes", push_begins_after)
    assert archive.vacuum(grace_seconds=0).files == 1
    monkeypatch.undo()
    writer.append(run.uid, 0, file())  # the next attempt
    writer.append(run.uid, 1, pulled()[0])
    writer.seal(run.uid, run)
    record = archive.record(run.uid)
    assert record is not None
    check_whole(archive, record)


def test_a_push_waits_for_a_vacuum(archive: Archive) -> None:
    held = archive.vacuum_lock()
    held.acquire()
    run, writer = run_named("r"), ArchiveWriter(archive)
    waited: list[str] = []
    original = Archive.let_vacuum_finish

    def finish(self: Archive) -> None:
        waited.append("for vacuum")
        held.release()
        original(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Archive, "let_vacuum_finish", finish)
        writer.create(run, run.uid)
        writer.append(run.uid, 0, file())
    assert len(waited) == 2


# --- debris ---------------------------------------------------------------------------------------


def test_debris_of_killed_processes_goes_and_keeps_no_blob(archive: Archive) -> None:
    record = archived(archive, run_named("r"), pulled())
    uid = record.run.uid
    gone = archived(archive, run_named("gone"), [file(b"of nobody")])
    archive.remove(gone.run.uid)
    root = archive.path
    debris = [
        root / "staging" / f".{uid}.abc" / "0.chunk",
        root / "scratch" / "killed" / "points" / "0.arrows",
        root / "catalog" / ".runs-abc",
        root / "commits" / uid[:2] / f".{uid}.json.abc",
        root / "blobs" / ".abc-1",
    ]
    for path in debris:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    (root / "scratch" / "killed.lock").touch()
    aged(root)
    done = archive.vacuum()
    assert (done.files, done.busy, done.damaged) == (len(debris) + 1, 0, ())
    assert not [path for path in debris if path.exists()]
    assert not list((root / "scratch").iterdir())
    assert not list((root / "staging").iterdir())
    check_whole(archive, record)


def test_a_vacuum_without_grace_spares_what_is_being_written(archive: Archive) -> None:
    run, writer = run_named("pushed"), ArchiveWriter(archive)
    writer.create(run, run.uid)
    half = archive.path / "staging" / run.uid / ".000000000000.chunk.abc"
    half.write_bytes(b"x")
    with archive.draft(run_named("r")), working_folder(archive.path) as mine:
        temporary = commit_path(archive.path, run_named("r").uid)
        temporary = temporary.with_name(f".{temporary.name}.abc")
        temporary.parent.mkdir(parents=True)
        temporary.write_bytes(b"x")
        (mine / "bucket").write_bytes(b"x")
        assert archive.vacuum(grace_seconds=0).busy == 2
        assert temporary.exists()
        assert (mine / "bucket").exists()
    assert half.exists()
    aged(half)
    archive.vacuum()
    assert not half.exists()
    assert not list((archive.path / "scratch").iterdir())


def test_a_reading_by_step_leaves_nothing_behind(archive: Archive) -> None:
    record = archived(archive, run_named("r"), pulled())
    assert len(points_in(archive, record, "step")) == 9
    reading = archive.chunks(record, order="step")
    next(chunk for chunk in reading if isinstance(chunk, Points))
    assert len(list((archive.path / "scratch").iterdir())) == 2
    reading.close()  # type: ignore[attr-defined]
    assert not list((archive.path / "scratch").iterdir())


# --- a commit that cannot be read -----------------------------------------------------------------


def damaged(archive: Archive, record: RunRecord) -> None:
    commit_path(archive.path, record.run.uid).write_text("{}")


def test_one_damaged_commit_hides_no_other_run(archive: Archive) -> None:
    records = [archived(archive, run_named(name), pulled()) for name in ("a", "b", "c")]
    broken, *whole = records
    damaged(archive, broken)
    with pytest.raises(Corrupt):
        list(archive.records())
    named: list[DamagedRun] = []
    expected = sorted(whole, key=lambda record: record.run.uid)
    assert list(archive.records(named)) == expected
    assert [run.uid for run in named] == [broken.run.uid]
    connection = archive.sql()
    assert connection.execute("select count(*) from points").fetchone() == (18,)
    assert connection.execute("select uid from damaged").fetchall() == [(broken.run.uid,)]
    reader = ArchiveReader(archive)
    *others, stand_in = reader.runs()
    assert others == [record.run for record in expected]
    assert broken.run.uid in str(stand_in.key)
    with pytest.raises(Corrupt):
        list(reader.read(stand_in))
    with pytest.raises(Corrupt):
        archive.record(next(run.uid for run in archive.headers() if run.key == stand_in.key))
    assert ArchiveWriter(archive).find(run_named("new").uid) is None
    healed = archived(archive, run_named("d"), pulled())
    check_whole(archive, healed)


@pytest.mark.parametrize(
    "garbled", [{"tags": [1]}, {"tags": "ab"}, {"labels": {"a": 1}}, {"name": 5}, {"labels": [1]}]
)
def test_a_header_of_other_types_is_a_damaged_commit(
    archive: Archive, garbled: dict[str, object]
) -> None:
    record = archived(archive, run_named("a"), pulled())
    commit = commit_path(archive.path, record.run.uid)
    stated = json.loads(commit.read_text())
    commit.write_text(json.dumps(stated | {"run": stated["run"] | garbled}))
    with pytest.raises(Corrupt, match="cannot be read"):
        archive.record(record.run.uid)
    commit.write_text(json.dumps(stated | {"attributes": [["config", ["lr", 1], 0.5]]}))
    with pytest.raises(Corrupt, match="cannot be read"):
        archive.record(record.run.uid)


def test_a_run_is_found_by_the_mark_that_another_process_just_gave_it(archive: Archive) -> None:
    writer, other = ArchiveWriter(archive), ArchiveWriter(Archive.open(archive.path))
    for number in range(5):
        origin = run_named(f"origin{number}").uid
        assert writer.find(origin) is None
        run = run_named(f"copy{number}")
        remote = other.create(run, origin)
        other.seal(remote, run)
        assert writer.find(origin) == remote == run.uid
    archive.remove(run.uid)
    assert writer.find(origin) is None


def test_vacuum_takes_nothing_that_a_damaged_commit_may_refer_to(archive: Archive) -> None:
    record = archived(archive, run_named("r"), pulled())
    whole = commit_path(archive.path, record.run.uid).read_bytes()
    damaged(archive, record)
    aged(archive.path)
    done = archive.vacuum(grace_seconds=0)
    assert (done.files, done.damaged) == (0, (record.run.uid,))
    commit_path(archive.path, record.run.uid).write_bytes(whole)
    check_whole(archive, record)


def test_a_draft_that_fails_over_a_damaged_commit_tells_its_own_error_and_frees_the_run(
    archive: Archive,
) -> None:
    record = archived(archive, run_named("r"), pulled())
    archive.segment_rows = 2

    def fail() -> None:
        with archive.draft(record.run) as draft:
            draft.put(pulled()[0])
            damaged(archive, record)
            raise KeyError("boom")

    with pytest.raises(KeyError, match="boom"):
        fail()
    free = archive.run_lock(record.run.uid)
    assert free.try_acquire()
    free.release()


def test_a_segment_that_cannot_be_begun_leaves_no_file(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(segments.pq, "ParquetWriter", broken)
    with pytest.raises(MemoryError):
        archived(archive, run_named("r"), pulled())
    assert not list(archive.path.rglob("*.parquet"))


# --- locks ----------------------------------------------------------------------------------------


def test_a_disk_without_locks_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(lock, "_lock", refused)
    with pytest.raises(ArchiveError, match="No locks available") as caught:
        FileLock(tmp_path / "locks" / "x.lock").acquire()
    assert caught.value.hint

"""Killed, full, locked or shared: the old state or the new one, never anything between."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterable
from pathlib import Path

import pytest
from tests.archive.runs import (
    archived,
    batch_of,
    content,
    counted_rows,
    points_in,
    python,
    run_named,
)
from tests.blobs import bytes_of

from runferry import durable
from runferry.archive.store import Archive
from runferry.chunks import Checkpoint, File, Lost, Points
from runferry.errors import Locked
from runferry.losses import Fate, Loss
from runferry.model import Blob

_GROW_FOR_EVER = """
import sys
from pathlib import Path
from runferry.archive.store import Archive
from runferry.chunks import File, Points
from runferry.model import Blob
from tests.archive.runs import archived, batch_of, counted_rows, run_named
archive = Archive.open(Path(sys.argv[1]))
archive.segment_rows = 40
run = run_named("r")
while True:
    record = archive.record(run.uid)
    at = record.generation if record else 0
    blob = Blob.from_bytes(str(at + 1).encode() * 5000)
    points = Points(batch_of(counted_rows(100, at * 100)))
    archived(archive, run, [points, File("f", "other", blob)], record)
    print("committed", flush=True)
"""


def check_whole(archive: Archive) -> int:
    """The run is exactly what some commit made of it; returns its generation."""
    record = archive.record(run_named("r").uid)
    if record is None:
        return 0
    archive.check(record)
    assert content(archive, record) == sorted(
        counted_rows(100 * record.generation), key=lambda row: (row.key, row.seq)
    )
    (file,) = [c for c in archive.chunks(record) if isinstance(c, File)]
    assert bytes_of(file.blob) == str(record.generation).encode() * 5000
    return record.generation


def test_killed_anywhere_leaves_a_whole_run_and_the_next_process_goes_on(archive: Archive) -> None:
    chance = random.Random(7)
    last = 0
    for _ in range(10):
        process = python(_GROW_FOR_EVER, archive.path)
        assert process.stdout is not None
        for _ in range(chance.randrange(3)):
            process.stdout.readline()
        time.sleep(chance.uniform(0.0, 0.05))
        process.kill()
        process.wait()
        process.stdout.close()
        now = check_whole(archive)
        assert now >= last
        last = now
    archive.vacuum(grace_seconds=0)
    assert check_whole(archive) == last
    left = {p.name for p in archive.path.rglob("*") if p.is_file()}
    record = archive.record(run_named("r").uid)
    assert record is not None
    expected = {Path(segment.path).name for segment in record.segments}
    assert {name for name in left if name.endswith(".parquet")} == expected
    assert not {name for name in left if name.startswith(".")}


def test_readers_see_whole_commits_while_another_process_writes(archive: Archive) -> None:
    process = python(_GROW_FOR_EVER, archive.path)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        seen = set()
        deadline = time.monotonic() + 60
        while len(seen) < 5 and time.monotonic() < deadline:
            seen.add(check_whole(archive))
        assert len(seen) >= 5
    finally:
        process.kill()
        process.wait()
        process.stdout.close()  # type: ignore[union-attr]


_PULL_SOME = """
import sys
from pathlib import Path
from runferry.archive.store import Archive
from runferry.chunks import File, Points
from runferry.model import Blob
from tests.archive.runs import archived, batch_of, counted_rows, run_named
archive = Archive.open(Path(sys.argv[1]), create=True)
for n in range(30):
    run = run_named(f"{sys.argv[2]}{n}")
    points = Points(batch_of(counted_rows(50)))
    archived(archive, run, [points, File("f", "other", Blob.from_bytes(b"x"))])
"""


def test_two_processes_archive_different_runs_at_once(tmp_path: Path) -> None:
    both = [python(_PULL_SOME, tmp_path / "a", name) for name in ("one", "two")]
    for process in both:
        assert process.wait() == 0
        process.stdout.close()  # type: ignore[union-attr]
    archive = Archive.open(tmp_path / "a")
    records = list(archive.records())
    assert len(records) == 60
    for record in records:
        archive.check(record)
        assert len(points_in(archive, record)) == 50


def test_the_second_writer_of_a_run_is_told_or_waits(archive: Archive) -> None:
    run = run_named("r")
    with archive.draft(run) as draft:
        with pytest.raises(Locked) as caught:
            archive.draft(run)
        assert caught.value.hint
        with archive.draft(run_named("other")):
            pass
        threading.Timer(0.1, draft.commit).start()
        with archive.draft(run, wait=10) as second:
            assert second.commit().generation == 1


def test_a_draft_on_an_overtaken_record_is_locked_out(archive: Archive) -> None:
    run = run_named("r")
    old = archived(archive, run, [Points(batch_of(counted_rows(3)))])
    archived(archive, run, [Points(batch_of(counted_rows(3, 3)))], after=old)
    with pytest.raises(Locked):
        archive.draft(run, after=old)
    with archive.draft(run):  # and the lock is free again
        pass


def test_an_equal_pull_is_no_commit_and_keeps_the_segments(archive: Archive) -> None:
    run = run_named("r")
    first = archived(archive, run, [Points(batch_of(counted_rows(9))), Checkpoint({"at": 1})])
    same = archived(archive, run, [Points(batch_of(counted_rows(9))), Checkpoint({"at": 1})])
    assert same == first
    further = archived(archive, run, [Points(batch_of(counted_rows(9))), Checkpoint({"at": 2})])
    assert further.generation == 2
    assert further.segments == first.segments
    assert archived(archive, run, [], after=further) == further
    assert len(list(archive.path.glob("data/*/*"))) == 1


def test_a_full_pull_replaces_in_one_step_and_without_a_commit_nothing_stays(
    archive: Archive,
) -> None:
    run = run_named("r")
    archived(archive, run, [Points(batch_of(counted_rows(9)))])
    replaced = archived(archive, run, [Points(batch_of(counted_rows(4, 50)))])
    assert [row.seq for row in points_in(archive, replaced, "step")] == [50, 51, 52, 53]
    before = sorted(archive.path.rglob("*"))
    archive.segment_rows = 3
    with archive.draft(run) as draft:
        draft.put(Points(batch_of(counted_rows(10))))
        draft.put(File("f", "other", Blob.from_bytes(b"bytes")))
    left = set(archive.path.rglob("*")) - set(before)
    assert {path.name for path in left} <= {"blobs"}


def test_a_commit_interrupted_after_it_became_visible_keeps_its_files(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(paths: Iterable[Path]) -> None:
        if any(path.parent.name == "commits" for path in paths):
            raise KeyboardInterrupt

    archived(archive, run_named("r"), [Points(batch_of(counted_rows(5)))])
    monkeypatch.setattr(durable, "sync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        archived(archive, run_named("r"), [Points(batch_of(counted_rows(9)))])
    monkeypatch.undo()
    record = archive.record(run_named("r").uid)
    assert record is not None
    assert record.generation == 2
    archive.check(record)


def test_compacting_keeps_content_and_digest(archive: Archive) -> None:
    run, record = run_named("r"), None
    for start in range(0, 100, 10):
        lost = Lost(Loss("x", Fate.DROPPED, count=1))
        record = archived(
            archive, run, [Points(batch_of(counted_rows(10, start))), lost], after=record
        )
    assert record is not None
    assert len(record.segments) == 10
    before = content(archive, record)
    small = archive.compact(record)
    assert len(small.segments) == 1
    assert (small.digest, small.losses) == (record.digest, record.losses)
    assert content(archive, small) == before
    assert archive.series(small) == archive.series(record)
    assert content(archive, record) == before  # who still reads the old segments can
    grown = archived(archive, run, [Points(batch_of(counted_rows(10, 100)))], after=small)
    assert content(archive, grown) == sorted(counted_rows(110), key=lambda row: (row.key, row.seq))
    assert archive.compact(small) == small


def test_vacuum_removes_what_is_superseded_and_spares_what_is_being_written(
    archive: Archive,
) -> None:
    run = run_named("r")
    archived(
        archive, run, [Points(batch_of(counted_rows(9))), File("f", "other", Blob.from_bytes(b"1"))]
    )
    record = archived(
        archive, run, [Points(batch_of(counted_rows(8))), File("f", "other", Blob.from_bytes(b"2"))]
    )
    assert archive.vacuum(grace_seconds=3600).files == 0
    busy = archive.draft(run_named("busy"))
    busy.put(File("f", "other", Blob.from_bytes(b"3")))
    assert archive.vacuum(grace_seconds=0).busy == 1
    assert busy.commit().generation == 1
    done = archive.vacuum(grace_seconds=0)
    assert done.files == 1  # the first blob; the segment went before
    archive.check(record)
    blobs = [path for path in (archive.path / "blobs").rglob("*") if path.is_file()]
    assert len(blobs) == 2
    assert archive.vacuum(grace_seconds=0).files == 0


def test_a_removed_run_is_gone_and_the_others_stay(archive: Archive) -> None:
    file = File("f", "other", Blob.from_bytes(b"shared"))
    gone, kept = (
        archived(archive, run_named(name), [Points(batch_of(counted_rows(9))), file])
        for name in ("gone", "kept")
    )
    with archive.draft(gone.run), pytest.raises(Locked):
        archive.remove(gone.run.uid)
    archive.remove(gone.run.uid)
    archive.remove(gone.run.uid)
    assert list(archive.records()) == [kept]
    archive.vacuum(grace_seconds=0)
    archive.check(kept)
    assert len([path for path in archive.path.rglob("*") if path.is_file()]) == 4
    assert archived(archive, gone.run, []).generation == 1

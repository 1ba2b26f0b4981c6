"""Killed, full, locked or shared: the old state or the new one, never anything between."""

from __future__ import annotations

import random
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from tests.archive.runs import Row, archived, batch_of, content, points_in, run_named
from tests.archive.test_content import bytes_of
from tests.transfer.roads import pull_from, push_to

from runferry import durable
from runferry.archive.ledger import Delivery, Ledger
from runferry.archive.store import Archive
from runferry.chunks import Checkpoint, Chunk, File, Histograms, Lost, Points
from runferry.errors import (
    ArchiveError,
    Corrupt,
    Locked,
    NewerFormat,
    NoSpace,
    NotFound,
    OlderFormat,
)
from runferry.live.backends import places
from runferry.live.layout import HOME
from runferry.locations import locate
from runferry.losses import Fate, Loss
from runferry.model import Blob, Uid
from runferry.python_apart import command_apart, environment_apart
from runferry.settings import Settings
from runferry.testing.reference import record as record_source
from runferry.testing.samples import plain


def rows(count: int, start: int = 0) -> list[Row]:
    return [Row(f"k{n % 7}", n, n) for n in range(start, start + count)]


def python(code: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command_apart(code, *map(str, arguments)),
        env=environment_apart(),
        stdout=subprocess.PIPE,
        text=True,
    )


_GROW_FOR_EVER = """
import sys
from pathlib import Path
from runferry.archive.store import Archive
from runferry.chunks import File, Points
from runferry.model import Blob
from tests.archive.runs import archived, batch_of, run_named
from tests.archive.test_durability import rows
archive = Archive.open(Path(sys.argv[1]))
archive.segment_rows = 40
run = run_named("r")
while True:
    record = archive.record(run.uid)
    at = record.generation if record else 0
    blob = Blob.from_bytes(str(at + 1).encode() * 5000)
    archived(
        archive, run, [Points(batch_of(rows(100, at * 100))), File("f", "other", blob)], record
    )
    print("committed", flush=True)
"""


def check_whole(archive: Archive) -> int:
    """The run is exactly what some commit made of it; returns its generation."""
    record = archive.record(run_named("r").uid)
    if record is None:
        return 0
    archive.check(record)
    assert content(archive, record) == sorted(
        rows(100 * record.generation), key=lambda row: (row.key, row.seq)
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
        deadline = time.monotonic() + 20
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
from tests.archive.runs import archived, batch_of, run_named
from tests.archive.test_durability import rows
archive = Archive.open(Path(sys.argv[1]), create=True)
for n in range(30):
    run = run_named(f"{sys.argv[2]}{n}")
    archived(archive, run, [Points(batch_of(rows(50))), File("f", "other", Blob.from_bytes(b"x"))])
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
    old = archived(archive, run, [Points(batch_of(rows(3)))])
    archived(archive, run, [Points(batch_of(rows(3, 3)))], after=old)
    with pytest.raises(Locked):
        archive.draft(run, after=old)
    with archive.draft(run):  # and the lock is free again
        pass


def test_an_equal_pull_is_no_commit_and_keeps_the_segments(archive: Archive) -> None:
    run = run_named("r")
    first = archived(archive, run, [Points(batch_of(rows(9))), Checkpoint({"at": 1})])
    same = archived(archive, run, [Points(batch_of(rows(9))), Checkpoint({"at": 1})])
    assert same == first
    further = archived(archive, run, [Points(batch_of(rows(9))), Checkpoint({"at": 2})])
    assert further.generation == 2
    assert further.segments == first.segments
    assert archived(archive, run, [], after=further) == further
    assert len(list(archive.path.glob("data/*/*"))) == 1


def test_a_full_pull_replaces_in_one_step_and_without_a_commit_nothing_stays(
    archive: Archive,
) -> None:
    run = run_named("r")
    archived(archive, run, [Points(batch_of(rows(9)))])
    replaced = archived(archive, run, [Points(batch_of(rows(4, 50)))])
    assert [row.seq for row in points_in(archive, replaced, "step")] == [50, 51, 52, 53]
    before = sorted(archive.path.rglob("*"))
    archive.segment_rows = 3
    with archive.draft(run) as draft:
        draft.put(Points(batch_of(rows(10))))
        draft.put(File("f", "other", Blob.from_bytes(b"bytes")))
    left = set(archive.path.rglob("*")) - set(before)
    assert {path.name for path in left} <= {"blobs"}


def test_a_commit_interrupted_after_it_became_visible_keeps_its_files(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(paths: Iterable[Path]) -> None:
        if any(path.parent.name == "commits" for path in paths):
            raise KeyboardInterrupt

    archived(archive, run_named("r"), [Points(batch_of(rows(5)))])
    monkeypatch.setattr(durable, "sync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        archived(archive, run_named("r"), [Points(batch_of(rows(9)))])
    monkeypatch.undo()
    record = archive.record(run_named("r").uid)
    assert record is not None
    assert record.generation == 2
    archive.check(record)


def test_compacting_keeps_content_and_digest(archive: Archive) -> None:
    run, record = run_named("r"), None
    for start in range(0, 100, 10):
        lost = Lost(Loss("x", Fate.DROPPED, count=1))
        record = archived(archive, run, [Points(batch_of(rows(10, start))), lost], after=record)
    assert record is not None
    assert len(record.segments) == 10
    before = content(archive, record)
    small = archive.compact(record)
    assert len(small.segments) == 1
    assert (small.digest, small.losses) == (record.digest, record.losses)
    assert content(archive, small) == before
    assert archive.series(small) == archive.series(record)
    assert content(archive, record) == before  # who still reads the old segments can
    grown = archived(archive, run, [Points(batch_of(rows(10, 100)))], after=small)
    assert content(archive, grown) == sorted(rows(110), key=lambda row: (row.key, row.seq))
    assert archive.compact(small) == small


def test_vacuum_removes_what_is_superseded_and_spares_what_is_being_written(
    archive: Archive,
) -> None:
    run = run_named("r")
    archived(archive, run, [Points(batch_of(rows(9))), File("f", "other", Blob.from_bytes(b"1"))])
    record = archived(
        archive, run, [Points(batch_of(rows(8))), File("f", "other", Blob.from_bytes(b"2"))]
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
        archived(archive, run_named(name), [Points(batch_of(rows(9))), file])
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


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)]
    try:
        done = subprocess.run(mount, capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("no mount command")
    if done.returncode:
        pytest.skip(f"cannot mount a small disk: {done.stderr.decode().strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_is_told_and_leaves_the_old_state(tiny_disk: Path) -> None:
    archive = Archive.open(tiny_disk / "a", create=True, reserve=0)
    run = run_named("r")
    record = archived(archive, run, [Points(batch_of(rows(100)))])
    noise = random.Random(1)

    def too_much(kind: str) -> Iterator[Chunk]:
        for n in range(40):
            if kind == "blob":
                yield File(f"{n}", "other", Blob.from_bytes(noise.randbytes(100_000)))
            elif kind == "row group":
                counts = [[noise.random() for _ in range(40_000)]]
                columns = {"key": ["h"], "counts": counts, "counts_kind": ["float64"], "seq": [n]}
                yield Histograms(pa.record_batch(columns))
            else:
                seqs = range(n * 20_000, (n + 1) * 20_000)
                yield Points(batch_of([Row("a", seq, bits=noise.getrandbits(62)) for seq in seqs]))

    archive.segment_rows = 10_000
    for kind in ("blob", "row group", "segment"):
        with pytest.raises(NoSpace) as caught:
            archived(archive, run, too_much(kind), after=record)
        assert "runferry vacuum" in caught.value.hint
        assert archive.record(run.uid) == record
        archive.check(record)
        left = {p.name for p in archive.path.rglob("*.parquet")}
        assert left == {Path(segment.path).name for segment in record.segments}
    archive.vacuum(grace_seconds=0)
    assert archived(archive, run, [Points(batch_of(rows(9, 500)))], after=record).generation == 2


def test_too_little_free_space_is_told_before_anything_is_written(tmp_path: Path) -> None:
    archive = Archive.open(tmp_path / "a", create=True, reserve=2**62)
    with pytest.raises(NoSpace):
        archive.draft(run_named("r"))


def test_a_damaged_file_is_named(archive: Archive) -> None:
    record = archived(archive, run_named("r"), [Points(batch_of(rows(50)))])
    path = archive.path / record.segments[0].path
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    with pytest.raises(Corrupt, match=path.name):
        points_in(archive, record)
    path.write_bytes(whole[:40] + bytes([whole[40] ^ 1]) + whole[41:])
    with pytest.raises(Corrupt, match=path.name):
        archive.check(record)
    path.unlink()
    with pytest.raises(Corrupt, match=path.name):
        points_in(archive, record)
    commit = next((archive.path / "commits").rglob("*.json"))
    commit.write_text('{"commit_version": 1}')
    with pytest.raises(Corrupt, match=commit.name):
        archive.record(record.run.uid)


@pytest.mark.parametrize(
    "path", ["../../etc/passwd", "/etc/passwd", "data/run=x/points-1-a.parquet"]
)
def test_a_commit_that_points_elsewhere_is_refused(archive: Archive, path: str) -> None:
    record = archived(archive, run_named("r"), [Points(batch_of(rows(5)))])
    commit = next((archive.path / "commits").rglob("*.json"))
    commit.write_text(commit.read_text().replace(record.segments[0].path, path))
    with pytest.raises(Corrupt, match="no segment of run"):
        archive.record(record.run.uid)


def test_what_is_no_uid_never_becomes_a_path(archive: Archive) -> None:
    for uid in ("../x", "A" * 32, "0" * 31, ""):
        with pytest.raises(Corrupt):
            archive.record(Uid(uid))


def test_an_earlier_archive_is_refused_with_both_versions_and_the_way_on(archive: Archive) -> None:
    archived(archive, run_named("r"), [])
    manifest = archive.path / "archive.json"
    manifest.write_text(manifest.read_text().replace('"version": 2', '"version": 1'))
    for create in (False, True):
        with pytest.raises(OlderFormat, match="version 1; this runferry reads 2") as refused:
            Archive.open(archive.path, create=create)
        assert refused.value.hint == f"runferry upgrade {archive.path}"


def test_a_newer_or_strange_archive_is_refused_by_name(archive: Archive, tmp_path: Path) -> None:
    record = archived(archive, run_named("r"), [])
    commit = next((archive.path / "commits").rglob("*.json"))
    commit.write_text(commit.read_text().replace('"commit_version":1', '"commit_version":9'))
    with pytest.raises(NewerFormat, match="9"):
        archive.record(record.run.uid)
    manifest = archive.path / "archive.json"
    manifest.write_text('{"format": "runferry-archive", "version": 3}')
    with pytest.raises(NewerFormat, match="3"):
        Archive.open(archive.path)
    manifest.write_text("{}")
    with pytest.raises(Corrupt):
        Archive.open(archive.path)
    with pytest.raises(NotFound):
        Archive.open(tmp_path / "nothing")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").write_text("")
    with pytest.raises(NotFound):
        Archive.open(tmp_path / "other", create=True)


def test_runs_can_be_converted_where_others_were_mirrored(tmp_path: Path) -> None:
    """Both keep theirs in one folder of the working directory, if nobody says otherwise."""
    (mirrored,) = places("archive", project="p")
    for beside in (HOME / "a-session", Path(locate(mirrored, role="destination").where)):
        (tmp_path / beside).mkdir(parents=True)
    archive = tmp_path / Settings().archive
    archived(Archive.open(archive, create=True, reserve=0), run_named("r"), [])
    assert [run.name for run in Archive.open(archive).headers()] == ["r"]
    (archive / "thesis.tex").write_text("")
    (archive / "archive.json").unlink()
    with pytest.raises(NotFound):
        Archive.open(archive, create=True)


def test_an_unused_archive_is_taken_away_from_beside_mirrored_runs_and_they_stay(
    tmp_path: Path,
) -> None:
    session, empty = (tmp_path / HOME / name for name in ("a-session", "begins-now"))
    for folder in (session, empty):
        folder.mkdir(parents=True)
    (session / "rounds").write_text("")
    Archive.open(tmp_path / Settings().archive, create=True, reserve=0).remove_unused()
    assert not (tmp_path / Settings().archive / "archive.json").exists()
    assert (session / "rounds").exists()
    (session / "rounds").unlink()
    Archive.open(tmp_path / Settings().archive, create=True, reserve=0).remove_unused()
    assert empty.is_dir()


def test_an_archive_that_cannot_be_written_is_read_all_the_same(tiny_disk: Path) -> None:
    archive = Archive.open(tiny_disk / "a", create=True, reserve=0)
    record = archived(archive, run_named("r"), [Points(batch_of(rows(20)))])
    subprocess.run(["mount", "-o", "remount,ro", str(tiny_disk)], check=True)
    again = Archive.open(archive.path)
    assert len(points_in(again, record)) == len(points_in(again, record, "step")) == 20
    assert again.sql().execute("select count(*) from points").fetchone() == (20,)
    assert again.ledger.get(record.run.uid, "x") is None
    for write in (
        lambda: Archive.open(archive.path, reserve=0).draft(record.run),
        lambda: again.vacuum(grace_seconds=0),
        lambda: again.ledger.put(Delivery(record.run.uid, "x", "sealed", "", "", 1)),
    ):
        with pytest.raises(ArchiveError) as caught:
            write()
        assert "permission" in caught.value.hint


def test_a_read_only_disk_is_told_once_and_not_of_each_run(tiny_disk: Path, tmp_path: Path) -> None:
    archive = Archive.open(tiny_disk / "a", create=True, reserve=0)
    source = record_source([plain("a"), plain("b")], tmp_path / "source")
    assert pull_from(source, archive).counts == {"new": 2}
    subprocess.run(["mount", "-o", "remount,ro", str(tiny_disk)], check=True)
    for move in (
        lambda: pull_from(source, archive),
        lambda: push_to(archive, tmp_path / "there"),
    ):
        with pytest.raises(ArchiveError, match="read-only") as caught:
            move()
        assert "permission" in caught.value.hint
    assert not (tmp_path / "there").exists()


def test_the_ledger_keeps_what_it_was_told_across_processes_and_threads(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    ledger = Ledger(path)
    uid = Uid("0" * 32)
    assert ledger.get(uid, "mlflow:x") is None
    assert not path.exists()
    ledger.forget(uid, "mlflow:x")
    lost = (Loss("long-value", Fate.REENCODED, "config.x", 2, "cut"),)
    told = Delivery(
        uid,
        "mlflow:x",
        "sending",
        "remote",
        "plan",
        generation=3,
        sent=17,
        segments=("a", "b"),
        losses=lost,
    )
    ledger.put(told)
    assert Ledger(path).get(uid, "mlflow:x") == told
    assert Ledger(path).get(uid, "mlflow:y") is None
    code = """
import sys
from pathlib import Path
from runferry import durable
from runferry.archive.ledger import Delivery, Ledger
ledger = Ledger(Path(sys.argv[1]))
n = 0
while True:
    n += 1
    ledger.put(Delivery("1" * 32, "d", "sending", "r", "p", 1, n))
    print(n, flush=True)
"""
    process = python(code, path)
    assert process.stdout is not None
    threads = [
        threading.Thread(
            target=lambda n=n: [ledger.put(Delivery(Uid(f"{n:032x}"), "d", "sealed", "", "", 1))]
        )
        for n in range(2, 10)
    ]
    for thread in threads:
        thread.start()
    for _ in range(5):
        process.stdout.readline()
    process.kill()
    said = process.stdout.read().split()
    process.wait()
    process.stdout.close()
    for thread in threads:
        thread.join()
    kept = ledger.get(Uid("1" * 32), "d")
    assert kept is not None
    assert kept.sent >= int(said[-1] if said else 5)
    assert all(ledger.get(Uid(f"{n:032x}"), "d") for n in range(2, 10))
    ledger.forget(uid, "mlflow:x")
    assert ledger.get(uid, "mlflow:x") is None
    ledger.close()


def test_a_ledger_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(b"no database" * 100)
    with pytest.raises(ArchiveError) as caught:
        Ledger(path).get(Uid("0" * 32), "x")
    assert caught.value.hint

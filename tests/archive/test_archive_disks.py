"""A disk that is full, or that nobody may write to: told once, and what was there is there."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from tests.archive.runs import Row, archived, batch_of, counted_rows, points_in, run_named
from tests.rights import small_disk
from tests.transfer.roads import pull_from, push_to

from runferry.archive.ledger import Delivery
from runferry.archive.store import Archive
from runferry.chunks import Chunk, File, Histograms, Points
from runferry.errors import ArchiveError, NoSpace
from runferry.model import Blob
from runferry.testing.reference import record as record_source
from runferry.testing.samples import plain


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path, megabytes=2) as disk:
        yield disk


def test_a_full_disk_is_told_and_leaves_the_old_state(tiny_disk: Path) -> None:
    archive = Archive.open(tiny_disk / "a", create=True, reserve=0)
    run = run_named("r")
    record = archived(archive, run, [Points(batch_of(counted_rows(100)))])
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
    assert (
        archived(archive, run, [Points(batch_of(counted_rows(9, 500)))], after=record).generation
        == 2
    )


def test_too_little_free_space_is_told_before_anything_is_written(tmp_path: Path) -> None:
    archive = Archive.open(tmp_path / "a", create=True, reserve=2**62)
    with pytest.raises(NoSpace):
        archive.draft(run_named("r"))


def test_an_archive_that_cannot_be_written_is_read_all_the_same(tiny_disk: Path) -> None:
    archive = Archive.open(tiny_disk / "a", create=True, reserve=0)
    record = archived(archive, run_named("r"), [Points(batch_of(counted_rows(20)))])
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

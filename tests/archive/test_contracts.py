"""The archive as a source and as a destination keeps the laws of every reader and writer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from tests.archive.every_kind import everything
from tests.archive.runs import Row, archived, batch_of, content, run_named

from runferry.archive.as_destination import ArchiveWriter
from runferry.archive.as_source import ArchiveReader
from runferry.archive.store import Archive
from runferry.chunks import Header, Lost, Points
from runferry.errors import SourceChanged
from runferry.losses import Fate, Loss
from runferry.model import Cursor
from runferry.ports import Location, ReadOptions
from runferry.testing.content import Content
from runferry.testing.reader_contract import ReaderContract
from runferry.testing.recording import Sample
from runferry.testing.samples import all_samples, bulk, curve
from runferry.testing.writer_laws import WriterLaws

GROWING = curve(rows=60, batch=10, seed=1)


def keep(archive: Archive, sample: Sample) -> None:
    archived(archive, sample.run, sample.chunks)


def opened(where: Location) -> Archive:
    return Archive.open(where.path, create=True)


class TestSource(ReaderContract):
    reader = ArchiveReader

    @pytest.fixture
    def source(self, tmp_path: Path) -> Location:
        where = Location("archive", str(tmp_path / "source"))
        for sample in [*all_samples(keys=50), Sample(GROWING.run, GROWING.chunks[:6])]:
            keep(opened(where), sample)
        return where

    def grow(self, source: Location) -> None:
        archive = opened(source)
        record = archive.record(GROWING.run.uid)
        archived(archive, GROWING.run, GROWING.chunks[6:], after=record)

    def logged(self) -> Mapping[str, Content]:
        begun = [Header(GROWING.run), *GROWING.chunks[:6]]  # an archive always knows the header
        young = {GROWING.run.key.run_id: Content.of(begun)}
        return {s.run.key.run_id: Content.of(s.chunks) for s in all_samples(keys=50)} | young

    @classmethod
    def sized(cls, folder: Path, rows: int) -> Location:
        where = Location("archive", str(folder))
        keep(opened(where), bulk(rows))
        return where


class TestDestination(WriterLaws):
    writer = ArchiveWriter
    reader = ArchiveReader

    @pytest.fixture
    def destination(self, tmp_path: Path) -> Location:
        return Location("archive", str(tmp_path / "destination"))

    def unavailable(self, tmp_path: Path) -> Iterator[Location]:
        (tmp_path / "file").write_text("")
        yield Location("archive", str(tmp_path / "file"))
        yield Location("archive", str(tmp_path / "file" / "below"))

    def add_foreign(self, destination: Location) -> None:
        keep(opened(destination), curve(rows=10))


def test_a_push_from_archive_to_archive_keeps_the_digest(tmp_path: Path) -> None:
    source = Archive.open(tmp_path / "source", create=True)
    record = archived(source, run_named("all"), everything())
    writer = ArchiveWriter.open(Location("archive", str(tmp_path / "copy")))
    remote = writer.create(record.run, record.run.uid)
    for number, chunk in enumerate(source.chunks(record)):
        writer.append(remote, number, chunk)
    writer.seal(remote, record.run)
    copy = Archive.open(tmp_path / "copy").record(record.run.uid)
    assert copy is not None
    assert copy.digest == record.digest
    assert copy.position == record.position


def test_a_sealed_run_is_appended_to_once_even_if_the_seal_is_repeated(tmp_path: Path) -> None:
    where = Location("archive", str(tmp_path / "copy"))
    writer, run = ArchiveWriter.open(where), run_named("r")
    remote = writer.create(run, run.uid)
    writer.append(remote, 0, Points(batch_of([Row("a", 0)])))
    writer.seal(remote, run)
    writer.append(remote, 1, Points(batch_of([Row("a", 1)])))
    staging = tmp_path / "copy" / "staging" / remote
    begun = (staging / "begun.json").read_bytes()
    chunk = next(staging.glob("*.chunk"))
    chunk_bytes = chunk.read_bytes()
    writer.seal(remote, run)
    staging.mkdir()  # as a kill between commit and clearing up leaves it
    (staging / "begun.json").write_bytes(begun)
    chunk.write_bytes(chunk_bytes)
    ArchiveWriter.open(where).seal(remote, run)
    archive = Archive.open(where.path)
    record = archive.record(run.uid)
    assert record is not None
    assert [row.seq for row in content(archive, record)] == [0, 1]
    assert not staging.exists()


def test_a_continued_read_tells_only_new_losses_and_a_rewritten_run_is_a_changed_source(
    archive: Archive,
) -> None:
    run = run_named("r")
    lost = Lost(Loss("damaged-bytes", Fate.DROPPED, "x", 2))
    record = archived(archive, run, [Points(batch_of([Row("a", 0)])), lost])
    reader = ArchiveReader.open(Location("archive", str(archive.path)), ReadOptions())
    *_, checkpoint = reader.read(run)
    record = archived(archive, run, [Points(batch_of([Row("a", 1)])), lost], after=record)
    cursor = Cursor(checkpoint.position)  # type: ignore[union-attr]
    grown = list(reader.read(run, cursor))
    assert [chunk.batch.num_rows for chunk in grown if isinstance(chunk, Points)] == [1]
    assert [chunk.loss.count for chunk in grown if isinstance(chunk, Lost)] == [2]
    archive.compact(record)
    with pytest.raises(SourceChanged):
        list(reader.read(run, cursor))

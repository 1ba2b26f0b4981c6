"""An archive as a source: the reader `archive`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Self

from runferry.archive.chunk_file import to_bytes
from runferry.archive.layout import MANIFEST, ROW_TABLES
from runferry.archive.record import RunRecord, Segment
from runferry.archive.store import Archive
from runferry.chunks import Artifact, Checkpoint, Chunk, Document, File, Header, Lost
from runferry.errors import NotFound, SourceChanged
from runferry.losses import Fate, Loss
from runferry.model import KINDS, Cursor, Kind, Run, Tree
from runferry.ports import Location, ReadOptions


class ArchiveReader:
    """Reads the runs of an archive. Continues from the segments that were read before."""

    name: ClassVar[str] = "archive"
    gives: ClassVar[frozenset[Kind]] = frozenset(KINDS)

    def __init__(self, archive: Archive) -> None:
        self._archive = archive

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """A folder with our manifest."""
        return (path / MANIFEST).is_file()

    @classmethod
    def open(cls, where: Location, options: ReadOptions) -> Self:
        """Raises NotFound, NewerFormat, Corrupt."""
        return cls(Archive.open(where.path))

    def runs(self) -> Iterator[Run]:
        """Headers, by uid. One that cannot be read has a stand-in, whose reading tells why."""
        return self._archive.headers()

    def read(self, run: Run, after: Cursor | None = None) -> Iterator[Chunk]:
        """All of a run, or what its later segments and its latest commit state."""
        record = self._archive.record(run.uid)
        if record is None:
            raise NotFound(f"no run {run.key} is in the archive", where=str(self._archive.path))
        known: list[Segment] = []
        told: _Told = {}
        marks: set[str] = set()
        if after is not None:
            known, told, marks = _known(after.position, record, str(self._archive.path))
        for chunk in self._archive.chunks(record, skip=known):
            match chunk:
                case Checkpoint():  # the first source's words, which are not ours
                    continue
                case Lost(loss):
                    more = loss.count - told.pop((loss.code, loss.fate.label, loss.where), 0)
                    if more:
                        yield Lost(replace(loss, count=more))
                case File() | Artifact() | Document() if _mark(chunk) in marks:
                    continue
                case _:
                    yield chunk
        for (code, fate, where), count in told.items():  # taken back since
            yield Lost(Loss(code, Fate.parse(fate), where, -count))
        yield Header(record.run)
        yield Checkpoint(self._position(record))

    def _position(self, record: RunRecord) -> Tree:
        """What was read: segments, marks of what has no rows, losses."""
        chunks = self._archive.chunks(record, skip=record.segments)
        return {
            "segments": [segment.sha256 for segment in _row_segments(record)],
            "marks": [_mark(c) for c in chunks if isinstance(c, (File, Artifact, Document))],
            "losses": [
                [loss.code, loss.fate.label, loss.where, loss.count] for loss in record.losses
            ],
        }

    def close(self) -> None:
        """Nothing is held open."""


def _mark(thing: File | Artifact | Document) -> str:
    """Tells a file, artifact or document from all others, and from its own earlier state."""
    return hashlib.blake2b(to_bytes(thing), digest_size=8).hexdigest()


def _row_segments(record: RunRecord) -> list[Segment]:
    return [segment for segment in record.segments if segment.table in ROW_TABLES]


_Told = dict[tuple[str, str, str], int]


def _known(position: Any, record: RunRecord, where: str) -> tuple[list[Segment], _Told, set[str]]:
    try:
        hashes, marks = set(position["segments"]), set(position["marks"])
        told = {(code, fate, place): count for code, fate, place, count in position["losses"]}
    except (TypeError, KeyError, ValueError) as error:
        raise SourceChanged("the cursor is not one of an archive", where=where) from error
    known = [segment for segment in _row_segments(record) if segment.sha256 in hashes]
    if {segment.sha256 for segment in known} != hashes:
        raise SourceChanged(
            f"run {record.run.key} was rewritten in the archive since it was read", where=where
        )
    return known, told, marks

"""Reads the reference tracker back: recorded runs as they were, pushed ones with their mark."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, Self

import pyarrow as pa
import pyarrow.compute as pc

from runferry import chunks
from runferry.errors import NotFound, SourceChanged
from runferry.model import KINDS, Cursor, Kind, Run, RunKey, Series, Uid
from runferry.ports import Location, ReadOptions
from runferry.testing.reference.log import (
    NAME,
    SUFFIX,
    codec_of,
    first_line,
    logs,
    whole_lines,
)


class ReferenceReader:
    """Plays logs back, those of `record` as well as those of the writers."""

    name: ClassVar[str] = NAME
    gives: ClassVar[frozenset[Kind]] = frozenset(KINDS)

    def __init__(self, where: Path) -> None:
        self._where = where
        self._codec = codec_of(where)

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """A folder of logs."""
        return path.is_dir() and bool(logs(path))

    @classmethod
    def open(cls, where: Location, options: ReadOptions) -> Self:
        """Raises NotFound."""
        if not where.path.is_dir():
            raise NotFound("no such folder", where=str(where), hint=f"ls {where.path.parent}")
        return cls(where.path)

    def runs(self) -> Iterator[Run]:
        """Every run, in the order of file names."""
        for path in logs(self._where):
            stated = first_line(path)
            if stated is not None:
                yield _own(self._codec.decode(stated["run"]), path, stated["mark"])

    def read(self, run: Run, after: Cursor | None = None) -> Iterator[chunks.Chunk]:
        """The chunks as logged; a position is a count of lines and a digest of what they said."""
        path = self._where / f"{run.key.run_id if run.origin_uid else run.uid}{SUFFIX}"
        if not path.is_file():
            raise NotFound("no such run", where=str(run.key), hint=f"ls {self._where}")
        skip, expected = _position(after, run)
        digest, names, number = hashlib.sha256(), dict[str, str](), 0
        is_noted = True  # nothing came since the last checkpoint
        for number, line in enumerate(whole_lines(path), 1):
            digest.update(line)
            if number == skip and digest.hexdigest() != expected:
                raise _changed(run)
            for chunk in self._stated(line, path, run, names, is_known=number <= skip):
                is_noted = isinstance(chunk, chunks.Checkpoint)
                yield chunks.Checkpoint([number, digest.hexdigest()]) if is_noted else chunk
        if number < skip:
            raise _changed(run)
        if not is_noted:
            yield chunks.Checkpoint([number, digest.hexdigest()])

    def _stated(
        self, line: bytes, path: Path, run: Run, names: dict[str, str], *, is_known: bool
    ) -> Iterator[chunks.Chunk]:
        """What one line holds, in the source's own names; nothing if it was read before."""
        stated = json.loads(line)
        if "seal" in stated and not is_known:
            yield chunks.Header(_own(self._codec.decode(stated["seal"]), path, run.origin_uid))
            yield chunks.Checkpoint(None)
        if "kind" not in stated or (is_known and stated["kind"] != "SeriesFacts"):
            return
        chunk = self._codec.decode(stated["chunk"])
        if isinstance(chunk, chunks.SeriesFacts):
            names.update((s.key, s.original_key) for s in chunk.items if s.original_key)
            chunk = chunks.SeriesFacts(tuple(_original(item) for item in chunk.items))
        if not is_known:
            yield _in_own_words(chunk, names, path, run)

    def close(self) -> None:
        """Nothing is held."""


def _own(run: Run, path: Path, mark: str | None) -> Run:
    """A pushed run's header: this tracker's own key, and the mark that push left."""
    if mark is None:
        return run
    return replace(run, key=RunKey(NAME, "", path.stem), origin_uid=Uid(mark))


def _original(series: Series) -> Series:
    return replace(series, key=series.original_key or series.key, original_key=None)


def _in_own_words(chunk: chunks.Chunk, names: dict[str, str], path: Path, run: Run) -> chunks.Chunk:
    match chunk:
        case chunks.Header(last):
            return chunks.Header(_own(last, path, run.origin_uid))
        case chunks.Points() | chunks.Texts() | chunks.Histograms() if names:
            return type(chunk)(_renamed(chunk.batch, names))
        case chunks.Media(items) if names:
            return chunks.Media(tuple(replace(i, key=names.get(i.key, i.key)) for i in items))
    return chunk


def _renamed(batch: pa.RecordBatch, names: dict[str, str]) -> pa.RecordBatch:
    column = batch.column("key")
    words = pa.array([names.get(key, key) for key in column.dictionary.to_pylist()], pa.string())
    keys = pc.take(words, column.indices).dictionary_encode()
    return batch.set_column(0, batch.schema.field("key"), keys)


def _position(after: Cursor | None, run: Run) -> tuple[int, str]:
    if after is None:
        return 0, ""
    match after.position:
        case [int(lines), str(digest)]:
            return lines, digest
    raise _changed(run)


def _changed(run: Run) -> SourceChanged:
    return SourceChanged(
        "this is not what was read before", where=str(run.key), hint="pull it anew: --refresh"
    )

"""runferry from Python: open, load, convert, verify."""

from __future__ import annotations

import os
import tempfile
import weakref
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

from runferry.chunks import Artifact, Chunk, File
from runferry.errors import RunferryError
from runferry.losses import Fate, Loss
from runferry.model import Cursor, Role, Run, Series, Tree
from runferry.ports import Location, Reader, ReadOptions
from runferry.registry import ARCHIVE, locate
from runferry.registry import reader as reader_class
from runferry.transfer.selection import EVERYTHING, Selection

if TYPE_CHECKING:
    import pyarrow as pa

    from runferry.archive.record import RunRecord
    from runferry.archive.store import Archive
    from runferry.dialects.wandb_database import WandbDatabase
    from runferry.transfer.report import ConvertReport, VerifyReport

Where = str | os.PathLike[str] | Location


def open(
    where: Where, *, options: ReadOptions | None = None, selection: Selection = EVERYTHING
) -> OpenSource:
    """A source as a stream: iterate over its runs, and over the chunks of each.

        with runferry.open("./wandb") as source:
            for run in source:
                for chunk in run.chunks(): ...

    Nothing is kept, so memory stays flat whatever the size. Raises NotFound, BadLocation.
    """
    place = _located(where)
    reader = reader_class(place.tracker).open(place, options or ReadOptions())
    return OpenSource(place, reader, selection)


@dataclass(frozen=True, slots=True)
class OpenRun:
    """A run of an open source: its header, and a stream of what it logged."""

    run: Run
    _reader: Reader = field(repr=False)

    def chunks(self, after: Cursor | None = None) -> Iterator[Chunk]:
        """The run's chunks in source order; Arrow batches conform to `runferry.tables`."""
        from runferry.transfer.incoming import RowChunk, conformed

        for chunk in self._reader.read(self.run, after):
            yield conformed(chunk) if isinstance(chunk, RowChunk) else chunk


class OpenSource:
    """What `open` returns; a context manager."""

    def __init__(self, where: Location, reader: Reader, selection: Selection) -> None:
        self.where = where
        self._reader = reader
        self._selection = selection

    def __iter__(self) -> Iterator[OpenRun]:
        for run in self._reader.runs():
            if self._selection.takes_run(run):
                yield OpenRun(run, self._reader)

    def close(self) -> None:
        """Let go of files and connections."""
        self._reader.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class LoadedRun:
    """A run at rest. Tables are read when they are first asked for, as `pyarrow.Table`."""

    def __init__(self, archive: Archive, record: RunRecord) -> None:
        self._archive = archive
        self._record = record

    def __repr__(self) -> str:
        return f"<run {self.run.key} of {self.run.key.tracker}>"

    @property
    def run(self) -> Run:
        """The header: `.run.key.run_id`, `.run.name`, …"""
        return self._record.run

    @property
    def losses(self) -> tuple[Loss, ...]:
        """What the reader could not carry."""
        return self._record.losses

    @property
    def complete(self) -> bool:
        """The source said that the run ended."""
        return self.run.complete

    @cached_property
    def config(self) -> dict[str, Tree]:
        """What was configured, as nested mappings with the types it had."""
        return nested(self._of("config"))

    @cached_property
    def summary(self) -> dict[str, Tree]:
        """What was summed up, as nested mappings with the types it had."""
        return nested(self._of("summary"))

    @cached_property
    def environment(self) -> dict[str, Tree]:
        """Where it ran, as nested mappings."""
        return nested(self._of("environment"))

    @cached_property
    def series(self) -> tuple[Series, ...]:
        """What was logged, with counts."""
        return self._archive.series(self._record)

    @property
    def points(self) -> pa.Table:
        """The scalars that the user logged, in the columns of the archive's `points`."""
        return self._archive.table(self._record, "points", stream="user")

    @property
    def system(self) -> pa.Table:
        """The scalars that the tracker measured by itself."""
        return self._archive.table(self._record, "points", stream="system")

    @property
    def texts(self) -> pa.Table:
        """Strings and JSON values that were logged."""
        return self._archive.table(self._record, "texts")

    @property
    def histograms(self) -> pa.Table:
        """Histograms that were logged."""
        return self._archive.table(self._record, "histograms")

    @property
    def media(self) -> pa.Table:
        """Images, audio, tables …: where they were logged, and the hash of their bytes."""
        return self._archive.table(self._record, "media")

    @property
    def console(self) -> pa.Table:
        """What the run printed."""
        return self._archive.table(self._record, "console")

    @cached_property
    def files(self) -> tuple[File, ...]:
        """Its files; `blob.open()` gives the bytes."""
        return tuple(chunk for chunk in self.chunks() if isinstance(chunk, File))

    @cached_property
    def artifacts(self) -> tuple[Artifact, ...]:
        """The versions of artifacts that it produced or used."""
        return tuple(chunk for chunk in self.chunks() if isinstance(chunk, Artifact))

    def chunks(self) -> Iterator[Chunk]:
        """All of it again, as a stream."""
        return self._archive.chunks(self._record)

    def _of(self, role: Role) -> dict[tuple[str, ...], Tree]:
        return {item.path: item.value for item in self._record.attributes if item.role == role}


def nested(values: dict[tuple[str, ...], Tree]) -> dict[str, Tree]:
    """Paths as mappings within mappings. Where a path ends at a value and another goes on below
    it, which no mapping can hold, the longer one keeps its joined name beside it.
    """
    tree: dict[str, Tree] = {}
    for path, value in sorted(values.items(), key=lambda item: len(item[0])):
        level, at = tree, 0
        while at < len(path) - 1:
            below = level.setdefault(path[at], {})
            if not isinstance(below, dict):
                break
            level, at = below, at + 1
        level[".".join(path[at:])] = value
    return tree


def load(
    where: Where,
    *,
    options: ReadOptions | None = None,
    selection: Selection = EVERYTHING,
    workers: int = 1,
) -> list[LoadedRun]:
    """Every selected run of a source, as a list.

    An archive is read in place; anything else is pulled into a temporary one, which lives as long
    as one of the runs does. Raises the error of the first run that could not be read.
    """
    from runferry.archive.store import Archive
    from runferry.transfer.push import selected_records

    place = _located(where)
    if place.tracker == ARCHIVE:
        archive = Archive.open(place.path)
    else:
        archive = _pulled(place, options, selection, workers)
    return [LoadedRun(archive, record) for record in selected_records(archive, selection)]


def _pulled(
    place: Location, options: ReadOptions | None, selection: Selection, workers: int
) -> Archive:
    from runferry.archive.store import Archive
    from runferry.transfer.pull import pull

    folder = tempfile.mkdtemp(prefix="runferry-")
    archive = Archive.open(Path(folder, "archive"), create=True)
    weakref.finalize(archive, _remove, folder)
    report = pull(place, archive, options=options, selection=selection, workers=workers)
    for failure in report.failures:
        raise RunferryError(failure.error or "", where=failure.run, hint=failure.hint or "")
    return archive


def _remove(folder: str) -> None:
    import shutil

    shutil.rmtree(folder, ignore_errors=True)


def convert(
    source: Where,
    destination: Where,
    *,
    archive: str | os.PathLike[str] | None = None,
    workers: int = 1,
    allow: Fate | str = Fate.REENCODED,
    **options: Any,
) -> ConvertReport:
    """Move every run of a source into a destination, and compare what arrived.

    The archive between them is `./.runferry` unless told otherwise; with it the next call moves
    only what changed. `options` are the fields of `transfer.convert.ConvertOptions`. One failed
    run does not end the rest: see `ConvertReport.exit_code` and the outcomes.
    """
    from runferry.archive.store import Archive
    from runferry.transfer.convert import DEFAULT_ARCHIVE, ConvertOptions
    from runferry.transfer.convert import convert as convert_runs

    start, end = _located(source), _located(destination, is_source=False)
    place = Path(archive) if archive is not None else DEFAULT_ARCHIVE
    if archive is None and end.tracker == ARCHIVE:
        place = end.path
    elif archive is None and start.tracker == ARCHIVE:
        place = start.path
    hub = Archive.open(place, create=True)
    return convert_runs(
        start, end, hub, ConvertOptions(workers=workers, allow=_fate(allow), **options)
    )


def verify(
    original: Where,
    copy: Where,
    *,
    workers: int = 1,
    allow: Fate | str = Fate.REENCODED,
    options: ReadOptions | None = None,
    selection: Selection = EVERYTHING,
) -> VerifyReport:
    """Compare every value of two places; `is_clean` when each difference was foretold."""
    from runferry.transfer.verify import verify as verify_places

    return verify_places(
        _located(original),
        _located(copy),
        options=options,
        selection=selection,
        workers=workers,
        allow=_fate(allow),
    )


def load_wandb_database(
    path: str | os.PathLike[str], *, keys: Literal["joined", "path"] = "joined"
) -> WandbDatabase:
    """The record view of a `.wandb` file: one field for each record type, records in order.

    Nested keys are joined by `/`, and stay tuples where that would collide; `keys="path"` gives
    tuples always.
    """
    from runferry.dialects.wandb_database import load_wandb_database as load_database

    return load_database(Path(path), keys=keys)


def _located(where: Where, *, is_source: bool = True) -> Location:
    if isinstance(where, Location):
        return where
    return locate(os.fspath(where), role="source" if is_source else "destination")


def _fate(allowed: Fate | str) -> Fate:
    return allowed if isinstance(allowed, Fate) else Fate.parse(allowed)

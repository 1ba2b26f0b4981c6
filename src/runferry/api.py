"""runferry from Python: open, load, convert, verify."""

from __future__ import annotations

import os
import tempfile
import weakref
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self

from runferry.chunks import Chunk
from runferry.errors import RunferryError, UsageError
from runferry.loaded import LoadedRun
from runferry.locations import locate
from runferry.losses import Fate
from runferry.model import Cursor, Run
from runferry.ports import Location, Reader, ReadOptions
from runferry.registry import ARCHIVE, headers, opened
from runferry.settings import Settings, current
from runferry.transfer.selection import EVERYTHING, Selection

if TYPE_CHECKING:
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
    reader = opened(place, _read(options, current()))
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
        for run in headers(self._reader.name, self._reader.runs):
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


def load(
    where: Where,
    *,
    options: ReadOptions | None = None,
    selection: Selection = EVERYTHING,
    workers: int | None = None,
) -> list[LoadedRun]:
    """Every selected run of a source, as a list.

    An archive is read in place; anything else is pulled into a temporary one, which lives as long
    as one of the runs does. Raises the error of the first run that could not be read, and what kept
    others from being tried.
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
    place: Location, options: ReadOptions | None, selection: Selection, workers: int | None
) -> Archive:
    from runferry.archive.store import Archive
    from runferry.transfer.pull import pull

    folder = tempfile.mkdtemp(prefix="runferry-")
    archive = Archive.open(Path(folder, "archive"), create=True)
    weakref.finalize(archive, _remove, folder)
    chosen = current()
    report = pull(
        place,
        archive,
        options=_read(options, chosen),
        selection=selection,
        workers=workers or chosen.workers,
        reserve_bytes=chosen.reserve_bytes,
    )
    for failure in report.failures:
        error = RunferryError(failure.error or "", where=failure.run, hint=failure.hint or "")
        raise failure.cause or error
    if report.cause is not None:
        raise report.cause
    return archive


def _remove(folder: str) -> None:
    import shutil

    shutil.rmtree(folder, ignore_errors=True)


def convert(
    source: Where,
    destination: Where,
    *,
    archive: str | os.PathLike[str] | None = None,
    options: ReadOptions | None = None,
    selection: Selection = EVERYTHING,
    workers: int | None = None,
    allow: Fate | str | None = None,
    dry_run: bool = False,
    verifies: bool = True,
    discards: bool = False,
    restart: bool = False,
    include: Collection[str] = (),
) -> ConvertReport:
    """Move every selected run of a source into a destination, and compare what arrived.

    The archive between them is the one named here, else an end that is one, else that of the
    settings; with it the next call moves only what changed. `dry_run` pulls and foretells,
    `discards` empties the archive of what was verified, `restart` sends anew what was half sent
    under another plan. `include` names what some roads leave out by default
    (`runferry.transfer.exclusions.SWITCHES`, or `all`). What is not given is as the settings say.
    One failed run does not end the rest: see `ConvertReport.exit_code` and the outcomes.
    """
    from runferry.archive.store import Archive
    from runferry.transfer.convert import ConvertOptions
    from runferry.transfer.convert import convert as convert_runs
    from runferry.transfer.migrations import goal
    from runferry.transfer.patience import Patience

    chosen = current()
    if not isinstance(source, Location) and not isinstance(destination, Location):
        destination = goal(os.fspath(source), os.fspath(destination))
    start, end = _located(source), _located(destination, is_source=False)
    ends = [place.path for place in (end, start) if place.tracker == ARCHIVE]
    between = Path(archive) if archive is not None else next(iter(ends), chosen.archive)
    hub = Archive.open(between, create=True, reserve=chosen.reserve_bytes)
    given = ConvertOptions(
        read=_read(options, chosen),
        selection=replace(selection, included=selection.included | frozenset(include)),
        workers=workers or chosen.workers,
        allow=_fate(allow, chosen),
        dry_run=dry_run,
        verifies=verifies,
        discards=discards,
        restart=restart,
        reserve_bytes=chosen.reserve_bytes,
        patience=Patience(chosen.patience),
    )
    return convert_runs(start, end, hub, given)


def verify(
    original: Where,
    copy: Where,
    *,
    options: ReadOptions | None = None,
    selection: Selection = EVERYTHING,
    workers: int | None = None,
    allow: Fate | str | None = None,
) -> VerifyReport:
    """Compare every value of two places; `is_clean` when each difference was foretold."""
    from runferry.transfer.verify import verify as verify_places

    chosen = current()
    return verify_places(
        _located(original),
        _located(copy),
        options=_read(options, chosen),
        selection=selection,
        workers=workers or chosen.workers,
        allow=_fate(allow, chosen),
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


def _read(options: ReadOptions | None, chosen: Settings) -> ReadOptions:
    return ReadOptions(timezone=chosen.timezone) if options is None else options


def _fate(allowed: Fate | str | None, chosen: Settings) -> Fate:
    if allowed is None:
        return chosen.allow
    if isinstance(allowed, Fate):
        return allowed
    try:
        return Fate.parse(allowed)
    except ValueError as error:
        labels = ", ".join(fate.label for fate in Fate)
        raise UsageError(str(error), hint=f"allow= takes one of: {labels}") from error

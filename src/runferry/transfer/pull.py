"""Source into archive: one run at a time a worker, continuing where the last pull ended.

The position in a commit record also tells which series the user chose (`incoming.Position`). What
a run is archived with stays chosen: a later choice adds to it, and then the run is read in full,
since the position says nothing of the series that were left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TYPE_CHECKING

from runferry.chunks import Lost
from runferry.errors import Corrupt, Locked, SourceChanged
from runferry.http.waits import waiting_by
from runferry.losses import Fate
from runferry.model import Cursor, Run, RunKey
from runferry.ports import Location, Reader, ReadOptions, SharingReader
from runferry.registry import ARCHIVE
from runferry.registry import reader as reader_class
from runferry.transfer.crew import Crew
from runferry.transfer.destination import check_apart
from runferry.transfer.incoming import Incoming, News, Position, position_of
from runferry.transfer.patience import pause_by
from runferry.transfer.progress import Interrupted, Observer, Silent, StopToken
from runferry.transfer.report import Report, RunOutcome, Status
from runferry.transfer.same_key import Aside, Families, records_of, renamed, settle
from runferry.transfer.selection import EVERYTHING, Selection
from runferry.transfer.space import RESERVE_BYTES, check_space

if TYPE_CHECKING:
    from runferry.archive.store import Archive, RunRecord

OpenReader = Callable[[], Reader]

_LOCKED_PATIENCE = (0.05, 0.2, 0.5, 1.0, 2.0, 4.0, 8.0)


def pull(
    source: Location,
    archive: Archive,
    *,
    options: ReadOptions | None = None,
    selection: Selection = EVERYTHING,
    workers: int = 1,
    allow: Fate = Fate.REENCODED,
    reserve_bytes: int = RESERVE_BYTES,
    observer: Observer | None = None,
    stop: StopToken | None = None,
    open_reader: OpenReader | None = None,
) -> Report:
    """Bring every selected run of the source into the archive; what is there already stays put.

    Raises what opening the source raises, and NoSpace; the failure of one run is an outcome.
    """
    observer, stop = observer or Silent(), stop or StopToken()
    check_apart(source, Location(ARCHIVE, str(archive.path)))
    if open_reader is None:
        kind, read_options = reader_class(source.tracker), options or ReadOptions()
        open_reader = lambda: kind.open(source, read_options)  # noqa: E731
    check_space(archive.path, source, reserve_bytes)
    observer.phase("pull", None)
    pulling = _Pull(archive, selection, observer, stop)
    report = Report(
        phase="pull",
        source=str(source),
        destination=str(Location("archive", str(archive.path))),
        allowed=allow,
    )
    try:
        with waiting_by(pause_by(stop, observer)):
            lister = open_reader()
    except Interrupted:
        return replace(report, is_interrupted=True)
    crew = Crew[Reader, Run](
        "pull",
        lister.beside if isinstance(lister, SharingReader) else open_reader,
        header=lambda run: run,
        observer=observer,
        stop=stop,
        workers=workers,
    )
    try:
        outcomes = crew.run(_selected(lister, selection), pulling.one)
    finally:
        lister.close()
    if not crew.is_interrupted and crew.aborted is None:
        selection.check_found(bool(outcomes), str(source))
    return replace(
        report,
        outcomes=outcomes,
        aborted=None if crew.aborted is None else str(crew.aborted),
        is_interrupted=crew.is_interrupted,
        left_out_series=pulling.left_out,
    )


def _selected(lister: Reader, selection: Selection) -> Iterator[Run]:
    """Asked for the first time by the crew, which can be stopped while the source is waited for."""
    yield from filter(selection.takes_run, lister.runs())


@dataclass
class _Pull:
    archive: Archive
    selection: Selection
    observer: Observer
    stop: StopToken
    families: Families = field(default_factory=Families)
    left_out: int = 0

    def one(self, reader: Reader, run: Run) -> RunOutcome:
        """Bring one run up to date."""
        with self.families.of(run.key):
            for pause in _LOCKED_PATIENCE:
                try:
                    return self._update(reader, run)
                except Locked:  # another process pulls this run; what it commits may be all of it
                    if self.stop.wait(pause):
                        raise Interrupted from None
            return self._update(reader, run)

    def _update(self, reader: Reader, run: Run) -> RunOutcome:
        known = records_of(self.archive, run.key)
        if not known:
            return self._in_full(reader, run, "new", self.selection)
        positions = [position_of(record) for record in known]
        selection = self.selection.widened(position.choice for position in positions)
        for record, position in zip(known, positions, strict=True):
            if position.choice != selection.choice or not position.is_given:
                continue
            try:
                if not self._is_whole(record):
                    return self._healed(reader, run, record, position, selection)
                cursor = Cursor(position.reader, self.archive.series(record))
                return self._continued(reader, run, record, cursor, selection)
            except SourceChanged:
                continue
        return self._compared(reader, run, known, selection)

    def _is_whole(self, record: RunRecord) -> bool:
        try:
            return self.archive.is_whole(record)
        except Corrupt:  # the files are as large as they should be, and cannot be read
            return False

    def _healed(
        self, reader: Reader, run: Run, record: RunRecord, position: Position, selection: Selection
    ) -> RunOutcome:
        """What is lost is read again, all of it, if it is this run's. Raises SourceChanged."""
        incoming = self._incoming(run, selection, kept_as=record.run.key)
        for _ in incoming.of(reader.read(run, after=Cursor(position.reader))):
            pass  # the reader tells by the cursor whether this is what was read before
        return self._in_full(reader, run, "replaced", selection, record)

    def _in_full(
        self,
        reader: Reader,
        run: Run,
        status: Status,
        selection: Selection,
        before: RunRecord | None = None,
    ) -> RunOutcome:
        """Read all of it, in place of what may be there."""
        key = run.key if before is None else before.run.key
        incoming = self._incoming(run, selection, kept_as=key, is_whole=True)
        with self.archive.draft(replace(run, key=key)) as draft:
            for chunk in incoming.of(reader.read(run)):
                draft.put(chunk)
            for loss in renamed(before):
                draft.put(Lost(loss))
            record = draft.commit()
        if before is not None and before.digest == record.digest:
            status = "unchanged"
        return self._outcome(record, status, incoming)

    def _continued(
        self, reader: Reader, run: Run, record: RunRecord, cursor: Cursor, selection: Selection
    ) -> RunOutcome:
        """Read what came since; without news nothing is written. Raises SourceChanged."""
        key = record.run.key
        incoming = self._incoming(run, selection, kept_as=key)
        chunks = incoming.of(reader.read(run, after=cursor))
        news = News(record, cursor.series)
        restated = news.skip(chunks)
        if not news.found:
            return self._outcome(record, "unchanged", incoming)
        with self.archive.draft(replace(run, key=key), after=record) as draft:
            for chunk in chain(restated, chunks):
                draft.put(chunk)
            grown = draft.commit()
        is_same = grown.digest == record.digest
        return self._outcome(grown, "unchanged" if is_same else "grown", incoming)

    def _compared(
        self, reader: Reader, run: Run, known: tuple[RunRecord, ...], selection: Selection
    ) -> RunOutcome:
        """No cursor fits: read all of it aside, and see which of the known runs it is."""
        incoming = self._incoming(run, selection, run.key, is_whole=True)
        with Aside(self.archive, run) as aside:
            aside.fill(incoming.of(reader.read(run)))
            record, status = settle(self.archive, aside, known)
        return self._outcome(record, status, incoming)

    def _incoming(
        self, run: Run, selection: Selection, kept_as: RunKey, *, is_whole: bool = False
    ) -> Incoming:
        return Incoming(run, kept_as, selection, self.observer, self.stop, is_whole=is_whole)

    def _outcome(self, record: RunRecord, status: Status, incoming: Incoming) -> RunOutcome:
        self.left_out += incoming.left_out
        is_moved = status != "unchanged"
        return RunOutcome.of(
            record.run,
            status,
            rows=incoming.rows if is_moved else 0,
            size_bytes=incoming.size_bytes if is_moved else 0,
            losses=record.losses,
        )

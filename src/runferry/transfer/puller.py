"""One run of a source, brought up to date in the archive; continued where the last pull ended.

The position in a commit record also tells which series the user chose (`incoming.Position`). What
a run is archived with stays chosen: a later choice adds to it, and then the run is read in full,
since the position says nothing of the series that were left out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING

from runferry.chunks import Lost
from runferry.errors import SourceChanged
from runferry.losses import Loss
from runferry.model import Cursor, Run, RunKey
from runferry.ports import RunReader
from runferry.transfer.incoming import Incoming, News, Position, position_of
from runferry.transfer.progress import Observer, StopToken
from runferry.transfer.report import RunOutcome, Status
from runferry.transfer.same_key import Aside, older, records_of, renamed, settle
from runferry.transfer.selection import Selection

if TYPE_CHECKING:
    from runferry.archive.store import Archive, RunRecord


@dataclass(frozen=True, slots=True)
class Pulled:
    """What became of a run."""

    outcome: RunOutcome
    left_out: int  # series, by the user's own selection


@dataclass(frozen=True, slots=True)
class Puller:
    """Brings runs into an archive, one at a time."""

    archive: Archive
    selection: Selection
    observer: Observer
    stop: StopToken

    def update(self, reader: RunReader, run: Run) -> Pulled:
        """Raises Interrupted, Locked, and what reading and writing raise."""
        known = records_of(self.archive, run.key)
        if not known:
            return self._in_full(reader, run, "new", self.selection)
        positions = [position_of(record) for record in known]
        selection = self.selection.widened(position.choice for position in positions)
        for record, position in zip(known, positions, strict=True):
            if position.choice != selection.choice or not position.is_given:
                continue
            try:
                if not self.archive.is_whole(record):
                    return self._healed(reader, run, record, position, selection)
                cursor = Cursor(position.reader, self.archive.series(record))
                return self._continued(reader, run, record, cursor, selection)
            except SourceChanged:
                continue
        return self._compared(reader, run, known, selection)

    def _healed(
        self,
        reader: RunReader,
        run: Run,
        record: RunRecord,
        position: Position,
        selection: Selection,
    ) -> Pulled:
        """What is lost is read again, all of it, if it is this run's. Raises SourceChanged."""
        incoming = self._incoming(run, selection, kept_as=record.run.key)
        for _ in incoming.of(reader.read(run, after=Cursor(position.reader))):
            pass  # the reader tells by the cursor whether this is what was read before
        return self._in_full(reader, run, "replaced", selection, record)

    def _in_full(
        self,
        reader: RunReader,
        run: Run,
        status: Status,
        selection: Selection,
        before: RunRecord | None = None,
    ) -> Pulled:
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
        self, reader: RunReader, run: Run, record: RunRecord, cursor: Cursor, selection: Selection
    ) -> Pulled:
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
        is_same = grown.digest == record.digest and {*grown.losses}.issubset(record.losses)
        return self._outcome(grown, "unchanged" if is_same else "grown", incoming)

    def _compared(
        self, reader: RunReader, run: Run, known: tuple[RunRecord, ...], selection: Selection
    ) -> Pulled:
        """No cursor fits: read all of it aside, and see which of the known runs it is."""
        incoming = self._incoming(run, selection, run.key, is_whole=True)
        with Aside(self.archive, run) as aside:
            aside.fill(incoming.of(reader.read(run)))
            record, status = settle(self.archive, aside, known)
        if status == "older":
            return self._outcome(record, "unchanged", incoming, older(record.run))
        return self._outcome(record, status, incoming)

    def _incoming(
        self, run: Run, selection: Selection, kept_as: RunKey, *, is_whole: bool = False
    ) -> Incoming:
        return Incoming(run, kept_as, selection, self.observer, self.stop, is_whole=is_whole)

    def _outcome(
        self, record: RunRecord, status: Status, incoming: Incoming, *told: Loss
    ) -> Pulled:
        is_moved = status != "unchanged"
        outcome = RunOutcome.of(
            record.run,
            status,
            rows=incoming.rows if is_moved else 0,
            size_bytes=incoming.size_bytes if is_moved else 0,
            losses=(*record.losses, *told),
        )
        return Pulled(outcome, incoming.left_out)

"""One run against what a destination gives back: every value, judged by what was foretold."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runferry.chunks import Chunk
from runferry.losses import Fate, Loss, LossLedger
from runferry.model import Inventory, Run, Uid
from runferry.ports import Reader
from runferry.transfer.compare import RowComparison
from runferry.transfer.incoming import weight
from runferry.transfer.law import explain
from runferry.transfer.lockstep import Lockstep
from runferry.transfer.neighbours import Neighbours, OpenReader
from runferry.transfer.plan import RunPlan
from runferry.transfer.progress import Interrupted, Observer, StopToken
from runferry.transfer.relation import row_database
from runferry.transfer.report import RunComparison
from runferry.transfer.rules import Rules
from runferry.transfer.selection import Selection, chosen
from runferry.transfer.sides import Sides

if TYPE_CHECKING:
    from runferry.archive.record import RunRecord
    from runferry.archive.store import Archive


@dataclass(frozen=True)
class Pairs:
    """Which runs of the copy belong to which of the original."""

    by_uid: Mapping[Uid, tuple[Run, ...]]
    ids: Mapping[str, str]  # the copy's run id → the original's
    others: int

    @classmethod
    def of(cls, open_reader: OpenReader, headers: Iterable[Run], stop: StopToken) -> Pairs:
        """Reads the copy's headers. Raises Interrupted."""
        wanted: dict[Uid, Run] = {}
        for run in headers:  # its own uid comes before what another was made from
            wanted[run.uid] = run
            if run.origin_uid is not None:
                wanted.setdefault(run.origin_uid, run)
        by_uid: dict[Uid, tuple[Run, ...]] = {}
        ids: dict[str, str] = {}
        others = 0
        reader = open_reader()
        try:
            for run in reader.runs():
                if stop.is_set:
                    raise Interrupted
                uid = run.uid if run.origin_uid is None else run.origin_uid
                if uid in wanted:
                    original = wanted[uid]
                    by_uid[original.uid] = (*by_uid.get(original.uid, ()), run)
                    ids[run.key.run_id] = original.key.run_id
                else:
                    others += 1
        finally:
            reader.close()
        return cls(by_uid, ids, others)


@dataclass(frozen=True)
class Measuring:
    """What all comparisons of one archive with one destination have in common."""

    archive: Archive
    selection: Selection
    ids: Mapping[str, str]
    observer: Observer
    stop: StopToken

    def compare(
        self,
        reader: Reader,
        record: RunRecord,
        found: Sequence[Run],
        sent: Inventory,
        planned: RunPlan,
        reported: tuple[Loss, ...] = (),
    ) -> RunComparison:
        """Read a run back, and compare; `found` are the runs there that carry its mark, `sent` is
        what the plan is of."""
        run, copy = record.run, found[0]
        lockstep = Lockstep()
        sides = Sides(lockstep, planned, run, copy, self.selection)
        measured = LossLedger()
        self._side_by_side(lockstep, sides, record, sent, reader.read(copy))
        if lockstep.is_equal:
            measured.extend(sides.differences(self.ids))
        else:
            with row_database(self.archive.path) as database:
                rows = RowComparison(database, Rules.of(planned.limits, reported))
                sides = Sides(rows, planned, run, copy, self.selection)
                for chunk in self._original(record, sent):
                    sides.add_original(chunk)
                for chunk in self._until_stopped(run, reader.read(copy)):
                    sides.add_copy(chunk)
                measured.extend(sides.differences(self.ids))
        twice = Loss(
            "duplicate-run", Fate.DROPPED, "", len(found) - 1, "it is there more than once"
        )
        measured.add(twice)
        # what the source lost is no excuse for the destination, nor what its reader reports now
        foretold = (loss for loss in reported if loss not in record.losses)
        told = (*planned.losses, *planned.possible, *foretold)
        explained, unexpected = explain(measured, told)
        return RunComparison(
            run.uid, str(run.key), str(copy.key), sides.rows, explained, unexpected
        )

    def sent(self, record: RunRecord) -> Inventory:
        """What is sent of a run."""
        return chosen(self.archive.inventory(record), self.selection)

    def _original(self, record: RunRecord, sent: Inventory) -> Iterator[Chunk]:
        """The run's chunks, without what is left out."""
        source = self._until_stopped(record.run, self.archive.chunks(record))
        return self.selection.exclusions(record.run).of(source, sent)

    def _side_by_side(
        self,
        lockstep: Lockstep,
        sides: Sides,
        record: RunRecord,
        sent: Inventory,
        copy: Iterator[Chunk],
    ) -> None:
        """Whoever is behind goes on; the original begins, since it numbers the series."""
        streams = {
            "a": (self._original(record, sent), sides.add_original),
            "b": (iter(copy), sides.add_copy),
        }
        while streams and not lockstep.is_broken:
            side = lockstep.behind if lockstep.behind in streams else next(iter(streams))
            stream, add = streams[side]
            chunk = next(stream, None)
            if chunk is None:
                del streams[side]
            else:
                add(chunk)

    def _until_stopped(self, run: Run, source: Iterable[Chunk]) -> Iterator[Chunk]:
        for chunk in source:
            if self.stop.is_set:
                raise Interrupted
            yield chunk
            self.observer.advanced("verify", run, *weight(chunk))


class ReadBack:
    """Tells whether a destination holds exactly what is here. Its headers are read once."""

    def __init__(
        self,
        archive: Archive,
        selection: Selection,
        open_reader: OpenReader,
        headers: Iterable[Run],
        observer: Observer,
        stop: StopToken,
    ) -> None:
        self._archive = archive
        self._selection = selection
        self._readers = Neighbours(open_reader)
        self._headers = headers
        self._observer = observer
        self._stop = stop
        self._lock = threading.Lock()
        self._pairs: Pairs | None = None

    def holds(self, record: RunRecord, planned: RunPlan) -> bool:
        """Whether every difference is one that the plan foretells."""
        with self._lock:
            if self._pairs is None:
                self._pairs = Pairs.of(self._readers.open, self._headers, self._stop)
        found = self._pairs.by_uid.get(record.run.uid, ())
        if not found:
            return False
        measuring = Measuring(
            self._archive, self._selection, self._pairs.ids, self._observer, self._stop
        )
        reader = self._readers.open()
        try:
            sent = measuring.sent(record)
            return measuring.compare(reader, record, found, sent, planned).is_clean
        finally:
            reader.close()

    def close(self) -> None:
        """Nothing is compared any more."""
        self._readers.close()

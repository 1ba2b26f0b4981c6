"""Archive into destination, with a ledger that advances only after the effect.

A run that the ledger calls done, and one listing of the destination shows, costs no more traffic.
A half-sent one continues where the destination allows it. A sealed one that has grown gets the new
segments only, if what was sent are the segments that still stand in the archive; else it is sent
again in full, in place of what is there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from runferry.errors import ArchiveError
from runferry.losses import Fate, Loss
from runferry.model import Inventory, Run
from runferry.ports import Limits, Location, ReadOptions, Writer
from runferry.registry import ARCHIVE, limits_of
from runferry.registry import reader as reader_class
from runferry.registry import writer as writer_class
from runferry.transfer.arrival import Foreseen
from runferry.transfer.claims import delivery_lock, sender_of
from runferry.transfer.crew import Crew
from runferry.transfer.destination import Listing, check_apart, ledger_key
from runferry.transfer.leaving import Leaving
from runferry.transfer.marks import marks_of
from runferry.transfer.measure import ReadBack
from runferry.transfer.neighbours import OpenReader
from runferry.transfer.patience import Patience, Retrying
from runferry.transfer.plan import plan
from runferry.transfer.progress import ListingObserver, Observer, Silent, StopToken
from runferry.transfer.report import Report, RunOutcome
from runferry.transfer.selection import EVERYTHING, Selection, chosen
from runferry.transfer.sending import Sending
from runferry.transfer.space import check_writable
from runferry.transfer.trip import Trip
from runferry.writer_ports import ForetellingWriter

if TYPE_CHECKING:
    from runferry.archive.record import RunRecord
    from runferry.archive.store import Archive

OpenWriter = Callable[[], Writer]


def push(
    archive: Archive,
    destination: Location,
    *,
    selection: Selection = EVERYTHING,
    workers: int = 1,
    allow: Fate = Fate.REENCODED,
    restart: bool = False,
    patience: Patience | None = None,
    observer: Observer | None = None,
    stop: StopToken | None = None,
    open_writer: OpenWriter | None = None,
    open_reader: OpenReader | None = None,
) -> Report:
    """Bring every selected run of the archive into the destination; what is there stays put.

    Runs whose losses go beyond `allow` are moved all the same, and reported: the exit code says
    so. `restart` sends every run in full, whatever the ledger says, and takes over what another
    push has begun. Raises what opening the destination raises, and UsageError when runs were asked
    for that are not here; the failure of one run is an outcome.
    """
    observer, stop = observer or Silent(), stop or StopToken()
    selection = selection.toward(destination.tracker)
    check_apart(Location(ARCHIVE, str(archive.path)), destination)
    check_writable(archive.path)  # where locks and the ledger are
    if open_writer is None:
        kind = writer_class(destination.tracker)
        open_writer = lambda: kind.open(destination)  # noqa: E731
    if open_reader is None:
        open_reader = lambda: reader_class(destination.tracker).open(destination, ReadOptions())  # noqa: E731
    leaving = Leaving.of(archive, destination, selection)
    retrying = Retrying(patience or Patience(), stop, observer)
    back = ReadBack(archive, selection, open_reader, leaving.runs, observer, stop)
    trip = Trip(
        archive,
        ledger_key(destination),
        selection,
        observer,
        stop,
        retrying,
        restart,
        back.holds,
        Listing(retrying),
        sender_of(archive.path),
        marks_of(leaving.headers),
        leaving.foreseen,
    )
    crew = Crew[Writer, Run](
        "push", open_writer, header=lambda run: run, observer=observer, stop=stop, workers=workers
    )
    observer.phase("push", len(leaving.runs))
    if isinstance(observer, ListingObserver):
        observer.listed("push", leaving.runs)
    with closing(back):
        if leaving.runs:  # else nobody asks the destination for anything
            crew.run_in_turn(leaving.waves, partial(_bring, trip))
    return Report(
        phase="push",
        source=str(Location("archive", str(archive.path))),
        destination=str(destination),
        allowed=allow,
        outcomes=(*crew.outcomes, *leaving.stays),
        cause=crew.aborted,
        is_interrupted=crew.is_interrupted,
    )


def plan_all(
    archive: Archive,
    destination: Location,
    *,
    selection: Selection = EVERYTHING,
    allow: Fate = Fate.REENCODED,
    observer: Observer | None = None,
    stop: StopToken | None = None,
) -> Report:
    """What `push` would do: names and losses of every selected run. Nothing is sent."""
    observer, stop = observer or Silent(), stop or StopToken()
    selection = selection.toward(destination.tracker)
    kind, limits = writer_class(destination.tracker), limits_of(destination)
    leaving = Leaving.of(archive, destination, selection)
    planning = _Planning(archive, destination, kind, limits, selection, leaving.foreseen)
    outcomes = list(leaving.stays)
    observer.phase("plan", len(leaving.runs))
    for header in leaving.selected:
        try:
            outcome = None if stop.is_set else planning.outcome(header)
        except ArchiveError as error:
            outcomes.append(RunOutcome.failure(header, error))
            continue
        if outcome is not None:
            observer.ended("plan", outcome)
            outcomes.append(outcome)
    return Report(
        phase="plan",
        source=str(Location("archive", str(archive.path))),
        destination=str(destination),
        allowed=allow,
        outcomes=tuple(outcomes),
        is_interrupted=stop.is_set,
    )


@dataclass(frozen=True)
class _Planning:
    """What a push would make of one run after another."""

    archive: Archive
    destination: Location
    kind: type[Writer]
    limits: Limits
    selection: Selection
    foreseen: Foreseen

    def outcome(self, header: Run) -> RunOutcome | None:
        """None for a run that was taken out of the archive. Raises ArchiveError."""
        record = self.archive.record(header.uid)
        if record is None:
            return None
        inventory = chosen(self.foreseen.told(self.archive.inventory(record)), self.selection)
        planned = plan(inventory, self.limits)  # which reads rows where nothing else tells
        named: tuple[Loss, ...] = ()
        if isinstance(self.kind, ForetellingWriter):
            named = self.kind.foretold(self.destination, inventory)
        return RunOutcome.of(
            header,
            "planned",
            rows=_rows(record, inventory),
            losses=(*record.losses, *planned.losses, *named, *self.foreseen.losses(header.uid)),
            possible=planned.possible,
        )


def _rows(record: RunRecord, sent: Inventory) -> int:
    """How many rows `push` would send, counted as it counts them."""
    of_no_series = sum(record.sums[t].rows for t in ("console", "raw") if t in record.sums)
    kinds = (counts for one in sent.series for _, counts in sent.kinds_of(one))
    return of_no_series + sum(counts.points for counts in kinds)


def selected_headers(archive: Archive, selection: Selection) -> Iterator[Run]:
    """The headers of the runs that the user chose; stand-ins for those that are damaged."""
    return filter(selection.takes_run, archive.headers())


def selected_records(archive: Archive, selection: Selection) -> Iterator[RunRecord]:
    """The records of the runs that the user chose."""
    return (record for record in archive.records() if selection.takes_run(record.run))


def _bring(trip: Trip, writer: Writer, run: Run) -> RunOutcome:
    """Bring one run up to date there."""
    record = trip.archive.record(run.uid)
    if record is None:  # taken out of the archive since it was listed
        return RunOutcome.of(run, "unchanged")
    done = _done(trip, writer, record)
    if done is not None:
        return done
    with delivery_lock(trip.archive, run.uid, trip.destination, trip.stop):
        done = _done(trip, writer, record)  # by the push that had the lock
        if done is not None:
            return done
        delivery = trip.archive.ledger.get(run.uid, trip.destination)
        return Sending(trip, writer, record, delivery).go()


def _done(trip: Trip, writer: Writer, record: RunRecord) -> RunOutcome | None:
    """What the ledger calls done, if the destination says so too."""
    run = record.run
    delivery = trip.archive.ledger.get(run.uid, trip.destination)
    if delivery is None or delivery.stage not in ("sealed", "verified") or trip.restart:
        return None
    if delivery.digest != trip.content(record):
        return None
    if not trip.listing.has(writer, trip.mark(run), delivery.remote):
        return None
    return RunOutcome.of(run, "unchanged", remote=delivery.remote, losses=delivery.losses)

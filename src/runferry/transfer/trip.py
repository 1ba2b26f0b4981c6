"""What all runs of one push have in common, and what the ledger is told of one of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runferry.archive.layout import ROW_TABLES
from runferry.archive.ledger import Delivery, Stage
from runferry.losses import Loss
from runferry.model import Run, Uid
from runferry.ports import RemoteId
from runferry.transfer.destination import Listing
from runferry.transfer.patience import Retrying
from runferry.transfer.plan import RunPlan
from runferry.transfer.progress import Observer, StopToken
from runferry.transfer.report import Status
from runferry.transfer.selection import Selection

if TYPE_CHECKING:
    from runferry.archive.record import RunRecord, Segment
    from runferry.archive.store import Archive
    from runferry.transfer.arrival import Foreseen


@dataclass(frozen=True)
class Trip:
    """What all runs of one push have in common."""

    archive: Archive
    destination: str  # without credentials
    selection: Selection
    observer: Observer
    stop: StopToken
    retrying: Retrying
    restart: bool  # sends all of every run again, whatever the ledger says
    is_there: Callable[[RunRecord, RunPlan], bool]  # reads it back, and compares every value
    listing: Listing
    sender: str  # this archive
    marks: Mapping[Uid, Uid]  # of runs that do not bear their own uid there
    foreseen: Foreseen  # of each run, from all of them

    def mark(self, run: Run) -> Uid:
        """By which the destination finds a run."""
        return self.marks.get(run.uid, run.uid)

    def content(self, record: RunRecord) -> str:
        """Tells what is to be sent of a run from any other content, or choice of series."""
        left_out = self.selection.exclusions(record.run).words
        digest = f"{record.digest}~{left_out}".rstrip("~").replace("/", "")
        metrics = self.selection.metrics_hash
        return f"{digest}/{metrics}" if metrics else digest


def is_of(delivery: Delivery, record: RunRecord) -> bool:
    """Whether the run is what it was when it was sent, whatever was chosen of it then."""
    return delivery.digest.partition("/")[0].partition("~")[0] == record.digest.replace("/", "")


def is_whole_of(delivery: Delivery, record: RunRecord) -> bool:
    """The same, where all of its series were chosen."""
    return is_of(delivery, record) and not delivery.digest.partition("/")[2]


@dataclass(frozen=True, slots=True)
class Start:
    """Where sending begins."""

    remote: RemoteId
    status: Status
    base: int = 0  # the number of the first chunk; a run that has grown counts on
    first: int = 0  # the number of the first chunk that has not arrived
    skip: tuple[Segment, ...] = ()  # of a run that has grown: what is there
    is_sealed: bool = False  # nothing is missing


@dataclass
class Books:
    """Writes down how far one run has got. Nothing is put before it is true."""

    trip: Trip
    record: RunRecord
    plan: RunPlan
    losses: tuple[Loss, ...]

    @property
    def content(self) -> str:
        """Tells what is sent from any other content."""
        return self.trip.content(self.record)

    def put(self, start: Start, stage: Stage, sent: int, *, is_numbered: bool = True) -> None:
        """The stage that was reached, and how many chunks have arrived."""
        carries = self._segments()
        segments = carries if stage == "sealed" else [s.sha256 for s in start.skip]
        self.trip.archive.ledger.put(
            Delivery(
                uid=self.record.run.uid,
                destination=self.trip.destination,
                stage=stage,
                remote=start.remote,
                plan=self.plan.hash if is_numbered else "",
                generation=self.record.generation,
                sent=sent,
                base=start.base,
                digest=self.content,
                segments=tuple(segments),
                carries=tuple(carries),
                losses=self.losses,
            )
        )

    def _segments(self) -> list[str]:
        return [s.sha256 for s in self.record.segments if s.table in ROW_TABLES]

    def segments_in(self, hashes: tuple[str, ...]) -> tuple[Segment, ...]:
        """The row segments with these hashes; what a commit states anew is always sent again."""
        return tuple(
            s for s in self.record.segments if s.table in ROW_TABLES and s.sha256 in hashes
        )

    def forget(self) -> None:
        """The run is not there any more."""
        self.trip.archive.ledger.forget(self.record.run.uid, self.trip.destination)

"""One run on its way to one destination: where to begin, what to send, when to say so.

    absent → created → sending(n) → sealed → verified

The ledger says at most what is true there: each step is written after its effect, so a crash
between the two repeats a step that `find`, `stored` or a harmless `append` makes good.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pyarrow.compute as pc

from runferry import chunks
from runferry.archive.layout import ROW_TABLES
from runferry.archive.ledger import Delivery, Stage
from runferry.chunks import Chunk
from runferry.errors import Conflict, PlanChanged, RunMissing, ServiceError
from runferry.model import Run, Uid
from runferry.ports import Progress, RemoteId, ReportingWriter, Writer
from runferry.transfer.claims import Claim
from runferry.transfer.destination import Listing
from runferry.transfer.incoming import weight
from runferry.transfer.outgoing import outgoing
from runferry.transfer.patience import Retrying
from runferry.transfer.plan import RunPlan, plan
from runferry.transfer.progress import Interrupted, Observer, StopToken
from runferry.transfer.report import RunOutcome, Status
from runferry.transfer.selection import Selection, chosen

if TYPE_CHECKING:
    from runferry.archive.record import RunRecord, Segment
    from runferry.archive.store import Archive

_LEDGER_SECONDS = 1.0  # a ledger that lags behind is true, and a synced write costs milliseconds


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

    def mark(self, run: Run) -> Uid:
        """By which the destination finds a run."""
        return self.marks.get(run.uid, run.uid)

    def content(self, record: RunRecord) -> str:
        """Tells what is to be sent of a run from any other content, or choice of series."""
        metrics = self.selection.metrics_hash
        return f"{record.digest}/{metrics}" if metrics else record.digest


def _status(skip: tuple[Segment, ...]) -> Status:
    return "grown" if skip else "new"


@dataclass(frozen=True, slots=True)
class Start:
    """Where sending begins."""

    remote: RemoteId
    status: Status
    base: int = 0  # the number of the first chunk; a run that has grown counts on
    first: int = 0  # the number of the first chunk that has not arrived
    skip: tuple[Segment, ...] = ()  # of a run that has grown: what is there
    is_sealed: bool = False  # nothing is missing


class Sending:
    """Brings one record to one destination."""

    def __init__(
        self, trip: Trip, writer: Writer, record: RunRecord, delivery: Delivery | None
    ) -> None:
        self._trip = trip
        self._archive = trip.archive
        self._writer = writer
        self._record = record
        self._uid: Uid = record.run.uid
        self._mark = trip.mark(record.run)
        self._delivery = delivery
        self._content = trip.content(record)
        inventory = chosen(trip.archive.inventory(record), trip.selection)
        self._plan: RunPlan = plan(inventory, writer.limits)
        self._losses = (*record.losses, *self._plan.losses)
        self._resend = writer.limits.resend
        self._claim = Claim(writer, trip.retrying, trip.sender, takes_over=trip.restart)

    def go(self) -> RunOutcome:
        """Send what is missing, and seal. Raises PlanChanged, Conflict, what the writer raises."""
        start = self._start()
        if start.is_sealed:
            self._adopt(start)
            return self._outcome(start, 0, 0)
        try:
            sent, rows, size_bytes = self._claimed(start)
        except RunMissing:  # somebody removed it meanwhile: the next push begins anew
            self._forget()
            raise
        if isinstance(self._writer, ReportingWriter):
            self._losses += self._writer.losses(start.remote)
        self._put(start, "sealed", sent)
        return self._outcome(start, rows, size_bytes)

    def _adopt(self, start: Start) -> None:
        """Note what was found complete. Where its chunks' numbers are unknown, growth resends."""
        if self._delivery is None or self._delivery.stage not in ("sealed", "verified"):
            self._put(start, "sealed", start.first, is_numbered=self._resend == "continue")

    def _claimed(self, start: Start) -> tuple[int, int, int]:
        """Send and seal, while nobody else may; the claim ends with the seal, or with an error."""
        self._claim.take(start.remote)
        try:
            sent = self._send(start)
            self._call(lambda: self._writer.seal(start.remote, self._record.run))
        except Exception as error:
            if not isinstance(error, ServiceError) and not isinstance(
                error.__cause__, ServiceError
            ):  # else nobody would hear it
                self._claim.release(start.remote)
            raise
        return sent

    # --- where to begin ---------------------------------------------------------------------------

    def _start(self) -> Start:
        delivery = self._delivery
        if delivery is None:
            return self._found()
        remote = RemoteId(delivery.remote)
        try:
            stored = self._ask(remote)
        except RunMissing:
            self._forget()
            return self._found()
        if self._trip.restart:
            return self._anew(remote, stored, "replaced")
        is_done = delivery.stage in ("sealed", "verified")
        if is_done and (stored is None or stored.is_sealed):
            return self._grown(delivery, stored)
        if is_done or not self._claim.is_ours(stored):  # another push began it after ours
            return self._anew(remote, stored, "replaced")
        return self._resumed(delivery, stored)

    def _found(self) -> Start:
        """The ledger knows nothing; another machine, or a crash, may have left the run there."""
        remote = self._trip.retrying.call(lambda: self._writer.find(self._mark))
        if remote is None:
            return self._created("new")
        stored = self._ask(remote)
        if stored is None or not stored.is_sealed:
            return self._anew(remote, stored, "new")  # begun with who knows which content
        if not self._trip.restart and self._trip.is_there(self._record, self._plan):
            return Start(remote, "unchanged", first=stored.chunks or 0, is_sealed=True)
        if self._trip.restart or self._resend == "atomic":
            return self._anew(remote, stored, "replaced")
        raise Conflict(
            "the run is there, complete but different, and this archive did not send it",
            where=f"{self._trip.destination} ({remote})",
            hint="push from the archive that sent it, or replace it: runferry push --restart",
        )

    def _resumed(self, delivery: Delivery, stored: Progress | None) -> Start:
        """Half sent: on from there, if it is still the same thing that is sent."""
        remote = RemoteId(delivery.remote)
        is_same = delivery.digest == self._content
        if stored is not None and stored.is_sealed:  # the end of a sending, or the begin of growth
            if self._trip.is_there(self._record, self._plan):
                return Start(remote, "unchanged", first=stored.chunks or 0, is_sealed=True)
            if delivery.base and stored.chunks == delivery.base:  # nothing has arrived
                metrics = delivery.digest.partition("/")[2]
                return self._grown(
                    replace(delivery, sent=delivery.base, digest=f"/{metrics}"), stored
                )
            if not (delivery.base and is_same):  # whoever sealed it, or with whatever content
                return self._anew(remote, stored, "replaced")
        if is_same and delivery.plan == self._plan.hash:
            return self._continued(delivery, stored, self._segments_in(delivery.segments))
        if not is_same and delivery.plan.startswith(f"{self._plan.rules}-"):
            return self._anew(remote, stored, "grown" if delivery.base else "new")
        raise PlanChanged(
            "half of this run was sent under another plan, and the two would mix",
            where=f"{self._trip.destination} ({remote})",
            hint="runferry push --restart removes that half there and begins anew",
        )

    def _continued(
        self, delivery: Delivery, stored: Progress | None, skip: tuple[Segment, ...]
    ) -> Start:
        remote, status = RemoteId(delivery.remote), _status(skip)
        if self._resend == "harmless":
            return Start(remote, status, delivery.base, delivery.sent, skip)
        if self._resend == "continue" and stored is not None and stored.chunks is not None:
            first = max(stored.chunks, delivery.base)
            return Start(remote, status, delivery.base, first, skip)
        return self._anew(remote, stored, status)

    def _grown(self, delivery: Delivery, stored: Progress | None) -> Start:
        """Sealed there, and other content here: the new segments, or all of it."""
        remote, sent = RemoteId(delivery.remote), self._segments_in(delivery.segments)
        if delivery.digest == self._content:
            return Start(remote, "unchanged", is_sealed=True)
        is_prefix = len(sent) == len(delivery.segments)
        has_rules = delivery.plan.startswith(f"{self._plan.rules}-")
        is_chosen_alike = delivery.digest.partition("/")[2] == self._content.partition("/")[2]
        is_beginning = is_prefix and has_rules and is_chosen_alike and self._resend != "atomic"
        if is_beginning and (self._plan.order == "any" or self._is_later(sent)):
            self._claim.check(stored, remote)
            return self._begun(Start(remote, "grown", delivery.sent, delivery.sent, sent))
        return self._anew(remote, stored, "replaced")

    def _anew(self, remote: RemoteId, stored: Progress | None, status: Status) -> Start:
        """Send all of it: in place of what was complete, and after removing what never was."""
        self._claim.check(stored, remote)
        if stored is None or not (stored.is_sealed or stored.was_sealed):
            self._trip.retrying.call(lambda: self._writer.discard(remote))
            self._forget()
            return self._created("new" if status == "replaced" else status)
        if self._resend == "atomic":  # what stands there stays until it is replaced whole
            return self._created(status)
        if self._resend == "harmless":
            return self._begun(Start(remote, status))
        raise Conflict(
            "what was sent of this run is no longer the beginning of what is here",
            where=f"{self._trip.destination} ({remote})",
            hint="remove the run there, then push again",
        )

    def _is_later(self, sent: tuple[Segment, ...]) -> bool:
        """Whether all new rows come at or after the last step that was sent."""
        fresh = tuple(segment for segment in self._record.segments if segment not in sent)
        last_sent = max((last for _, last in self._steps(skip=fresh)), default=None)
        first_new = min((first for first, _ in self._steps(skip=sent)), default=None)
        return last_sent is None or first_new is None or first_new >= last_sent

    def _steps(self, skip: tuple[Segment, ...]) -> Iterator[tuple[int, int]]:
        """The first and last step of each batch."""
        for chunk in self._archive.chunks(self._record, skip=skip):
            if isinstance(chunk, (chunks.Points, chunks.Texts, chunks.Histograms)):
                ends = pc.min_max(chunk.batch.column("step")).as_py()
                if ends["min"] is not None:
                    yield ends["min"], ends["max"]
            elif isinstance(chunk, chunks.Media):
                steps = [item.at.step for item in chunk.items if item.at.step is not None]
                if steps:
                    yield min(steps), max(steps)

    def _ask(self, remote: RemoteId) -> Progress | None:
        return self._trip.retrying.call(lambda: self._writer.stored(remote))

    def _forget(self) -> None:
        self._archive.ledger.forget(self._uid, self._trip.destination)

    def _created(self, status: Status) -> Start:
        remote = self._trip.retrying.call(
            lambda: self._writer.create(self._record.run, self._mark),
            already=lambda: self._writer.find(self._mark),
        )
        self._claim.check(self._ask(remote), remote)  # another may have been first
        return self._begun(Start(remote, status))

    def _begun(self, start: Start) -> Start:
        self._put(start, "created", start.first)
        return start

    # --- sending ----------------------------------------------------------------------------------

    def _send(self, start: Start) -> tuple[int, int, int]:
        number, rows, size_bytes, said = start.base, 0, 0, time.monotonic()
        for number, chunk in enumerate(self._outgoing(start), start.base):
            if number < start.first:
                continue
            if self._trip.stop.is_set:
                self._put(start, "sending", number)
                raise Interrupted
            self._claim.beat(start.remote)
            self._append(start.remote, number, chunk)
            more_rows, more_bytes = weight(chunk)
            rows, size_bytes = rows + more_rows, size_bytes + more_bytes
            self._trip.observer.advanced("push", self._record.run, more_rows, more_bytes)
            if time.monotonic() - said > _LEDGER_SECONDS:
                self._put(start, "sending", number + 1)
                said = time.monotonic()
        return number + 1, rows, size_bytes

    def _outgoing(self, start: Start) -> Iterator[Chunk]:
        source = self._archive.chunks(self._record, skip=start.skip, order=self._plan.order)
        return outgoing(source, self._plan)

    def _append(self, remote: RemoteId, number: int, chunk: Chunk) -> None:
        if self._resend == "atomic":  # authored on this machine: nothing to wait for
            self._writer.append(remote, number, chunk)
            return
        already = None
        if self._resend == "continue":
            already = lambda: self._has_arrived(remote, number)  # noqa: E731
        self._call(lambda: self._writer.append(remote, number, chunk), already)

    def _has_arrived(self, remote: RemoteId, number: int) -> bool | None:
        stored = self._writer.stored(remote)
        arrived = stored is not None and stored.chunks is not None and stored.chunks > number
        return True if arrived else None

    def _call(
        self, request: Callable[[], None], already: Callable[[], bool | None] | None = None
    ) -> None:
        def requested() -> bool:
            request()
            return True

        self._trip.retrying.call(requested, already=already)

    # --- the ledger -------------------------------------------------------------------------------

    def _put(self, start: Start, stage: Stage, sent: int, *, is_numbered: bool = True) -> None:
        segments = self._segments() if stage == "sealed" else [s.sha256 for s in start.skip]
        self._archive.ledger.put(
            Delivery(
                uid=self._uid,
                destination=self._trip.destination,
                stage=stage,
                remote=start.remote,
                plan=self._plan.hash if is_numbered else "",
                generation=self._record.generation,
                sent=sent,
                base=start.base,
                digest=self._content,
                segments=tuple(segments),
                losses=self._losses,
            )
        )

    def _segments(self) -> list[str]:
        return [s.sha256 for s in self._record.segments if s.table in ROW_TABLES]

    def _segments_in(self, hashes: tuple[str, ...]) -> tuple[Segment, ...]:
        """The row segments with these hashes; what a commit states anew is always sent again."""
        return tuple(
            s for s in self._record.segments if s.table in ROW_TABLES and s.sha256 in hashes
        )

    def _outcome(self, start: Start, rows: int, size_bytes: int) -> RunOutcome:
        return RunOutcome.of(
            self._record.run,
            start.status,
            rows=rows,
            size_bytes=size_bytes,
            remote=start.remote,
            losses=self._losses,
            possible=self._plan.possible,
        )

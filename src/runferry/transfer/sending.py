"""One run on its way to one destination: where to begin, what to send, when to say so.

    absent → created → sending(n) → sealed → verified

The ledger says at most what is true there: each step is written after its effect, so a crash
between the two repeats a step that `find`, `stored` or a harmless `append` makes good.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from runferry.archive.ledger import Delivery
from runferry.chunks import Chunk
from runferry.errors import RunMissing, ServiceError
from runferry.ports import RemoteId, Writer
from runferry.transfer.beginning import Beginning
from runferry.transfer.claims import Claim
from runferry.transfer.incoming import weight
from runferry.transfer.outgoing import outgoing
from runferry.transfer.plan import RunPlan, plan
from runferry.transfer.progress import Interrupted
from runferry.transfer.report import RunOutcome
from runferry.transfer.selection import chosen
from runferry.transfer.trip import Books, Start, Trip
from runferry.writer_ports import ReportingWriter

if TYPE_CHECKING:
    from runferry.archive.record import RunRecord

_LEDGER_SECONDS = 1.0  # a ledger that lags behind is true, and a synced write costs milliseconds


class Sending:
    """Brings one record to one destination."""

    def __init__(
        self, trip: Trip, writer: Writer, record: RunRecord, delivery: Delivery | None
    ) -> None:
        self._trip = trip
        self._archive = trip.archive
        self._writer = writer
        self._record = record
        self._delivery = delivery
        self._sent = chosen(trip.archive.inventory(record), trip.selection)
        self._plan: RunPlan = plan(self._sent, writer.limits)
        told = (*record.losses, *self._plan.losses, *trip.foreseen.losses(record.run.uid))
        self._books = Books(trip, record, self._plan, told)
        self._resend = writer.limits.resend
        self._claim = Claim(writer, trip.retrying, trip.sender, takes_over=trip.restart)
        self._beginning = Beginning(self._books, writer, self._claim, delivery)

    def go(self) -> RunOutcome:
        """Send what is missing, and seal. Raises PlanChanged, Conflict, what the writer raises."""
        start = self._beginning.start()
        if start.is_sealed:
            self._adopt(start)
            return self._outcome(start, 0, 0)
        try:
            sent, rows, size_bytes = self._claimed(start)
        except RunMissing:  # somebody removed it meanwhile: the next push begins anew
            self._books.forget()
            raise
        if isinstance(self._writer, ReportingWriter):
            self._books.losses += self._writer.losses(start.remote)
        self._books.put(start, "sealed", sent)
        return self._outcome(start, rows, size_bytes)

    def _adopt(self, start: Start) -> None:
        """Note what was found complete. Where its chunks' numbers are unknown, growth resends."""
        if self._delivery is None or self._delivery.stage not in ("sealed", "verified"):
            self._books.put(start, "sealed", start.first, is_numbered=self._resend == "continue")

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

    def _send(self, start: Start) -> tuple[int, int, int]:
        number, rows, size_bytes, said = start.base, 0, 0, time.monotonic()
        for number, chunk in enumerate(self._outgoing(start), start.base):
            if number < start.first:
                continue
            if self._trip.stop.is_set:
                self._books.put(start, "sending", number)
                raise Interrupted
            self._claim.beat(start.remote)
            self._append(start.remote, number, chunk)
            more_rows, more_bytes = weight(chunk)
            rows, size_bytes = rows + more_rows, size_bytes + more_bytes
            self._trip.observer.advanced("push", self._record.run, more_rows, more_bytes)
            if time.monotonic() - said > _LEDGER_SECONDS:
                self._books.put(start, "sending", number + 1)
                said = time.monotonic()
        return number + 1, rows, size_bytes

    def _outgoing(self, start: Start) -> Iterator[Chunk]:
        source = self._archive.chunks(self._record, skip=start.skip, order=self._plan.order)
        exclusions = self._trip.selection.exclusions(self._record.run)
        return outgoing(exclusions.of(source, self._sent), self._plan)

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
        if stored is None or stored.chunks is None or stored.is_sealed:  # what it replaces
            return None
        return True if stored.chunks > number else None

    def _call(
        self, request: Callable[[], None], already: Callable[[], bool | None] | None = None
    ) -> None:
        def requested() -> bool:
            request()
            return True

        self._trip.retrying.call(requested, already=already)

    def _outcome(self, start: Start, rows: int, size_bytes: int) -> RunOutcome:
        return RunOutcome.of(
            self._record.run,
            start.status,
            rows=rows,
            size_bytes=size_bytes,
            remote=start.remote,
            losses=self._books.losses,
            possible=self._plan.possible,
        )

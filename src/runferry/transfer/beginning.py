"""Where the sending of a run begins: what the ledger says, and what the destination holds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow.compute as pc

from runferry import chunks
from runferry.archive.ledger import Delivery
from runferry.errors import Conflict, PlanChanged, RunMissing
from runferry.ports import Progress, RemoteId, Writer
from runferry.transfer.claims import Claim
from runferry.transfer.report import Status
from runferry.transfer.trip import Books, Start

if TYPE_CHECKING:
    from runferry.archive.record import Segment


def _status(skip: tuple[Segment, ...]) -> Status:
    return "grown" if skip else "new"


class Beginning:
    """Finds the place from which one record is sent, and makes the run there if there is none."""

    def __init__(
        self, books: Books, writer: Writer, claim: Claim, delivery: Delivery | None
    ) -> None:
        self._books = books
        self._trip = books.trip
        self._archive = books.trip.archive
        self._record = books.record
        self._plan = books.plan
        self._content = books.content
        self._mark = books.trip.mark(books.record.run)
        self._writer = writer
        self._resend = writer.limits.resend
        self._replaces = self._resend == "harmless" or writer.limits.replaces_complete
        self._claim = claim
        self._delivery = delivery

    def start(self) -> Start:
        """What the ledger says, unless the destination knows better. Raises Conflict."""
        delivery = self._delivery
        if delivery is None:
            return self._found()
        remote = RemoteId(delivery.remote)
        try:
            stored = self._ask(remote)
        except RunMissing:
            self._books.forget()
            return self._found()
        if self._trip.restart:
            return self._anew(remote, stored, "replaced")
        if stored is not None and stored.has_others_rows:
            return self._left(delivery, remote)
        is_done = delivery.stage in ("sealed", "verified")
        if is_done and self._claim.is_ours(stored):  # growth that the ledger has not heard of
            stored = self._as_it_was_sealed(remote, stored)
        if is_done and (stored is None or stored.is_sealed):
            return self._grown(delivery, stored)
        if is_done or not self._claim.is_ours(stored):  # another push began it after ours
            return self._anew(remote, stored, "replaced")
        return self._resumed(delivery, stored)

    @property
    def _choice(self) -> str:
        """Stands for the series that are sent; empty for all of them."""
        return self._content.partition("/")[2]

    def _takes_away(self, remote: RemoteId) -> Conflict:
        return Conflict(
            "the run is there with other series than --metric chooses, and would lose them",
            where=f"{self._trip.destination} ({remote})",
            hint="choose all that should be there; --restart replaces what is there all the same",
        )

    def _left(self, delivery: Delivery, remote: RemoteId) -> Start:
        """What others logged on to a run stays as long as there is nothing new to send of it."""
        if delivery.stage in ("sealed", "verified") and delivery.digest == self._content:
            return Start(remote, "unchanged", is_sealed=True)
        raise self._takes_others_rows(remote)

    def _takes_others_rows(self, remote: RemoteId) -> Conflict:
        return Conflict(
            "somebody logged on to the run there, and sending it anew would take their rows away",
            where=f"{self._trip.destination} ({remote})",
            hint="pull them from there first; runferry push --restart replaces them all the same",
        )

    def _found(self) -> Start:
        """The ledger knows nothing; another machine, or a crash, may have left the run there."""
        remote = self._trip.retrying.call(lambda: self._writer.find(self._mark))
        if remote is None:
            return self._created("new")
        stored = self._ask(remote)
        if stored is not None and stored.has_others_rows and not self._trip.restart:
            raise self._takes_others_rows(remote)
        if stored is not None and stored.was_sealed:
            self._claim.check(stored, remote)
            stored = self._as_it_was_sealed(remote, stored)
        if stored is None or not stored.is_sealed:
            return self._anew(remote, stored, "new")  # begun with who knows which content
        if not self._trip.restart and self._trip.is_there(self._record, self._plan):
            return Start(remote, "unchanged", first=stored.chunks or 0, is_sealed=True)
        if not self._trip.restart and self._choice:
            raise self._takes_away(remote)
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
        if not is_same:  # growth that is no longer what is to be sent
            stored = self._as_it_was_sealed(remote, stored)
        if stored is not None and stored.is_sealed:  # the end of a sending, or the begin of growth
            if self._trip.is_there(self._record, self._plan):
                return Start(remote, "unchanged", first=stored.chunks or 0, is_sealed=True)
            if delivery.base and stored.chunks == delivery.base:  # nothing has arrived
                metrics = delivery.digest.partition("/")[2]
                return self._grown(
                    replace(delivery, sent=delivery.base, digest=f"/{metrics}"), stored
                )
            if stored.chunks is not None and not is_same:  # we sealed it, and it has grown again
                delivery = replace(delivery, sent=stored.chunks, segments=delivery.carries)
                return self._grown(delivery, stored)
            if not (delivery.base and is_same):  # whoever sealed it, or with whatever content
                return self._anew(remote, stored, "replaced")
        if is_same and delivery.plan == self._plan.hash:
            return self._continued(delivery, stored, self._books.segments_in(delivery.segments))
        if not is_same and delivery.plan.startswith(f"{self._plan.rules}-"):
            return self._anew(remote, stored, "grown" if delivery.base else "new")
        raise PlanChanged(
            "half of this run was sent under another plan, and the two would mix",
            where=f"{self._trip.destination} ({remote})",
            hint="runferry push --restart removes that half there and begins anew",
        )

    def _as_it_was_sealed(self, remote: RemoteId, stored: Progress | None) -> Progress | None:
        """Without the beginnings of growth, or of another sending, where they can be taken back."""
        if stored is None or not stored.was_sealed or self._resend != "continue":
            return stored
        self._trip.retrying.call(lambda: self._writer.discard(remote))
        return self._ask(remote)

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
        remote, sent = RemoteId(delivery.remote), self._books.segments_in(delivery.segments)
        if delivery.digest == self._content:
            return Start(remote, "unchanged", is_sealed=True)
        is_prefix = len(sent) == len(delivery.segments)
        has_rules = delivery.plan.startswith(f"{self._plan.rules}-")
        is_chosen_alike = delivery.digest.partition("/")[2] == self._choice
        if self._choice and not is_chosen_alike:
            raise self._takes_away(remote)
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
            self._books.forget()
            return self._created("new" if status == "replaced" else status)
        if self._resend == "atomic":  # what stands there stays until it is replaced whole
            return self._created(status)
        if self._replaces:
            self._as_it_was_sealed(remote, stored)  # numbers from 0 on mean another sending now
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

    def _created(self, status: Status) -> Start:
        remote = self._trip.retrying.call(
            lambda: self._writer.create(self._record.run, self._mark),
            already=lambda: self._writer.find(self._mark),
        )
        self._claim.check(self._ask(remote), remote)  # another may have been first
        return self._begun(Start(remote, status))

    def _begun(self, start: Start) -> Start:
        self._books.put(start, "created", start.first)
        return start

"""The delivery process: follows the journals of one session, and brings what they have everywhere.

    journals ▶ replicas ▶ archive ▶ destinations, each in a thread of its own

Killed at any moment and begun again, here or on another machine, it goes on: replicas are a
function of the journals, a pull continues from its cursor, and each destination has a ledger.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from runferry.archive.lock import FileLock
from runferry.archive.store import Archive
from runferry.live.calls_reader import CallsReader
from runferry.live.follower import Follower
from runferry.live.layout import Layout
from runferry.live.origins import came_from
from runferry.live.replicas.all import CALLS, Replicas
from runferry.live.sending import Sending
from runferry.live.service_records import ServiceRecords
from runferry.live.status import State, Status
from runferry.model import Run
from runferry.ports import Location, Reader, ReadOptions
from runferry.transfer.progress import StopToken
from runferry.transfer.pull import pull
from runferry.transfer.report import Report

_log = logging.getLogger(__name__)
_LOOK_SECONDS = 0.1
_SHARE = 3.0  # pulls rest so many times as long as the last one took
_LONGEST_PAUSE = 30.0


@dataclass(frozen=True, slots=True)
class Ends:
    """When to stop."""

    patience: float = 300.0  # seconds that failing destinations are tried for when all else is done
    follows: bool = True  # wait for processes that still write


class Delivery:
    """One session on its way; only one process delivers it at a time."""

    def __init__(self, layout: Layout, places: tuple[Location, ...], ends: Ends) -> None:
        """Raises Locked, and what opening destinations raises."""
        self._layout = layout
        self._ends = ends
        layout.root.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(layout.root / "locks" / "delivery.lock")
        self._lock.acquire(what="this session's deliveries")
        self._archive = Archive.open(layout.archive, create=True)
        self._replicas = Replicas(layout.replicas)
        self._follower = Follower(layout.journals, layout.rounds, self._replicas)
        while self._follower.advance():
            pass
        self._service = ServiceRecords(layout.journals, self._replicas.of_services)
        self._sendings = [
            Sending(place, self._archive, self._excluded, self._into_archive) for place in places
        ]
        self._stop = StopToken()
        self._pulled_at = 0.0
        self._pull_took = 0.0
        self._failed: str | None = None
        self._told: Status | None = None

    def run(self) -> Status:
        """Deliver until nothing is left, or patience ends."""
        for sending in self._sendings:
            sending.start()
        try:
            self._follow()
            return self._finish()
        finally:
            for sending in self._sendings:
                sending.stop()
            for sending in self._sendings:
                sending.join(10.0)
            self._follower.close()
            self._lock.release()

    def stop(self) -> None:
        """End at the next safe point; another process can go on."""
        self._stop.set()

    def _follow(self) -> None:
        """Until all processes that trained are gone."""
        is_behind = True
        while not self._stop.is_set:
            self._service.look(self._replicas.sources.values())
            is_behind = self._follower.advance() or is_behind
            if is_behind and self._is_time():
                self._bring(is_ending=False)
                is_behind = False
            self._tell("following")
            if not self._ends.follows or self._follower.is_over():
                return
            if not self._follower.rest:
                self._stop.wait(_LOOK_SECONDS)

    def _finish(self) -> Status:
        """What is left when nothing more comes."""
        self._service.finish(self._replicas.sources.values(), self._stop)
        while self._follower.advance() and not self._stop.is_set:
            pass
        self._replicas.end()
        self._bring(is_ending=True)
        deadline = time.monotonic() + self._ends.patience
        while not self._stop.is_set and time.monotonic() < deadline:
            if self._failed is not None:
                self._bring(is_ending=True)
            if all(sending.is_done for sending in self._sendings) and self._failed is None:
                return self._tell("done")
            self._tell("delivering")
            self._stop.wait(_LOOK_SECONDS)
        return self._tell("gave-up")

    def _is_time(self) -> bool:
        pause = min(self._pull_took * _SHARE, _LONGEST_PAUSE)
        return time.monotonic() - self._pulled_at >= pause

    def _bring(self, *, is_ending: bool) -> None:
        """Replicas into the archive; then the destinations may have it."""
        began, captured = time.monotonic(), self._captured()
        report = self._pull_into(self._archive, self._stop)
        self._failed = next((outcome.error or "failed" for outcome in report.failures), None)
        if self._failed is not None:
            _log.error("%s", self._failed)
        for sending in self._sendings:
            sending.there_is(captured, is_ending=is_ending)
        self._pulled_at = time.monotonic()
        self._pull_took = self._pulled_at - began

    def _pull_into(self, archive: Archive, stop: StopToken) -> Report:
        report = Report("pull", str(self._layout.replicas), str(archive.path))
        for place in self._replicas.places():
            one = pull(place, archive, stop=stop, open_reader=_opener(place))
            report = replace(report, outcomes=(*report.outcomes, *one.outcomes))
        return report

    def _into_archive(self, place: Location, stop: StopToken) -> Report:
        return self._pull_into(Archive.open(place.path, create=True), stop)

    def _excluded(self, place: Location, run: Run) -> bool:
        sources = list(self._replicas.sources.values())
        return any(came_from(place, run, facts) for facts in sources)

    def _captured(self) -> int:
        """Records that processes which train have written, as far as they are taken."""
        return sum(file.taken.total() - file.taken["service"] for file in self._follower.files)

    def _tell(self, state: State) -> Status:
        files = self._follower.files
        dropped = sum(sum(file.counts.get("dropped", {}).values()) for file in files)
        captured = self._captured()
        known = [sending.status for sending in self._sendings]
        status = Status(
            state,
            os.getpid(),
            captured,
            dropped,
            tuple(replace(one, pending=max(captured - one.delivered, 0)) for one in known),
            {file.path.name: file.offset for file in files},
        )
        if status != self._told:
            status.write(self._layout.status)
            self._told = status
        return status


def _opener(place: Location) -> Callable[[], Reader] | None:
    """What reads a folder of replicas, where the registry does not know it."""
    if place.tracker != CALLS:
        return None
    return lambda: CallsReader.open(place, ReadOptions())

"""The archive of a session between what is followed and the destinations."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from runferry.archive.store import Archive
from runferry.live.captured import Captured
from runferry.live.sending import Sending
from runferry.live.status import DestinationStatus
from runferry.model import Run
from runferry.ports import Location, Reader, ReadOptions
from runferry.transfer.progress import StopToken
from runferry.transfer.pull import pull
from runferry.transfer.report import Report

_log = logging.getLogger(__name__)
_SHARE = 5.0  # pulls rest so many times as long as the last one took
_LEAST_PAUSE = 0.3
_LONGEST_PAUSE = 30.0
_FAILING_PAUSE = 5.0
_NOTHING_NEW = ("unchanged", "failed", "interrupted")

Opened = tuple[Location, Callable[[], Reader] | None]
"""A place that is followed, and what opens it where the registry does not know it."""


class Hub:
    """Pulls what is followed, and has every destination fetch it in its own time."""

    def __init__(
        self,
        path: Path,
        places: Iterable[Location],
        sources: Callable[[], Iterable[Opened]],
        excluded: Callable[[Location, Run], bool],
    ) -> None:
        """Raises what opening the archive and the destinations raises."""
        self.archive = Archive.open(path, create=True)
        self._sources = sources
        self._sendings = [
            Sending(place, self.archive, excluded, self._into_archive) for place in places
        ]
        self.stop = StopToken()
        self.sources_lock = threading.Lock()
        """Held by whoever changes what is followed, and by whoever reads it in another thread: a
        file that a row names must not be met without the row."""
        self._pulled_at = 0.0
        self._took = 0.0
        self._brought = Captured()  # records up to which all is in the archive
        self.failing: str | None = None

    def start(self) -> None:
        """Begin to deliver."""
        for sending in self._sendings:
            sending.start()

    def close(self) -> None:
        """End at the next safe point."""
        for sending in self._sendings:
            sending.stop()
        for sending in self._sendings:
            sending.join(10.0)

    @property
    def is_rested(self) -> bool:
        """Whether the next pull would take no more than its share of a processor."""
        pause = min(max(self._took * _SHARE, _LEAST_PAUSE), _LONGEST_PAUSE)
        return time.monotonic() - self._pulled_at >= pause

    @property
    def is_done(self) -> bool:
        """Whether everything is everywhere."""
        return self.failing is None and all(sending.is_done for sending in self._sendings)

    @property
    def is_going_on(self) -> bool:
        """Whether what is left may still arrive as things are, so that patience has not begun.

        A destination is being brought all that there is, and nothing has failed yet; or it waits
        for somebody else, who lives.
        """
        return any(one.is_at_work or one.is_waiting for one in self._sendings)

    def bring(self, captured: Captured, *, is_ending: bool) -> Report:
        """Pull; then the destinations may have it. At the end nothing more comes."""
        began = time.monotonic()
        report = self._pull_into(self.archive, self.stop, is_ending=is_ending)
        failed = next((outcome.error or "failed" for outcome in report.failures), None)
        self.failing = report.aborted or failed
        if self.failing is not None:
            _log.error("%s", self.failing)
        else:
            self._brought = captured
        is_more = any(outcome.status not in _NOTHING_NEW for outcome in report.outcomes)
        for sending in self._sendings:
            there = captured if sending.pulls else self._brought
            sending.there_is(there, is_ending=is_ending, is_more=is_more)
        self._pulled_at = time.monotonic()
        self._took = self._pulled_at - began
        return report

    def fails(self, why: str) -> None:
        """Nothing could be pulled; it is tried again after a while."""
        if self.failing is None:
            _log.error("%s", why)
        self.failing = why
        self._pulled_at, self._took = time.monotonic(), _FAILING_PAUSE / _SHARE

    def told(self, captured: int) -> tuple[DestinationStatus, ...]:
        """What each destination has of so many records."""
        return tuple(self._lacking(sending, captured) for sending in self._sendings)

    def _lacking(self, sending: Sending, captured: int) -> DestinationStatus:
        one = sending.status
        pending = max(captured - one.delivered, 0)
        # what the archive lacks may be no record: how a run ended, say
        is_lacking = pending or not sending.pulls
        failing = one.failing or (self.failing if is_lacking else None) or sending.hanging
        return replace(one, pending=pending, failing=failing)

    def _pull_into(self, archive: Archive, stop: StopToken, *, is_ending: bool) -> Report:
        options = ReadOptions(is_growing=not is_ending)
        report = Report("pull", "what is followed", str(archive.path))
        for place, opener in self._sources():
            one = pull(place, archive, options=options, stop=stop, open_reader=opener)
            report = replace(
                report,
                outcomes=(*report.outcomes, *one.outcomes),
                cause=report.cause or one.cause,
            )
        return report

    def _into_archive(self, place: Location, stop: StopToken, *, is_ending: bool) -> Report:
        archive = Archive.open(place.path, create=True)
        with self.sources_lock:
            return self._pull_into(archive, stop, is_ending=is_ending)

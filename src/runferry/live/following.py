"""Follows runs from outside: files of W&B and TensorBoard that grow while somebody trains.

Nothing is put into the training process, so rows are seen when its SDK has written them: W&B's
service writes blocks of 32 KiB, and TensorBoard's writers every `flush_secs`, two minutes unless
they are told otherwise.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from runferry.live.captured import Captured
from runferry.live.hub import Hub, Opened
from runferry.live.status import State, Status
from runferry.model import Run, Uid
from runferry.ports import Location
from runferry.transfer.destination import ledger_key
from runferry.transfer.report import Report

_LOOK_SECONDS = 0.5


class Following:
    """Some places that grow, and some destinations."""

    def __init__(
        self,
        sources: tuple[Location, ...],
        archive: Path,
        places: tuple[Location, ...],
        *,
        quiet_seconds: float,
        patience: float,
    ) -> None:
        """`quiet_seconds` is how long nothing may come of a run that does not say that it ended."""
        self._places = sources
        self._hub = Hub(archive, places, self._sources, _is_its_own)
        self._quiet_seconds = quiet_seconds
        self._patience = patience
        self._stop = self._hub.stop
        self._rows = 0
        self._of = Counter[Uid]()
        self.is_quiet = False
        """Whether it ended since nothing came, and not since every run said that it had ended."""

    def stop(self) -> None:
        """End at the next safe point; another call goes on."""
        self._stop.set()

    def run(self, tell: Callable[[Status], None]) -> Status:
        """Until every run has ended, and everything is everywhere."""
        self._hub.start()
        try:
            self._follow(tell)
            self._hub.bring(self._captured(), is_ending=True)
            deadline = time.monotonic() + self._patience
            while not self._hub.is_done:
                if self._hub.failing is not None and self._hub.is_rested:
                    self._hub.bring(self._captured(), is_ending=True)
                if self._hub.is_going_on:
                    deadline = time.monotonic() + self._patience
                elif time.monotonic() >= deadline:
                    return self._status("gave-up")
                if self._stop.is_set:
                    return self._status("gave-up")
                tell(self._status("delivering"))
                self._stop.wait(_LOOK_SECONDS)
            return self._status("done")
        finally:
            self._hub.close()

    def _follow(self, tell: Callable[[Status], None]) -> None:
        grew_at = time.monotonic()
        while not self._stop.is_set:
            if self._hub.is_rested:
                report = self._hub.bring(self._captured(), is_ending=False)
                new = sum(outcome.rows for outcome in report.outcomes)
                if new or any(outcome.status != "unchanged" for outcome in report.outcomes):
                    grew_at = time.monotonic()
                    self._rows += max(new, 1)
                    self._of.update({one.uid: one.rows for one in report.outcomes})
                    continue
                tell(self._status("following"))
                if self._is_over(report, time.monotonic() - grew_at):
                    return
            self._stop.wait(_LOOK_SECONDS)

    def _captured(self) -> Captured:
        """Rows that were pulled, and changes without any."""
        return Captured(self._rows, lambda runs: sum(self._of[run.uid] for run in runs))

    def _is_over(self, report: Report, quiet_seconds: float) -> bool:
        """Whether no run goes on. One that never says so is over when it has been quiet."""
        self.is_quiet = quiet_seconds > self._quiet_seconds
        if self.is_quiet:
            return True
        if not report.outcomes:
            return False
        uids = {outcome.uid for outcome in report.outcomes}
        runs = [run for run in self._hub.archive.headers() if run.uid in uids]
        return bool(runs) and all(run.complete for run in runs)

    def _sources(self) -> Iterator[Opened]:
        for place in self._places:
            if place.path.exists():
                yield place, None

    def _status(self, state: State) -> Status:
        return Status(state, 0, self._rows, 0, self._hub.told(self._rows))


def _is_its_own(place: Location, run: Run) -> bool:
    """Where runs were read is told by the caller, who has looked that both are not one place."""
    return False


def same(sources: tuple[Location, ...], place: Location) -> bool:
    """Whether a destination is one of the places that are followed."""
    return any(ledger_key(source) == ledger_key(place) for source in sources)

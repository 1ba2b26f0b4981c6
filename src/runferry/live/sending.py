"""One destination: brings it what the archive has, again and again, at its own pace.

Whatever befalls it, a dead port, a server that hangs or answers with errors, delays it alone.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from runferry.errors import AuthFailed, BadLocation, BadSetting, MissingExtra, RunferryError
from runferry.live.captured import Captured
from runferry.live.status import DestinationStatus, name_of
from runferry.losses import Fate, beyond
from runferry.model import Run, Uid
from runferry.ports import Location
from runferry.registry import ARCHIVE, awaited, conclude, growing_writer, takes_growth
from runferry.transfer.patience import Patience
from runferry.transfer.progress import StopToken
from runferry.transfer.push import push
from runferry.transfer.selection import Selection
from runferry.writer_ports import Awaited

if TYPE_CHECKING:
    from runferry.archive.store import Archive
    from runferry.transfer.report import Report

_log = logging.getLogger(__name__)
_LEAST_PAUSE = 0.2
_SHARE = 4.0  # a destination rests so many times as long as the last delivery took
_LONGEST_PAUSE = 60.0
_LONGEST_ATTEMPT = 3600.0  # what takes longer may never end, and whoever waits for it neither
_ONE_REQUEST_SECONDS = 10.0
_FOR_GOOD = (AuthFailed, BadLocation, BadSetting, MissingExtra)
_NOT_THERE = ("failed", "interrupted")
_WHOLE = ("new", "replaced")  # sent in full
_LOOK_SECONDS = 0.5  # between two looks at whether somebody else is through


class IntoArchive(Protocol):
    """Brings all that was captured into an archive, without a copy in between."""

    def __call__(self, place: Location, stop: StopToken, *, is_ending: bool) -> Report:
        """At the end nothing more comes."""
        ...


class Sending:
    """Delivers to one destination in a thread of its own."""

    def __init__(
        self,
        place: Location,
        archive: Archive,
        excluded: Callable[[Location, Run], bool],
        into_archive: IntoArchive,
    ) -> None:
        """Raises BadLocation, MissingExtra."""
        self.place = place
        self._archive = archive
        self._excluded = excluded
        self._into_archive = into_archive
        self.pulls = place.tracker == ARCHIVE
        """Whether it takes all from where it was captured, and not from the session's archive."""
        self._only_whole = not takes_growth(place)
        self._stop = StopToken()
        self._wake = threading.Event()
        # records that the archive has, whether no more come, and how often it got some
        self._there = (Captured(), False, 0)
        self._delivered = (Captured(), False, 0)  # what of that was last delivered
        self._is_refused = False  # by the last attempt, in a way that somebody has to mend
        self._losses: dict[Uid, Counter[str]] = {}
        self.status = DestinationStatus(name_of(place))
        self._awaited: Awaited | None = None
        self._began: float | None = None  # the attempt that it is at
        self._thread = threading.Thread(target=self._go, name=str(place), daemon=True)

    def start(self) -> None:
        """Begin to deliver."""
        self._thread.start()

    def there_is(self, captured: Captured, *, is_ending: bool, is_more: bool = False) -> None:
        """The archive has so many records by now; at the end nothing more comes.

        With `is_more` it has got some, though they may be no more in number: what could not be
        pulled at the end, and then could.
        """
        there = captured, is_ending, self._there[2] + is_more
        if self._there != there:
            self._there = there
            self._wake.set()

    @property
    def is_done(self) -> bool:
        """Whether everything is there, and no more comes."""
        there = self._there
        return self._delivered == there and there[1] and self.status.failing is None

    @property
    def _is_under_way(self) -> bool:
        """Whether all that there will be is being brought, and no attempt has failed yet."""
        is_over = self.is_done or self.status.failing is not None or self._awaited is not None
        return self._there[1] and not is_over

    @property
    def is_at_work(self) -> bool:
        """Whether that is on its way, and does not hang."""
        return self._is_under_way and self.hanging is None

    @property
    def hanging(self) -> str | None:
        """What is told of an attempt that may never end."""
        began = self._began
        took = 0.0 if began is None else time.monotonic() - began
        if took < _LONGEST_ATTEMPT or not self._is_under_way:
            return None
        return f"has not answered or ended for {_LONGEST_ATTEMPT / 60:.0f} minutes"

    @property
    def is_waiting(self) -> bool:
        """Whether it waits for somebody else, who lives."""
        return self._awaited is not None and self._awaited.is_coming

    def stop(self) -> None:
        """End at the next safe point."""
        self._stop.set()
        self._wake.set()

    def join(self, seconds: float | None) -> None:
        """Wait until it has ended."""
        self._thread.join(seconds)

    def _go(self) -> None:
        while not self._stop.is_set:
            there, status = self._there, self.status
            if there == self._delivered and not status.failing:
                self._wake.wait(1.0)
                self._wake.clear()
                continue
            if self._awaits():
                self._stop.wait(_LOOK_SECONDS)
                continue
            self._began = began = time.monotonic()
            captured, is_ending, _ = there
            failing, excluded, delivered = self._attempt(captured, is_ending)
            took, self._began = time.monotonic() - began, None
            attempts = status.attempts + 1 if failing else 0
            self.status = DestinationStatus(
                name_of(self.place),
                delivered,
                max(self._there[0].total - delivered, 0),
                excluded,
                failing,
                attempts,
                dict(sum(self._losses.values(), Counter())),
                is_refused=self._is_refused,
            )
            if not failing:
                self._delivered = there
            pause = max(_LEAST_PAUSE, took * _SHARE)
            if failing:
                pause = max(pause, min(0.5 * 2.0 ** min(attempts, 10), _LONGEST_PAUSE))
            elif self._there[1]:
                continue
            self._stop.wait(min(pause, _LONGEST_PAUSE))

    def _awaits(self) -> bool:
        """Whether somebody else is at work there still, which is told and is no failure."""
        try:
            self._awaited = awaited(self.place)
        except (RunferryError, OSError):
            self._awaited = None  # the attempt meets it, too, and tells it
        waiting = None if self._awaited is None else self._awaited.told
        if waiting != self.status.waiting:
            self.status = replace(self.status, waiting=waiting)
        return waiting is not None

    def _attempt(self, captured: Captured, is_ending: bool) -> tuple[str | None, int, int]:
        """One delivery: what it failed in, how many runs are not for this place, and how many
        records are there now, or are not for it.
        """
        others, before = self.status.excluded, self.status.delivered
        self._is_refused = False
        try:
            if self.pulls:
                found = self._into_archive(self.place, self._stop, is_ending=is_ending)
                failing = self._told(found)
                return failing, 0, captured.total if failing is None else before
            runs = self._runs(is_ending)
            others = len(runs.others)
            failing, there = self._sent(runs.wanted, is_ending)
            # of a run that nobody could send yet nothing is there
            is_all = is_ending or (not runs.waiting and bool(runs.wanted or runs.others))
            if failing is None and is_all:
                return None, others, captured.total
            return failing, others, max(before, captured.of([*there, *runs.others]))
        except RunferryError as error:
            self._is_refused = isinstance(error, _FOR_GOOD)
            return str(error), others, before
        except Exception as error:  # noqa: BLE001  this destination must not end the others
            _log.exception("%s", self.place)
            return f"{type(error).__name__}: {error}", others, before

    def _sent(self, wanted: list[Run], is_ending: bool) -> tuple[str | None, list[Run]]:
        """Send these: what that failed in, and those that are there."""
        if not wanted:
            return None, []
        report = push(
            self._archive,
            self.place,
            selection=Selection(uids=frozenset(run.uid for run in wanted)),
            patience=Patience(_ONE_REQUEST_SECONDS),
            stop=self._stop,
            open_writer=growing_writer(self.place, is_ending=is_ending),
        )
        failing = self._told(report)
        if is_ending and failing is None:
            conclude(self.place, [run for run in wanted if not run.complete])
        there = {one.uid for one in report.outcomes if one.status not in _NOT_THERE}
        return failing, [run for run in wanted if run.uid in there]

    def _told(self, report: Report) -> str | None:
        """Note what each run has lost so far; the first thing that went wrong."""
        for outcome in report.outcomes:
            found = Counter[str]()
            renamed = (loss for loss in outcome.losses if loss.fate is Fate.RENAMED)
            for loss in (*renamed, *beyond(outcome.losses, Fate.REENCODED)):
                found[loss.code] += loss.count  # in every place where it is met
            # one that sent all of a run has told all of it: what waited for its end may be there
            # now. Of several that sent parts it is the most that one of them told
            known = () if outcome.status in _WHOLE else self._losses.get(outcome.uid, ())
            self._losses[outcome.uid] = Counter(known) | found
        self._is_refused = isinstance(report.cause, _FOR_GOOD)
        return _failure(report)

    def _runs(self, is_ending: bool) -> _Runs:
        found = _Runs()
        for run in self._archive.headers():
            if self._excluded(self.place, run):
                found.others.append(run)
            elif run.complete or is_ending or not self._only_whole:
                found.wanted.append(run)
            else:
                found.waiting.append(run)
        return found


@dataclass(frozen=True, slots=True)
class _Runs:
    """Those of the archive: to send now, to send at their end, and not for this place."""

    wanted: list[Run] = field(default_factory=list)
    waiting: list[Run] = field(default_factory=list)
    others: list[Run] = field(default_factory=list)


def _failure(report: Report) -> str | None:
    """The first thing that went wrong."""
    if report.aborted is not None:
        return report.aborted
    if report.is_interrupted:
        return "interrupted"
    return next((outcome.error or "failed" for outcome in report.failures), None)

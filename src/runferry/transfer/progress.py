"""What a transfer says while it works, and how it is asked to stop."""

from __future__ import annotations

import _thread
import threading
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runferry.model import Run
    from runferry.transfer.report import RunOutcome

Phase = Literal["pull", "plan", "push", "verify", "upgrade"]


class Observer(Protocol):
    """Hears what happens. Calls come from several threads; they must be quick and never raise."""

    def phase(self, phase: Phase, runs: int | None) -> None:
        """A phase begins; `runs` is how many it will go through, None while nobody knows."""
        ...

    def began(self, phase: Phase, run: Run) -> None:
        """Work on a run begins."""
        ...

    def advanced(self, phase: Phase, run: Run, rows: int, size_bytes: int) -> None:
        """So many more rows, and bytes of blobs, of a run went through."""
        ...

    def ended(self, phase: Phase, outcome: RunOutcome) -> None:
        """Work on a run is over, one way or another."""
        ...

    def waiting(self, reason: str, seconds: float) -> None:
        """A service asked for a pause, or did not answer; we try again after it."""
        ...


@runtime_checkable
class ListingObserver(Observer, Protocol):
    """One that wants to know which runs a phase goes through, where they are known."""

    def listed(self, phase: Phase, runs: Iterable[Run]) -> None:
        """All runs of the phase that has just begun."""
        ...


@runtime_checkable
class CountingObserver(Observer, Protocol):
    """One that wants to know how many runs a phase goes through, as soon as somebody does."""

    def expected(self, phase: Phase, runs: int) -> None:
        """So many runs, of the phase that has begun."""
        ...


class Silent:
    """Hears everything and says nothing."""

    def phase(self, phase: Phase, runs: int | None) -> None:
        """Nothing."""

    def began(self, phase: Phase, run: Run) -> None:
        """Nothing."""

    def advanced(self, phase: Phase, run: Run, rows: int, size_bytes: int) -> None:
        """Nothing."""

    def ended(self, phase: Phase, outcome: RunOutcome) -> None:
        """Nothing."""

    def waiting(self, reason: str, seconds: float) -> None:
        """Nothing."""


class StopToken:
    """Set once, from a signal handler or another thread; work ends at its next safe point."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._is_set = False

    def set(self) -> None:
        """Ask for an end.

        A signal handler may have interrupted `wait` inside of the event's own lock, which nobody
        would ever let go of then: the event is set by a thread, and that is begun without locks.
        """
        self._is_set = True
        _thread.start_new_thread(self._event.set, ())

    @property
    def is_set(self) -> bool:
        """Whether an end was asked for."""
        return self._is_set

    def wait(self, seconds: float) -> bool:
        """Sleep, but not past a stop; true when one was asked for."""
        return self._is_set or self._event.wait(seconds)


class Interrupted(Exception):  # noqa: N818  carries no error: the user asked for it
    """Raised at a safe point after a stop was asked for; never leaves the transfer package."""

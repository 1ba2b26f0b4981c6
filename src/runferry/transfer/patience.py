"""Trying again where a service asks for a pause or does not answer: here, and nowhere else."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from runferry.errors import ServiceError, Throttled, Unreachable
from runferry.http.waits import Pause
from runferry.transfer.progress import Interrupted, Observer, Silent, StopToken

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Patience:
    """How long one request is tried for, and how the pauses grow."""

    seconds: float = 300.0  # in all, for one request
    first_pause: float = 0.5
    longest_pause: float = 60.0

    def pauses(self, attempt: int) -> float:
        """The pause after this many failed attempts, spread so that workers do not march."""
        capped = min(self.first_pause * 2.0**attempt, self.longest_pause)
        return capped * random.uniform(0.75, 1.25)


class Retrying:
    """Calls a service until it answers, the patience ends, or the user wants to stop."""

    def __init__(
        self,
        patience: Patience,
        stop: StopToken,
        observer: Observer | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._patience = patience
        self._stop = stop
        self._observer: Observer = Silent() if observer is None else observer
        self._clock = clock

    def call(
        self,
        request: Callable[[], Answer],
        *,
        already: Callable[[], Answer | None] | None = None,
    ) -> Answer:
        """What `request` returns.

        `already` is asked before each further attempt whether the failed one took effect after
        all; an answer that is not None is then the result. It is for requests that must not be
        repeated. Raises the last Throttled or Unreachable when patience ends.
        """
        deadline = self._clock() + self._patience.seconds
        attempt = 0
        while True:
            try:
                if attempt and already is not None:
                    effect = already()
                    if effect is not None:
                        return effect
                return request()
            except (Throttled, Unreachable) as error:
                if isinstance(error, Unreachable) and not error.has_answered:
                    raise  # it was tried for as long as a wrong address deserves
                self._pause(error, attempt, deadline)
                attempt += 1

    def _pause(self, error: ServiceError, attempt: int, deadline: float) -> None:
        seconds = self._patience.pauses(attempt)
        if isinstance(error, Throttled):
            seconds = max(seconds, error.after)
        if self._clock() + seconds > deadline:
            raise error
        try:
            pause_by(self._stop, self._observer)(seconds, error.what)
        except Interrupted as interrupted:
            raise interrupted from error


def pause_by(stop: StopToken, observer: Observer) -> Pause:
    """Waits that the user sees and can end: for the clients of services, which retry by themselves.

    Their patience runs within ours, so that a request is tried for as long as one of them says.
    """

    def pause(seconds: float, reason: str) -> None:
        if reason:
            observer.waiting(reason, seconds)
        if stop.wait(seconds):
            raise Interrupted

    return pause

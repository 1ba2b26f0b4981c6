"""How fast a server may be asked, by what its answers say; one pace for all who ask it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from runferry.http.waits import wait

_IN_FLIGHT: Final = 4  # requests that others may have sent while an answer is on its way
_LONGEST_WAIT: Final = 600.0  # seconds; a window that ends later is asked about again
_SMOOTHING: Final = 0.7


class Pace(Protocol):
    """Asked before each attempt of a request, and told of each answer. Shared by threads."""

    def ready(self) -> None:
        """Returns when the next request may be sent."""
        ...

    def heard(self, status: int, headers: Mapping[str, str], pause: float | None) -> None:
        """An answer came; `pause` is how long its `Retry-After` asks to wait, in seconds."""
        ...


class RateLimits:
    """Spends freely what a window allows, then waits for the next one, together with all others.

    `RateLimit-Remaining` counts units of the server's own (draft-polli-ratelimit-headers-02), so
    what a request costs is estimated from answer to answer. `RateLimit-Reset` is in seconds. When
    one request is told to come back later, nobody sends another before that.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._until = 0.0
        self._remaining: float | None = None
        self._cost = 1.0  # units that a request takes

    def ready(self) -> None:
        """See `Pace`."""
        while True:
            with self._lock:
                seconds = self._until - self._clock()
            if seconds <= 0:
                return
            wait(seconds, "the server's rate limit")

    def heard(self, status: int, headers: Mapping[str, str], pause: float | None) -> None:
        """See `Pace`."""
        remaining = _number(headers.get("ratelimit-remaining"))
        reset = _number(headers.get("ratelimit-reset"))
        with self._lock:
            if status == 429:
                self._hold(pause if pause is not None else (reset or 0.0))
            if remaining is None or reset is None:
                return
            if self._remaining is not None and remaining < self._remaining:
                spent = self._remaining - remaining
                self._cost = _SMOOTHING * self._cost + (1 - _SMOOTHING) * max(spent, 1.0)
            self._remaining = remaining
            if remaining < _IN_FLIGHT * self._cost:
                self._hold(reset)

    def _hold(self, seconds: float) -> None:
        self._until = max(self._until, self._clock() + min(seconds, _LONGEST_WAIT))


def _number(text: str | None) -> float | None:
    """A number that is not negative; None for anything else."""
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if 0 <= value < float("inf") else None

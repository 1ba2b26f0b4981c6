"""The user's own cap on how fast a server is asked: one for all workers of this process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from runferry.http import waits


class RateCap:
    """Hands out moments, evenly spaced, at which one more request may be sent to a server.

    So no second has more requests than the rate says, whoever sends them, also not the first.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._next: dict[str, float] = {}

    def wait(self, server: str, rate: float) -> None:
        """Returns when the next request may be sent to this server, of so many a second."""
        with self._lock:
            now = self._clock()
            moment = max(now, self._next.get(server, now))
            self._next[server] = moment + 1 / rate
        if moment > now:
            waits.wait(moment - now, "")  # asked for by the user, so there is nothing to tell


PROCESS = RateCap()
"""What all clients of this process go by."""

"""A line to a server that is not there: round trips and bandwidth, slept through."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field


@dataclass
class Line:
    """Each request waits for one round trip; the bytes of all requests share the line, each way.

    What it leaves out makes it a good line: connections that are opened, TLS, packets that are
    lost, the server's own time.
    """

    latency_seconds: float = 0.0
    down_bytes_per_second: float = float("inf")
    up_bytes_per_second: float = float("inf")
    requests: int = 0
    down_bytes: int = 0
    up_bytes: int = 0
    _free_at: dict[str, float] = field(default_factory=lambda: {"down": 0.0, "up": 0.0})
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def request(self, *, up: int = 0, down: int = 0, count: int = 1) -> None:
        """Wait for as long as so many requests take, one after the other."""
        with self._lock:
            self.requests += count
            self.up_bytes += up
            self.down_bytes += down
            now = time.monotonic()
            end = max(
                self._passed("up", up / self.up_bytes_per_second, now),
                self._passed("down", down / self.down_bytes_per_second, now),
            )
        time.sleep(max(end - now, 0.0) + count * self.latency_seconds)

    def _passed(self, way: str, seconds: float, now: float) -> float:
        """When the line has carried this too, behind all that came before."""
        if not seconds:
            return now
        self._free_at[way] = max(self._free_at[way], now) + seconds
        return self._free_at[way]

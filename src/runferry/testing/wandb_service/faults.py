"""What goes wrong with the service, switched on by a test or a flag, and what was asked of it.

Each request has a *place*: `graphql:OPERATION`, `filestream`, `files` (the redirect of a file's
URL), `storage:GET`, `storage:HEAD`, `storage:PUT`. Troubles name places by shell patterns.
"""

from __future__ import annotations

import math
import threading
import time
from array import array
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from fnmatch import fnmatchcase
from typing import Literal

TroubleKind = Literal["status", "cut", "reset", "delay", "call"]


@dataclass
class Trouble:
    """Something that happens at a place, `times` times after `skip` requests went well.

    status: answered with `status` (and `retry_after` seconds). cut: half of the body, then the
    connection ends. reset: no answer. delay: `seconds` more. call: `do()` is called first, and the
    request then goes on; so a run is deleted, or grows, while it is read.
    """

    kind: TroubleKind
    where: str = "*"
    times: int = 1
    skip: int = 0
    status: int = 500
    retry_after: float | None = None
    seconds: float = 0.0
    do: Callable[[], object] = lambda: None


@dataclass(frozen=True)
class RateLimit:
    """So many requests in each window of so many seconds, as the service limits GraphQL."""

    requests: int
    seconds: float


@dataclass
class Faults:
    """All that can be switched on; as it stands, nothing is wrong."""

    latency_seconds: float = 0.0
    bytes_per_second: float | None = None
    """How fast all bodies together come and go; None: as fast as they can."""
    rate_limit: RateLimit | None = None
    stale_exports: bool = False
    """The live rest is missing, though keys and line counts speak of it."""
    overlapping_pages: bool = False
    """Pages of history by steps also hold the rows that are exported; whether the real service
    does so is not known, and a reader has to get each row once either way."""
    shuffled_urls: bool = False
    """URLs of exports come in another order each time."""
    url_seconds: float = 86_400.0
    """How long a signed URL is good."""
    url_uses: int | None = None
    """How often a signed URL is good; None: as often as you like."""
    troubles: list[Trouble] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._line_free_at = 0.0
        self._window_start = 0.0
        self._window_count = 0

    def add(self, trouble: Trouble) -> None:
        """One more trouble; those added first come first."""
        with self._lock:
            self.troubles.append(trouble)

    def clear(self) -> None:
        """Nothing is wrong any more."""
        fresh = Faults()
        for each in fields(self):
            setattr(self, each.name, getattr(fresh, each.name))

    def trouble_at(self, place: str) -> Trouble | None:
        """What befalls this request, if anything; counts it."""
        with self._lock:
            for trouble in self.troubles:
                if trouble.times <= 0 or not fnmatchcase(place, trouble.where):
                    continue
                if trouble.skip > 0:
                    trouble.skip -= 1
                    continue
                trouble.times -= 1
                return trouble
        return None

    def pass_bytes(self, size: int) -> None:
        """Wait for as long as so many bytes take on the one line there is."""
        speed = self.bytes_per_second
        if speed is None:
            return
        with self._lock:
            now = time.monotonic()
            self._line_free_at = max(self._line_free_at, now) + size / speed
            wait = self._line_free_at - now
        time.sleep(wait)

    def take_from_limit(self) -> tuple[bool, dict[str, str]]:
        """Whether one more request is within the limit, and the headers that tell of it."""
        limit = self.rate_limit
        if limit is None:
            return True, {}
        with self._lock:
            now = time.monotonic()
            if now - self._window_start >= limit.seconds:
                self._window_start, self._window_count = now, 0
            reset = self._window_start + limit.seconds - now
            self._window_count += 1
            left = limit.requests - self._window_count
        headers = {
            "RateLimit-Limit": str(limit.requests),
            "RateLimit-Remaining": str(max(left, 0)),
            "RateLimit-Reset": f"{reset:.3f}",
        }
        if left < 0:
            headers["Retry-After"] = str(math.ceil(max(reset, 0.001)))  # whole seconds: RFC 9110
        return left >= 0, headers


class Requests:
    """Counts what was asked, by place, and what was answered, by status.

    `moments` are the seconds of a monotonic clock at which requests came, in order.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.by_place: Counter[str] = Counter()
        self.by_status: Counter[int] = Counter()
        self.moments = array("d")
        self.bytes_in = 0
        self.bytes_out = 0

    @property
    def total(self) -> int:
        """All requests."""
        return sum(self.by_place.values())

    def at(self, pattern: str) -> int:
        """Requests at places that fit a shell pattern."""
        with self._lock:
            return sum(n for place, n in self.by_place.items() if fnmatchcase(place, pattern))

    def clear(self) -> None:
        """Count from nothing."""
        with self._lock:
            self.by_place.clear()
            self.by_status.clear()
            self.moments = array("d")
            self.bytes_in = self.bytes_out = 0

    def came(self, place: str, size: int) -> None:
        """A request came."""
        with self._lock:
            self.by_place[place] += 1
            self.moments.append(time.monotonic())
            self.bytes_in += size

    def went(self, status: int, size: int) -> None:
        """An answer went."""
        with self._lock:
            self.by_status[status] += 1
            self.bytes_out += size

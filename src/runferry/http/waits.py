"""How a thread waits between attempts: asleep, unless whoever runs it wants to hear and to stop."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Pause = Callable[[float, str], None]
"""Waits so many seconds for this reason; may raise to end the wait, and the request with it.

Without a reason (an empty one) there is nothing to tell: somebody is at work, and is looked at.
"""

_pause: ContextVar[Pause | None] = ContextVar("pause", default=None)


@contextmanager
def waiting_by(pause: Pause) -> Iterator[None]:
    """Every client used in this thread waits like that, until the block ends."""
    token = _pause.set(pause)
    try:
        yield
    finally:
        _pause.reset(token)


def wait(seconds: float, reason: str) -> None:
    """Wait as this thread should."""
    pause = _pause.get()
    if pause is None:
        time.sleep(seconds)
    else:
        pause(seconds, reason)

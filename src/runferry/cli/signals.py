"""The first Ctrl-C or SIGTERM asks for an end at the next safe point, the second ends at once."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from runferry.errors import ExitCode

_SHOW_CURSOR = "\x1b[?25h"


@contextmanager
def stopping(ask: Callable[[], None]) -> Iterator[None]:
    """For as long as this lasts, the first signal calls `ask`."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set handlers; an embedding program has its own
        return
    asked = False

    def hear(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            end_at_once()
        asked = True
        _say("\nstopping at the next safe point; once more ends at once\n")
        ask()

    former = {name: signal.signal(name, hear) for name in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for name, handler in former.items():
            signal.signal(name, handler)


def end_at_once() -> None:
    """Without waiting for threads: what is half done was never visible, and is done again."""
    if sys.stderr.isatty():
        _say(_SHOW_CURSOR)
    os._exit(ExitCode.INTERRUPTED)


def _say(text: str) -> None:
    """Straight to the descriptor: a handler may have interrupted a print."""
    os.write(2, text.encode())

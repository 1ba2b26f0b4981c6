"""What Neptune's server refuses of what the client sends: the client only logs it, in a thread that
each run has of its own."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from runferry.dialects.neptune.client import RemoteRun

_SAID: Final = "Error occurred during asynchronous operation processing: "
_LOGGER: Final = logging.getLogger("neptune")


class _Heard(logging.Filter):
    """Hears what one thread says of refused values, and lets everything pass."""

    def __init__(self, thread: int) -> None:
        super().__init__()
        self._thread = thread
        self.refused: list[str] = []

    def filter(self, record: logging.LogRecord) -> bool:
        if record.thread == self._thread and (said := record.getMessage()).startswith(_SAID):
            self.refused.append(said.removeprefix(_SAID))
        return True


@contextmanager
def refusals(remote: RemoteRun) -> Iterator[list[str]]:
    """Reasons, one for each operation that was refused, as long as this lasts.

    Without a thread, as in mode `sync`, the client raises them.
    """
    processor = getattr(remote, "_op_processor", None)  # nothing public tells
    thread = getattr(getattr(processor, "_consumer", None), "ident", None)
    if thread is None:
        yield []
        return
    heard = _Heard(thread)
    _LOGGER.addFilter(heard)
    try:
        yield heard.refused
    finally:
        _LOGGER.removeFilter(heard)

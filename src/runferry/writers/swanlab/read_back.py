"""Whether what was uploaded has arrived: the vendor's own `swanlab api run` is asked.

The server takes rows before it shows them, so what is short is looked at again for a while. A last
step that is missing fails the run: the next upload begins behind the last one that is there. What
differs before that is a warning, since no upload mends it, and how a server reckons is its own
affair. Lines of the console are not looked at.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, Protocol

from runferry.errors import Declined
from runferry.http.waits import wait
from runferry.writers.swanlab.sent_media import SentMedia
from runferry.writers.swanlab.sent_scalars import SentScalars

_log = logging.getLogger(__name__)
SECONDS_TO_ARRIVE: Final = 60.0
SECONDS_TO_SUM_UP: Final = 10.0
_SECONDS_BETWEEN: Final = 2.0
_KEYS_NAMED: Final = 5


class Sent(Protocol):
    """What a log has of one kind, and what a server says of it."""

    differs: str
    """What is said of keys that are there to their end, and not as they were sent."""

    def __len__(self) -> int:
        """How many keys the server is asked for."""

    def look(self, run: str, folder: Path) -> tuple[list[str], list[str]] | None:
        """The keys of which the last step is not there, and those that differ before.

        None where the server cannot be asked, which is said.
        """


def confirm(log: Path, run: str) -> None:
    """Return when the last step of every key of a log is there; `run` is WORKSPACE/PROJECT/ID.

    Where the command cannot tell, which is said, nothing is known. Raises Declined.
    """
    for sent in _sent(log):
        if len(sent):
            _confirm(sent, run, log.parent.parent)


def _sent(log: Path) -> Iterator[Sent]:
    yield SentScalars.of(log)
    yield SentMedia.of(log)


def _confirm(sent: Sent, run: str, folder: Path) -> None:
    began = time.monotonic()
    while (found := sent.look(run, folder)) is not None:
        short, other = found
        waited = time.monotonic() - began
        if not short and (not other or waited > SECONDS_TO_SUM_UP):
            if other:
                told = f"of {len(other):,} of {len(sent):,} keys {sent.differs}: {_named(other)}"
                _log.warning("%s: %s", run, told)
            return
        if short and waited > SECONDS_TO_ARRIVE:
            raise Declined(
                f"swanlab sync told of no failure, but of {len(short):,} of {len(sent):,} keys "
                f"the last steps have not arrived: {_named(short)}",
                where=run,
                hint="run the command again: it goes on behind the last step that is there",
            )
        wait(_SECONDS_BETWEEN, "")


def _named(keys: Sequence[str]) -> str:
    return ", ".join(keys[:_KEYS_NAMED]) + (" …" if len(keys) > _KEYS_NAMED else "")

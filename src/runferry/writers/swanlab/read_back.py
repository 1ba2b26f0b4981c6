"""Whether what was uploaded has arrived: the vendor's own `swanlab api run` is asked.

The server takes rows before it shows them, so what is short is looked at again for a while. A last
step that is missing fails the run: the next upload begins behind the last one that is there. What
is missing before that no upload mends: it is a loss. Where no row is missing and the sums differ
all the same it is a warning, since how a server reckons is its own affair. Lines of the console are
not looked at.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol

from runferry.errors import Declined
from runferry.http.waits import wait
from runferry.losses import Fate, Loss
from runferry.writers.swanlab.sent_media import SentMedia
from runferry.writers.swanlab.sent_scalars import SentScalars

_log = logging.getLogger(__name__)
SECONDS_TO_ARRIVE: Final = 60.0
SECONDS_TO_SUM_UP: Final = 10.0
_SECONDS_BETWEEN: Final = 2.0
_KEYS_NAMED: Final = 5
_LEFT_OUT: Final = "swanlab sync sends nothing before the last step that the server has of a key"


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

    def missing(self, run: str, folder: Path, keys: Sequence[str]) -> Mapping[str, int]:
        """How much of these keys is not there, by key; 0 where all is, and no key of which the
        server cannot tell, which is said."""


def confirm(log: Path, run: str) -> tuple[Loss, ...]:
    """What is not there before the last step of each key of a log, once that step of every key is;
    `run` is WORKSPACE/PROJECT/ID.

    Where the command cannot tell, which is said, nothing is known. Raises Declined.
    """
    found: list[Loss] = []
    for sent in _sent(log):
        if len(sent):
            found += _left_out(sent, run, log.parent.parent, _differing(sent, run, log))
    return tuple(found)


def _sent(log: Path) -> Iterator[Sent]:
    yield SentScalars.of(log)
    yield SentMedia.of(log)


def _differing(sent: Sent, run: str, log: Path) -> list[str]:
    """The keys that are there to their end, and not as they were sent. Raises Declined."""
    began = time.monotonic()
    while (found := sent.look(run, log.parent.parent)) is not None:
        short, other = found
        waited = time.monotonic() - began
        if not short and (not other or waited > SECONDS_TO_SUM_UP):
            return other
        if short and waited > SECONDS_TO_ARRIVE:
            raise Declined(
                f"swanlab sync told of no failure, but of {len(short):,} of {len(sent):,} keys "
                f"the last steps have not arrived: {_named(short)}",
                where=run,
                hint="run the command again: it goes on behind the last step that is there",
            )
        wait(_SECONDS_BETWEEN, "")
    return []


def _left_out(sent: Sent, run: str, folder: Path, keys: Sequence[str]) -> Iterator[Loss]:
    """What is not there of keys that differ; a warning for those of which all is, or nobody knows.

    A row that fell back is sorted behind a later one that an earlier upload brought, and
    `swanlab sync` sends only what is behind the last one.
    """
    missing = sent.missing(run, folder, keys) if keys else {}
    for key, count in missing.items():
        if count:
            yield Loss("not-arrived", Fate.DROPPED, key, count, _LEFT_OUT)
    if other := [key for key in keys if not missing.get(key)]:
        told = f"of {len(other):,} of {len(sent):,} keys {sent.differs}: {_named(other)}"
        _log.warning("%s: %s", run, told)


def _named(keys: Sequence[str]) -> str:
    return ", ".join(keys[:_KEYS_NAMED]) + (" …" if len(keys) > _KEYS_NAMED else "")

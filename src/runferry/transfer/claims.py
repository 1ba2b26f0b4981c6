"""Who is sending a run: a few words that are kept with it there, so that two pushes do not mix.

They say which archive sends it and when it last said so. Another archive's push is left alone until
it has been silent for long; what this archive left behind is its own to go on with.
"""

from __future__ import annotations

import hashlib
import platform
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from runferry.archive.lock import FileLock
from runferry.errors import Conflict, RunMissing, ServiceError, TargetError
from runferry.model import Uid
from runferry.ports import Progress, RemoteId, Writer
from runferry.transfer.patience import Retrying
from runferry.transfer.progress import Interrupted, StopToken

if TYPE_CHECKING:
    from runferry.archive.store import Archive

_LOCKED_PATIENCE = (0.05, 0.2, 0.5, 1.0, 2.0, 4.0, 8.0)

BEAT_SECONDS = 15.0
SILENT_SECONDS = 300.0


def sender_of(archive: Path) -> str:
    """Tells one archive from another, without telling where it is."""
    place = f"{platform.node()}\0{archive.resolve()}"
    return hashlib.blake2b(place.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


@contextmanager
def delivery_lock(archive: Archive, uid: Uid, destination: str, stop: StopToken) -> Iterator[None]:
    """One push at a time sends a run from this archive to one place. Raises Locked, Interrupted."""
    name = hashlib.blake2b(f"{uid} {destination}".encode(), digest_size=16).hexdigest()
    lock = FileLock(archive.path / "locks" / f"push-{name}.lock")
    for pause in _LOCKED_PATIENCE:
        if lock.try_acquire():
            break
        if stop.wait(pause):
            raise Interrupted
    else:
        lock.acquire(what="this run to the same place")
    try:
        yield
    finally:
        lock.release()


class Claim:
    """One run's claim, taken before the first chunk and renewed while chunks are sent."""

    def __init__(
        self,
        writer: Writer,
        retrying: Retrying,
        sender: str,
        *,
        takes_over: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._writer = writer
        self._retrying = retrying
        self._sender = sender
        self._takes_over = takes_over
        self._clock = clock
        self._said = 0.0

    def is_ours(self, stored: Progress | None) -> bool:
        """Whether nobody else has claimed the run since."""
        return stored is None or stored.claim is None or _parsed(stored.claim)[0] == self._sender

    def check(self, stored: Progress | None, remote: RemoteId) -> None:
        """Raises Conflict while another push is at it."""
        if stored is None or stored.claim is None or self._takes_over or self.is_ours(stored):
            return
        if abs(self._clock() - _parsed(stored.claim)[1]) < SILENT_SECONDS:
            raise Conflict(
                "another push is sending this run",
                where=remote,
                hint="wait until it has ended; if it was killed, --restart takes over at once, "
                f"and any push after {SILENT_SECONDS / 60:.0f} minutes",
            )

    def take(self, remote: RemoteId) -> None:
        """Say that we are at it. Raises Conflict when another says so at the same moment."""
        self._say(remote, self._clock())
        self._expect(remote)

    def beat(self, remote: RemoteId) -> None:
        """Say so again, now and then. Raises Conflict when another took over."""
        if self._clock() - self._said > BEAT_SECONDS:
            self._expect(remote)
            self._say(remote, self._clock())

    def release(self, remote: RemoteId) -> None:
        """Leave what is half sent to whoever comes next; nobody waits for it."""
        try:
            if self.is_ours(self._writer.stored(remote)):
                self._writer.claim(remote, f"{self._sender} 0")
        except (RunMissing, TargetError, ServiceError):
            pass  # it falls silent by itself, and the error that ended the sending is to be told

    def _say(self, remote: RemoteId, now: float) -> None:
        self._retrying.call(lambda: self._writer.claim(remote, f"{self._sender} {now:.0f}"))
        self._said = now

    def _expect(self, remote: RemoteId) -> None:
        if not self.is_ours(self._retrying.call(lambda: self._writer.stored(remote))):
            raise Conflict(
                "another push has begun to send this run",
                where=remote,
                hint="let it end, then push again",
            )


def _parsed(words: str) -> tuple[str, float]:
    sender, _, when = words.partition(" ")
    return sender, float(when) if when.isdecimal() else 0.0

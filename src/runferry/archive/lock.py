"""Locks between processes and threads that die with whoever holds them."""

from __future__ import annotations

import errno
import os
import sys
import time
from pathlib import Path
from typing import BinaryIO

from runferry.archive.durable import disk_errors
from runferry.errors import ArchiveError, Locked
from runferry.http import waits

if sys.platform == "win32":
    import msvcrt

    def _lock(stream: BinaryIO) -> None:
        msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _lock(stream: BinaryIO) -> None:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)


_SILENT_SECONDS = 1.0
_HELD = {errno.EAGAIN, errno.EACCES, errno.EDEADLK}  # as the systems say it


def _try_lock(stream: BinaryIO, where: Path) -> bool:
    try:
        _lock(stream)
    except OSError as error:
        if error.errno in _HELD or isinstance(error, BlockingIOError):
            return False
        raise ArchiveError(
            f"this disk has no locks ({error.strerror or error})",
            where=str(where),
            hint="choose a folder on a local disk with --archive PATH, or mount it with locks",
        ) from error
    return True


class FileLock:
    """An exclusive lock named by a file; the system frees it when its process dies.

    The file is removed on release, so that no lock file is left for each run. Whoever got the lock
    of a file that was removed meanwhile tries again.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stream: BinaryIO | None = None

    def acquire(self, *, wait: float = 0.0, what: str = "") -> None:
        """Take the lock; raises Locked when another still holds it after `wait` seconds."""
        began = time.monotonic()
        while not self._attempt():
            waited = time.monotonic() - began
            if waited >= wait:
                raise Locked(
                    f"another process is writing {what or self._path.name}",
                    where=str(self._path.parent.parent),
                    hint="wait until it has finished, then run the command again",
                )
            if waited < _SILENT_SECONDS:
                time.sleep(0.02)
            else:  # so long that the user is told, and may end it
                waits.wait(0.5, f"another process is writing {what or self._path.name}")

    def try_acquire(self) -> bool:
        """Take the lock if it is free."""
        return self._attempt()

    def _attempt(self) -> bool:
        while True:
            stream = self._open()
            try:
                if not _try_lock(stream, self._path):
                    return False
                if self._is_current(stream):
                    self._stream = stream
                    return True
            finally:
                if self._stream is not stream:
                    stream.close()

    def _open(self) -> BinaryIO:
        with disk_errors(self._path.parent.parent):
            self._path.parent.mkdir(exist_ok=True)
            return self._path.open("ab")

    def _is_current(self, stream: BinaryIO) -> bool:
        try:
            named = self._path.stat()
        except FileNotFoundError:
            return False
        held = os.fstat(stream.fileno())
        return (named.st_ino, named.st_dev) == (held.st_ino, held.st_dev)

    def release(self) -> None:
        """Free the lock; harmless when it is not held."""
        if self._stream is None:
            return
        if os.name != "nt":  # an open file cannot be removed there: the empty file stays
            self._path.unlink(missing_ok=True)
        self._stream.close()
        self._stream = None

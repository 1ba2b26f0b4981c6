"""One upload of a run at a time, whichever process began it.

A vendor's command that uploads goes on where the process that began it was killed. It holds the
same lock then, so whoever goes on with the run waits until that upload has ended, and sees all
that it sent. The lock of a run on the disk lies beside it, for other users and machines that have
that disk, too; any other is its user's. Windows has no such locks: there nobody waits.
"""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from runferry import settings
from runferry.errors import Declined
from runferry.http.waits import wait
from runferry.writers.disk import disk_errors

_log = logging.getLogger(__name__)
_SECONDS_BETWEEN_LOOKS: Final = 0.2
_NO_LOCKS: Final = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}
LOCK: Final = "lock"
"""Beside a run on the disk. It stays: on a network's disk a file that is removed is not gone."""


@contextmanager
def one_upload(
    tracker: str, where: str, *, beside: Path | None = None
) -> Iterator[tuple[int, ...]]:
    """Hold the lock of the run at `where`; what is given is for `VendorCommand.keeps`.

    `beside` is a folder for the lock, on whose disk the run is, too. Raises Declined where another
    upload of it does not end for as long as `patience` says, Refused and NoSpace where there is no
    place for the lock.
    """
    if sys.platform == "win32":
        yield ()
        return
    is_beside = beside is not None and _has_locks(beside)
    path = beside / LOCK if beside is not None and is_beside else _path(tracker, where)
    held = _taken(path, where)
    try:
        yield (held,)
    finally:
        if not is_beside:
            with suppress(FileNotFoundError):
                path.unlink()  # while it is held: whoever waits for this file looks for a new one
        os.close(held)


def _has_locks(folder: Path) -> bool:
    """Whether the disk of a folder, which is made, has locks; one without is told."""
    import fcntl

    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        tried = _opened(folder / LOCK)
        try:
            fcntl.flock(tried, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            pass  # somebody has it
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
            _log.warning("%s: this disk has no locks, so add to a run here alone", folder)
            return False
        finally:
            os.close(tried)
    return True


def _opened(path: Path) -> int:
    """To read and to write: NFS gives a shared lock for the one and an exclusive for the other."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)


def _path(tracker: str, where: str) -> Path:
    import platformdirs

    named = hashlib.sha256(where.encode()).hexdigest()[:24]
    folder = platformdirs.user_cache_path("runferry", appauthor=False) / "uploads"
    return folder / f"{tracker}-{named}"


def _taken(path: Path, where: str) -> int:
    patience, began = settings.current().patience, time.monotonic()
    with disk_errors(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    while (held := _tried(path)) is None:
        if time.monotonic() - began > patience:
            raise Declined(
                "another upload of this run is still at work",
                where=where,
                hint="wait for it to end, or end that process",
            )
        wait(_SECONDS_BETWEEN_LOOKS, "")
    return held


def _tried(path: Path) -> int | None:
    """The open file that is locked; None where another process has it."""
    import fcntl

    with disk_errors(path.parent):
        held = _opened(path)
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(held).st_ino == path.stat().st_ino:
                return held
        except (BlockingIOError, FileNotFoundError):
            pass  # it is held, or was removed by who had it
        except OSError:
            os.close(held)
            raise
        os.close(held)
    return None

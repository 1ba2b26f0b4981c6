"""Where runs lie before they are uploaded: a temporary folder that goes with its process.

What a killed process left is removed by the next one; on Windows, which has no such locks, it
stays.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

_LOCK: Final = "lock"
_SECONDS_TO_LOCK: Final = 60.0
"""How old a folder without a lock is before it is taken for one whose maker was killed."""


@dataclass
class WorkFolder:
    """A folder of this process. The lock in it is held as long as the process lives."""

    path: Path
    lock: int

    @classmethod
    def made(cls, tracker: str) -> Self:
        """A new one; those of processes that were killed are removed."""
        prefix = f"runferry-{tracker}-"
        _remove_abandoned(Path(tempfile.gettempdir()), prefix)
        path = Path(tempfile.mkdtemp(prefix=prefix))
        lock = os.open(path / _LOCK, os.O_CREAT | os.O_RDWR, 0o600)
        _try_lock(lock)
        return cls(path, lock)

    def remove(self) -> None:
        """Remove it with all that is in it; harmless when repeated."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self.lock >= 0:
            os.close(self.lock)
            self.lock = -1


def _remove_abandoned(parent: Path, prefix: str) -> None:
    for folder in parent.glob(f"{prefix}*"):
        with suppress(OSError):  # it is somebody else's, or gone
            if _is_abandoned(folder):
                shutil.rmtree(folder, ignore_errors=True)


def _is_abandoned(folder: Path) -> bool:
    try:
        lock = os.open(folder / _LOCK, os.O_RDWR)
    except FileNotFoundError:
        return time.time() - folder.stat().st_mtime > _SECONDS_TO_LOCK
    try:
        return _try_lock(lock)
    finally:
        os.close(lock)


if sys.platform == "win32":

    def _try_lock(lock: int) -> bool:
        return False
else:
    import fcntl

    def _try_lock(lock: int) -> bool:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

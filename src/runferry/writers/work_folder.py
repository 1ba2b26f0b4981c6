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
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

_LOCK: Final = "lock"
_SECONDS_TO_LOCK: Final = 60.0
"""How old a folder that has not got its name yet is before its maker is taken for killed."""


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
        return cls(*_made_and_locked(prefix))

    def remove(self) -> None:
        """Remove it with all that is in it; harmless when repeated."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self.lock >= 0:
            os.close(self.lock)
            self.lock = -1


def _remove_abandoned(parent: Path, prefix: str) -> None:
    for folder in parent.glob(f"{prefix}*"):
        _remove_if(_is_unlocked, folder)
    for folder in parent.glob(f".{prefix}*"):
        _remove_if(_is_old, folder)


def _remove_if(is_abandoned: Callable[[Path], bool], folder: Path) -> None:
    with suppress(OSError):  # it is somebody else's, or gone
        if is_abandoned(folder):
            shutil.rmtree(folder, ignore_errors=True)


def _is_old(folder: Path) -> bool:
    return time.time() - folder.stat().st_mtime > _SECONDS_TO_LOCK


def _is_unlocked(folder: Path) -> bool:
    lock = os.open(folder / _LOCK, os.O_RDWR)
    try:
        return _try_lock(lock)
    finally:
        os.close(lock)


if sys.platform == "win32":

    def _made_and_locked(prefix: str) -> tuple[Path, int]:
        return Path(tempfile.mkdtemp(prefix=prefix)), -1

    def _try_lock(lock: int) -> bool:
        return False
else:
    import fcntl

    def _made_and_locked(prefix: str) -> tuple[Path, int]:
        """It gets its name when it is locked: before that, others would take it for abandoned."""
        unnamed = Path(tempfile.mkdtemp(prefix=f".{prefix}"))
        lock = os.open(unnamed / _LOCK, os.O_CREAT | os.O_RDWR, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
        return unnamed.rename(unnamed.with_name(unnamed.name.removeprefix("."))), lock

    def _try_lock(lock: int) -> bool:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

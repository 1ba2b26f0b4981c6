"""Folders that last as long as somebody works in them, named by a lock that he holds.

Who is killed leaves his folder behind, and with it a lock that is free: that is how vacuum knows.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runferry.archive.layout import new_attempt
from runferry.archive.lock import FileLock

_PLACE = "scratch"


@contextmanager
def working_folder(root: Path) -> Iterator[Path]:
    """A new folder on the archive's own disk, removed at the end. Raises OSError at the start."""
    folder = root / _PLACE / new_attempt()
    lock = _lock_of(folder)
    lock.acquire(what="a new folder")
    try:
        folder.mkdir()
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        lock.release()


@contextmanager
def forsaken_folders(root: Path) -> Iterator[list[Path]]:
    """Those whose workers are gone, kept from being anybody else's."""
    place = root / _PLACE
    held = []
    try:
        for folder in sorted(place.iterdir()) if place.is_dir() else []:
            lock = _lock_of(folder)
            if folder.is_dir() and lock.try_acquire():
                held.append((folder, lock))
        yield [folder for folder, _ in held]
    finally:
        for _, lock in held:
            lock.release()


def _lock_of(folder: Path) -> FileLock:
    return FileLock(folder.with_name(f"{folder.name}.lock"))

"""Whether there is room for what is to come, and leave to write, before anything is written."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from runferry.errors import ArchiveError, NoSpace
from runferry.ports import Location
from runferry.transfer.figures import size

RESERVE_BYTES = 256 * 1024**2


def check_space(folder: Path, source: Location, reserve_bytes: int = RESERVE_BYTES) -> None:
    """Raises NoSpace when the source, less what a folder already holds of it, cannot fit."""
    needed = (_size_below(source.path) if source.where else 0) - _size_below(folder)
    free = shutil.disk_usage(_existing(folder)).free
    if free < max(needed, 0) + reserve_bytes:
        from runferry.archive.durable import elsewhere

        raise NoSpace(
            f"{size(free)} are free; the source may need {size(max(needed, 0))}, "
            f"and {size(reserve_bytes)} are to stay free",
            where=str(folder),
            hint=f"free some space, or {elsewhere(folder)}",
        )


def check_writable(folder: Path) -> None:
    """Raises ArchiveError where no run could be written, which is said once and not of each."""
    if folder.is_dir() and not os.access(folder, os.W_OK):
        from runferry.archive.durable import elsewhere

        raise ArchiveError(
            "cannot write here: the folder or its disk is read-only",
            where=str(folder),
            hint=f"give write permission, or {elsewhere(folder)}",
        )


def _existing(folder: Path) -> Path:
    resolved = folder.resolve()
    return next(place for place in (resolved, *resolved.parents) if place.exists())


def _size_below(place: Path) -> int:
    try:
        if place.is_file():
            return place.stat().st_size
        if not place.is_dir():
            return 0
    except (OSError, ValueError):  # no path: a URL, a project of a service
        return 0
    return sum(_file_sizes(place))


def _file_sizes(folder: Path) -> Iterator[int]:
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                yield Path(parent, name).lstat().st_size
            except OSError:  # gone since it was listed; this is an estimate
                continue

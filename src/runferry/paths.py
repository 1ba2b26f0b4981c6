"""From names in the data to files on this machine, never outside the run's own folder."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath

from runferry.model import Blob


def regular(path: Path) -> os.stat_result | None:
    """The status of a regular file, links followed; None for anything else, a pipe for example."""
    try:
        found = path.stat()
    except (OSError, ValueError):  # a name too long, with NUL, or simply nothing there
        return None
    return found if stat.S_ISREG(found.st_mode) else None


def spelled(name: str) -> str:
    """A name from the disk as text that UTF-8 can hold."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def inside(home: Path, name: str) -> Path | None:
    """The regular file that the relative `name` means below `home`; None if there is none.

    A name that is absolute, climbs, or passes through a linked folder is only data. The file itself
    may be a link, as `wandb.save` makes them.
    """
    parts = _parts(name)
    if parts is None:
        return None
    path = home.joinpath(*parts)
    if regular(path) is None:
        return None
    return path if path.parent.resolve().is_relative_to(home.resolve()) else None


def _parts(name: str) -> tuple[str, ...] | None:
    plain = name.replace("\\", "/") if os.name == "nt" else name
    if not plain or "\0" in plain or PureWindowsPath(name).drive:
        return None
    path = PurePosixPath(plain)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        return None
    return path.parts


def blob_at(path: Path, media_type: str | None = None, sha256: str | None = None) -> Blob:
    """The bytes of this file, with the hash that the source states; missing if it is no file."""
    found = regular(path)
    if found is None:
        return Blob(media_type=media_type, sha256=sha256)
    return Blob(found.st_size, media_type, sha256, lambda: path.open("rb"))


def files_below(home: Path) -> Iterator[tuple[str, os.DirEntry[str] | None]]:
    """Every entry below `home` that is no folder, as (name with `/`, entry), sorted by folder.

    Linked folders are given as entries, and not entered; a folder that is closed to us is given
    with None.
    """
    pending = [""]
    while pending:
        prefix = pending.pop()
        try:
            with os.scandir(home / prefix if prefix else home) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError:
            yield prefix, None
            continue
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                pending.append(f"{prefix}{entry.name}/")
            else:
                yield f"{prefix}{entry.name}", entry

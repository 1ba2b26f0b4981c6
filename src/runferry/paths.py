"""Folders and files of this machine: walking them, and what names from the data mean among them.

A name from the data never leads outside the run's own folder.
"""

from __future__ import annotations

import hashlib
import logging
import os
import stat
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path, PurePosixPath, PureWindowsPath

from runferry.model import Blob

Entries = list[os.DirEntry[str]]
_log = logging.getLogger(__name__)
_PIECE = 4096
_seen: ContextVar[dict[Path, Entries] | None] = ContextVar("seen", default=None)


@contextmanager
def listed_once(without: Collection[Path] = ()) -> Iterator[None]:
    """Within this every folder is listed once, however many readers look for their runs in it.

    The folders `without` look empty.
    """
    token = _seen.set({folder: [] for folder in without})
    try:
        yield
    finally:
        _seen.reset(token)


def listing(folder: Path) -> Entries:
    """What lies in a folder, by name; nothing, and a warning, where it cannot be looked into."""
    seen = _seen.get()
    if seen is not None and folder in seen:
        return seen[folder]
    try:
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except (PermissionError, FileNotFoundError, NotADirectoryError) as error:
        # closed to us, or removed while we walk: what lies elsewhere is still read
        _log.warning("%s was not looked into: %s", folder, error.strerror)
        entries = []
    if seen is not None:
        seen[folder] = entries
    return entries


def _nothing(folder: Path, entries: Entries) -> Collection[str]:
    del folder, entries
    return ()


def folders_below(
    root: Path, skipped: Callable[[Path, Entries], Collection[str]] = _nothing
) -> Iterator[tuple[Path, Entries]]:
    """Folders with their sorted entries, `root` first, breadth first, `.git` left out.

    `skipped` names the sub-folders of a folder that are not entered. A linked folder is followed
    when it leads out of the tree to a place that is not around it, and only once. So loops end, a
    link beside the run that it means is no second run, and a link to a folder above does not bring
    in its other runs.
    """
    home = root.resolve()
    followed: set[Path] = set()
    pending = [root]
    while pending:
        deeper: list[Path] = []
        for folder in pending:
            entries = listing(folder)
            yield folder, entries
            closed = skipped(folder, entries)
            for entry in entries:
                if entry.name in closed or entry.name == ".git" or not is_folder(entry):
                    continue
                path = Path(entry.path)
                if entry.is_symlink():
                    target = path.resolve()
                    if any(target.is_relative_to(known) for known in (home, *followed)):
                        continue
                    if any(known.is_relative_to(target) for known in (home, *followed)):
                        _log.warning("%s is not followed: it leads to a folder around it", path)
                        continue
                    followed.add(target)
                deeper.append(path)
        pending = deeper


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether this is a folder, or a link to one; False for what cannot be looked at."""
    try:
        return entry.is_dir()
    except OSError:
        return False


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


def fingerprint(path: Path, until: int) -> str:
    """A hash of the first and the last 4 KiB before `until`; "short" for a file that is shorter."""
    digest = hashlib.blake2b(digest_size=16)
    with path.open("rb") as stream:
        digest.update(stream.read(min(_PIECE, until)))
        stream.seek(max(0, until - _PIECE))
        digest.update(stream.read(min(_PIECE, until)))
        is_short = stream.tell() < until
    return "short" if is_short else digest.hexdigest()

"""Folders and files of this machine: walking them, and what names from the data mean among them.

A name from the data never leads outside the run's own folder.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import stat
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path, PurePosixPath, PureWindowsPath

from runferry.model import Blob

Entries = list[os.DirEntry[str]]
_log = logging.getLogger(__name__)
_PIECE = 4096
_NOT_ENTERED = ".git"


class Folder:
    """A folder and what lies in it, as it was listed."""

    __slots__ = ("_within", "entries", "names", "path")

    def __init__(self, path: Path, entries: Entries) -> None:
        self.path = path
        self.entries = entries  # by name
        self.names: Collection[str] = {entry.name: None for entry in entries}.keys()
        self._within: list[tuple[os.DirEntry[str], Path]] | None = None

    def within(self) -> list[tuple[os.DirEntry[str], Path]]:
        """The folders in it, and links to folders, without `.git`."""
        if self._within is None:
            found = (entry for entry in self.entries if entry.name != _NOT_ENTERED)
            self._within = [(entry, Path(entry.path)) for entry in found if is_folder(entry)]
        return self._within


_seen: ContextVar[dict[Path, Folder] | None] = ContextVar("seen", default=None)
_closed: ContextVar[Collection[Path] | None] = ContextVar("closed", default=None)


@contextmanager
def listed_once() -> Iterator[None]:
    """Within this every folder is listed once, however many readers look for their runs in it.

    Within another it is part of that one. What is written meanwhile may not be seen.
    """
    if _seen.get() is not None:
        yield
        return
    token = _seen.set({})
    try:
        yield
    finally:
        _seen.reset(token)


@contextmanager
def none_comes_into(closed: Collection[Path]) -> Iterator[None]:
    """Within this `folders_below` leaves these folders out, and all that is below them."""
    token = _closed.set(closed)
    try:
        yield
    finally:
        _closed.reset(token)


def all_look_here() -> bool:
    """Whether all readers look for their runs, so that what one leaves out is another's."""
    return _closed.get() is not None


def looked_into(path: Path) -> Folder:
    """What lies in a folder; nothing, and a warning, where it cannot be looked into."""
    seen = _seen.get()
    if seen is not None and (known := seen.get(path)) is not None:
        return known
    try:
        with os.scandir(path) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except OSError as error:
        # closed to us, removed while we walk, a disk that fails: what lies elsewhere is still read
        _log.warning("%s was not looked into: %s", path, error.strerror)
        entries = []
    folder = Folder(path, entries)
    if seen is not None:
        seen[path] = folder
    return folder


def _nothing(folder: Folder) -> Collection[str]:
    del folder
    return ()


def folders_below(
    root: Path, skipped: Callable[[Folder], Collection[str]] = _nothing
) -> Iterator[Folder]:
    """The folders below `root`, itself first, breadth first and by name, `.git` left out.

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
        for path in pending:
            if path in (_closed.get() or ()):
                continue
            folder = looked_into(path)
            yield folder
            within = folder.within()
            closed = skipped(folder) if within else ()
            for entry, below in within:
                if entry.name in closed:
                    continue
                if entry.is_symlink() and not _is_followed(below, home, followed):
                    continue
                deeper.append(below)
        pending = deeper


def _is_followed(link: Path, home: Path, followed: set[Path]) -> bool:
    """Whether a link leads somewhere that is neither read anyway nor around what is."""
    target = link.resolve()
    known = (home, *followed)
    if any(target.is_relative_to(one) for one in known):
        return False
    if any(one.is_relative_to(target) for one in known):
        _log.warning("%s is not followed: it leads to a folder around it", link)
        return False
    followed.add(target)
    return True


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


def is_local(where: str) -> bool:
    """Whether this is a path of this machine: one that exists, or that is written like one."""
    if not where:
        return False
    if where.startswith((".", "/", "~", "\\")) or PureWindowsPath(where).drive:
        return True
    try:
        return os.path.lexists(Path(where).expanduser())
    except (ValueError, RuntimeError):  # NUL, `~nobody`
        return False


def is_temporary_of_ours(where: Path) -> bool:
    """Whether this lies in a folder that runferry made among the system's temporary ones."""
    import tempfile

    temporary = Path(tempfile.gettempdir()).resolve()
    resolved = where.resolve()
    return any(
        folder.parent == temporary and folder.name.startswith("runferry-")
        for folder in (resolved, *resolved.parents)
    )


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


def pattern_of(file: str) -> str:
    """What DuckDB, which takes a path for a pattern, finds this file alone by."""
    return re.sub(r"[*?\[]", r"[\g<0>]", file)

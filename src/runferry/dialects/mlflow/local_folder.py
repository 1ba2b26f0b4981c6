"""An artifact folder of this machine."""

from __future__ import annotations

import errno
import filecmp
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from runferry.dialects.mlflow.artifacts import ArtifactFolder, Entry, place_for
from runferry.dialects.mlflow.paths import BUNDLE
from runferry.errors import NoSpace, Refused
from runferry.model import Blob


class LocalFolder(ArtifactFolder):
    """A folder of this machine."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._unsettled: set[Path] = set()

    def walk(self, below: str = "") -> Iterator[Entry]:
        """Regular files only; what a link leads to outside the folder is not ours to read."""
        top = self.root / below if below else self.root
        for folder, folders, files in os.walk(top):
            folders.sort()
            for name in sorted(files):
                path = Path(folder, name)
                relative = path.relative_to(self.root).as_posix()
                if path.is_file() and not path.is_symlink() and not _is_temporary(relative):
                    yield Entry(relative, path.stat().st_size)

    def blob(self, entry: Entry) -> Blob:
        """A file's bytes."""
        return Blob.from_path(self._inside(entry.path))

    def put(self, path: str, source: BinaryIO) -> str:
        """A temporary file, then one rename."""
        try:
            return self._put(path, source)
        except OSError as error:
            raise _storage_error(error, self.root) from error

    def _put(self, path: str, source: BinaryIO) -> str:
        draft = self._draft(source)
        try:
            place, is_there = place_for(
                path,
                lambda p: _is_file(self._inside(p)),
                lambda p: _is_folder(self._inside(p)),
                lambda p: _is_same(self._inside(p), draft),
            )
            target = self._inside(place)
            if not is_there:
                target.parent.mkdir(parents=True, exist_ok=True)
                draft.replace(target)
            self._unsettled.add(target)  # also what is there: who put it may not have come so far
        finally:
            draft.unlink(missing_ok=True)
        return place

    def replace(self, path: str, source: BinaryIO) -> None:
        """Store a file in place of the one that is there."""
        try:
            target = self._inside(path)
            draft = self._draft(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            draft.replace(target)
            self._unsettled.add(target)
        except OSError as error:
            raise _storage_error(error, self.root) from error

    def twin(self, path: str, copy: str, source: BinaryIO) -> None:
        """A hard link where the disk has such."""
        link = self._inside(copy)
        try:
            link.hardlink_to(self._inside(path))
        except FileExistsError:
            return
        except OSError:
            self.replace(copy, source)

    def _draft(self, source: BinaryIO) -> Path:
        folder = self.root / BUNDLE
        folder.mkdir(parents=True, exist_ok=True)
        number, name = tempfile.mkstemp(prefix=".part-", dir=folder)
        with os.fdopen(number, "wb") as draft:
            shutil.copyfileobj(source, draft, 1 << 20)
        Path(name).chmod(0o644)
        return Path(name)

    def settle(self) -> None:
        """Force to the disk what was stored, and the folders that name it."""
        paths = set(self._unsettled)
        for path in self._unsettled:
            paths.update(above for above in path.parents if above.is_relative_to(self.root))
        for path in sorted(paths):
            try:
                force(path)
            except OSError as error:
                raise _storage_error(error, self.root) from error
        self._unsettled.clear()

    def tidy(self) -> None:
        """The folder of drafts, where nothing is in it."""
        with suppress(OSError):
            (self.root / BUNDLE).rmdir()

    def remove(self, path: str) -> None:
        """One file."""
        self._inside(path).unlink(missing_ok=True)
        self._unsettled.discard(self._inside(path))

    def remove_all(self) -> None:
        """The folder, and the run's own folder above it once that is empty."""
        shutil.rmtree(self.root, ignore_errors=True)
        if self.root.name == "artifacts" and self.root.parent.is_dir():
            try:
                self.root.parent.rmdir()
            except OSError:
                return  # somebody else's files are in there: they stay

    def _inside(self, path: str) -> Path:
        target = self.root.joinpath(*PurePosixPath(path).parts)
        if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
            raise Refused("an artifact's path leads out of its folder", where=path)
        return target


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _is_file(path: Path) -> bool:
    """A link too: what it leads to is not in this folder."""
    return os.path.lexists(path) and not _is_folder(path)


def _is_same(path: Path, draft: Path) -> bool:
    return not path.is_symlink() and filecmp.cmp(path, draft, shallow=False)


def force(path: Path) -> None:
    """Returns when a file's bytes, or the names in a folder, would survive a loss of power."""
    if path.is_dir() and sys.platform == "win32":
        return  # no such thing there
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _is_temporary(path: str) -> bool:
    return path.startswith(f"{BUNDLE}/.part-")


def _storage_error(error: OSError, root: Path) -> NoSpace | Refused:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return NoSpace("the disk is full", where=str(root), hint="free some space and run again")
    return Refused(
        f"the artifact folder cannot be written ({error.strerror})",
        where=str(root),
        hint="check its permissions, then run again",
    )

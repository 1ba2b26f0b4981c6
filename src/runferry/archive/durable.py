"""Writing so that it lasts: synced files and folders, atomic replacement, a full disk told."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from runferry.errors import ArchiveError, NoSpace

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_READ_ONLY = {errno.EROFS, errno.EACCES, errno.EPERM}


@contextmanager
def disk_errors(where: Path) -> Iterator[None]:
    """Turns "no space left" and "read-only" of the system into errors with a hint."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise NoSpace(
                f"the disk is full ({error.strerror or error}); nothing of this run was kept",
                where=str(where),
                hint="free some space, or `runferry vacuum ARCHIVE`, then run the command again",
            ) from error
        if error.errno in _READ_ONLY:
            raise ArchiveError(
                f"cannot write here ({error.strerror or error})",
                where=str(where),
                hint="give write permission, or choose another folder with --archive PATH",
            ) from error
        raise


def require_free(where: Path, reserve: int) -> None:
    """Raises NoSpace when less than `reserve` bytes are free."""
    free = shutil.disk_usage(where).free
    if free < reserve:
        raise NoSpace(
            f"{free / 1e6:,.0f} MB are free, and {reserve / 1e6:,.0f} MB are kept in reserve",
            where=str(where),
            hint="free some space, or choose another folder with --archive PATH",
        )


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable; does nothing where the system has no such thing."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folders(folders: Iterable[Path]) -> None:
    """Make the names in several folders durable, each once."""
    for folder in sorted(set(folders)):
        sync_folder(folder)


def make_folder(folder: Path) -> list[Path]:
    """Create a folder and its parents; returns the folders that must be synced for it to last."""
    grown: list[Path] = []
    missing = folder
    while not missing.exists():
        grown.append(missing.parent)
        missing = missing.parent
    folder.mkdir(parents=True, exist_ok=True)
    return grown


def write_atomically(path: Path, content: bytes, *, scratch: str) -> None:
    """Replace a file's content in one durable step; `scratch` names the attempt."""
    grown = make_folder(path.parent)
    temporary = path.with_name(f".{path.name}.{scratch}")
    try:
        with temporary.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folders([path.parent, *grown])


class HashingFile:
    """A new file that hashes what is written to it; durable once `finish` has returned."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        self._hash = hashlib.sha256()
        self._stream = path.open("xb", buffering=1 << 18)

    def write(self, content: bytes) -> int:
        """Append bytes; what a Parquet writer says after the end is not heard."""
        if self._stream.closed:
            return len(content)
        self._hash.update(content)
        self._stream.write(content)
        self.size += len(content)
        return len(content)

    def tell(self) -> int:
        """Bytes written so far."""
        return self.size

    def flush(self) -> None:
        """Nothing is buffered here."""

    @property
    def closed(self) -> bool:
        """Whether `finish` or `close` was called."""
        return self._stream.closed

    def close(self) -> None:
        """Let go of the file without making it durable."""
        self._stream.close()

    def finish(self) -> str:
        """Make the file durable; returns the SHA-256 of its bytes in hex."""
        self._stream.flush()
        os.fsync(self._stream.fileno())
        self._stream.close()
        return self._hash.hexdigest()

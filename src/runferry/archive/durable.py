"""A full or closed disk as errors with a hint, and files that hash what is written to them."""

from __future__ import annotations

import errno
import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runferry.errors import ArchiveError, NoSpace
from runferry.paths import is_temporary_of_ours

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_READ_ONLY = {errno.EROFS, errno.EACCES, errno.EPERM}
_NO_FOLDER = {errno.ENOTDIR, errno.EEXIST}


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
                hint=f"give write permission, or {elsewhere(where)}",
            ) from error
        if error.errno in _NO_FOLDER:
            raise ArchiveError(
                f"no folder can stand here ({error.strerror or error})",
                where=str(where),
                hint="name a new or empty folder",
            ) from error
        raise


def elsewhere(where: Path) -> str:
    """How another disk is chosen for this archive: a temporary one has no option of its own."""
    if is_temporary_of_ours(where):
        return "set TMPDIR to a folder on another disk: that is where this temporary archive is"
    return "choose another folder with --archive PATH"


def require_free(where: Path, reserve: int) -> None:
    """Raises NoSpace when less than `reserve` bytes are free."""
    free = shutil.disk_usage(where).free
    if free < reserve:
        raise NoSpace(
            f"{free / 1e6:,.0f} MB are free, and {reserve / 1e6:,.0f} MB are kept in reserve",
            where=str(where),
            hint=f"free some space, or {elsewhere(where)}",
        )


class HashingFile:
    """A new file that hashes what is written to it."""

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
        """Nothing to do before the end."""

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._stream.closed

    def close(self) -> None:
        """The file is complete, though not durable yet."""
        self._stream.close()

    @property
    def sha256(self) -> str:
        """Of all bytes written, in hex."""
        return self._hash.hexdigest()

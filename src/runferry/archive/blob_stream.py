"""The bytes of a stored blob, held against its name while they are read."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from runferry.errors import Corrupt

if TYPE_CHECKING:
    from typing_extensions import Buffer


def open_blob(path: Path, sha256: str) -> BinaryIO:
    """Raises Corrupt when it is gone, and, once read to its end, when its bytes are others."""
    try:
        raw = path.open("rb", buffering=0)
    except FileNotFoundError as error:
        raise Corrupt(
            "a blob that a commit names is gone", where=str(path), hint="pull the run again"
        ) from error
    return io.BufferedReader(_Checked(raw, path, sha256))


class _Checked(io.RawIOBase):
    """Whoever jumps about in it is trusted, until they begin anew."""

    def __init__(self, raw: io.FileIO, path: Path, sha256: str) -> None:
        self._raw = raw
        self._path = path
        self._sha256 = sha256
        self._digest: hashlib._Hash | None = hashlib.sha256()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer, /) -> int:
        count = self._raw.readinto(buffer) or 0
        if self._digest is not None:
            self._digest.update(memoryview(buffer)[:count])
            if not count and self._digest.hexdigest() != self._sha256:
                raise Corrupt(
                    "a blob is cut short or was altered: its bytes are not those of its name",
                    where=str(self._path),
                    hint=f"rm '{self._path}', then pull the run again",
                )
        return count

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        place = self._raw.seek(offset, whence)
        self._digest = None if place else hashlib.sha256()
        return place

    def tell(self) -> int:
        return self._raw.tell()

    def fileno(self) -> int:
        return self._raw.fileno()

    def close(self) -> None:
        self._raw.close()
        super().close()

"""Members of zips: what is wrong with one is an error that whoever reads files expects."""

from __future__ import annotations

import lzma
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from errno import EIO
from io import RawIOBase
from pathlib import Path
from typing import BinaryIO, Final

UNREADABLE_ZIP: Final = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    RuntimeError,  # encrypted; NotImplementedError for a form or a version of later days
    ValueError,  # a name that is not the UTF-8 that it says, a place before the file's beginning
)
"""What Python raises for a zip that is damaged, or packed in a way that it does not know."""


class ZipMember(RawIOBase):
    """The bytes of a member; what is wrong with them is an error of the system's kind."""

    def __init__(self, archive: Path | BinaryIO, name: str) -> None:
        """Raises OSError, and KeyError where there is none of this name."""
        self._path, self._name = str(archive if isinstance(archive, Path) else archive.name), name
        with self._told(), zipfile.ZipFile(archive) as opened:
            self._stream = opened.open(name)  # which stays open longer than the archive

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except UNREADABLE_ZIP as error:
            raise OSError(EIO, f"{self._name} is damaged ({error})", self._path) from error

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """The next bytes. Raises OSError."""
        with self._told():
            taken = self._stream.read(len(buffer))
        buffer[: len(taken)] = taken
        return len(taken)

    def close(self) -> None:
        """Let go of the file."""
        self._stream.close()
        super().close()

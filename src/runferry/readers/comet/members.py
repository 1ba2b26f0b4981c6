"""The files of an offline experiment: in a `.zip`, in one that was cut off, or in a folder."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from io import BufferedReader, RawIOBase
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from runferry.model import Blob
from runferry.paths import blob_at, inside
from runferry.readers.zip_members import UNREADABLE_ZIP, ZipMember

EXPERIMENT: Final = "experiment.json"
MESSAGES: Final = "messages.json"
_LOCAL: Final = struct.Struct("<4s5H3I2H")  # APPNOTE.TXT 4.3.7: a member's own header
_MAGIC: Final = b"PK\x03\x04"
_STORED, _DEFLATED = 0, 8
_HAS_DESCRIPTOR: Final = 1 << 3
_PIECE: Final = 1 << 16


class Members(Protocol):
    """What lies in an experiment, by name."""

    @property
    def is_cut(self) -> bool:
        """Whether its end is missing."""
        ...

    def open(self, name: str) -> BinaryIO | None:
        """A member's bytes; None if there is none of this name."""
        ...

    def blob(self, name: str, media_type: str | None) -> Blob:
        """The same as a blob."""
        ...


@dataclass(frozen=True, slots=True)
class FolderMembers:
    """An experiment that was unpacked, or is not packed yet."""

    home: Path
    is_cut: bool = False

    def open(self, name: str) -> BinaryIO | None:
        """See `Members`."""
        path = inside(self.home, name)
        return None if path is None else path.open("rb")

    def blob(self, name: str, media_type: str | None) -> Blob:
        """See `Members`."""
        path = inside(self.home, name)
        return Blob(media_type=media_type) if path is None else blob_at(path, media_type)


@dataclass(frozen=True, slots=True)
class ZipMembers:
    """An archive as Comet's client leaves it."""

    path: Path
    sizes: dict[str, int]
    is_cut: bool = False

    def open(self, name: str) -> BinaryIO | None:
        """See `Members`."""
        return self._opened(name) if name in self.sizes else None

    def _opened(self, name: str) -> BinaryIO:
        return BufferedReader(ZipMember(self.path, name))

    def blob(self, name: str, media_type: str | None) -> Blob:
        """See `Members`."""
        if name not in self.sizes:
            return Blob(media_type=media_type)
        return Blob(self.sizes[name], media_type, None, lambda: self._opened(name))


@dataclass(frozen=True, slots=True)
class _Part:
    """Where a member's bytes lie."""

    offset: int
    length: int
    size: int
    method: int
    is_whole: bool


@dataclass(frozen=True, slots=True)
class CutMembers:
    """What is left of an archive whose end, and with it the list of its members, is missing."""

    path: Path
    parts: dict[str, _Part] = field(default_factory=dict)
    is_cut: bool = True

    def open(self, name: str) -> BinaryIO | None:
        """As far as the bytes go; of the last member that may be half."""
        part = self.parts.get(name)
        return None if part is None else BufferedReader(_Inflated(self.path, part))

    def blob(self, name: str, media_type: str | None) -> Blob:
        """Bytes that are all there; half of a file is no file."""
        part = self.parts.get(name)
        if part is None or not part.is_whole:
            return Blob(media_type=media_type)
        return Blob(part.size, media_type, None, lambda: BufferedReader(_Inflated(self.path, part)))


class _Inflated(RawIOBase):
    """The bytes of one member, decompressed as far as they go."""

    def __init__(self, path: Path, part: _Part) -> None:
        self._stream = path.open("rb")
        self._stream.seek(part.offset)
        self._left = part.length
        self._inflate: Callable[[bytes], bytes] = (
            zlib.decompressobj(-zlib.MAX_WBITS).decompress if part.method == _DEFLATED else bytes
        )
        self._ready = b""

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """The next bytes; none at the end, also where what follows is damaged."""
        while not self._ready and self._left:
            piece = self._stream.read(min(_PIECE, self._left))
            self._left = self._left - len(piece) if piece else 0
            try:
                self._ready = self._inflate(piece)
            except zlib.error:
                self._left = 0
        taken, self._ready = self._ready[: len(buffer)], self._ready[len(buffer) :]
        buffer[: len(taken)] = taken
        return len(taken)

    def close(self) -> None:
        """Let go of the file."""
        self._stream.close()
        super().close()


def members_of(path: Path) -> Members | None:
    """The members of what may be an experiment; None for what is none."""
    if path.is_dir():
        found: Members = FolderMembers(path)
        return found if inside(path, MESSAGES) is not None else None
    with path.open("rb") as stream:
        if stream.read(4) != _MAGIC:
            return None
    try:
        with zipfile.ZipFile(path) as archive:
            sizes = {one.filename: one.file_size for one in archive.infolist()}
    except UNREADABLE_ZIP:
        parts = dict(_walked(path))
        return CutMembers(path, parts) if MESSAGES in parts or EXPERIMENT in parts else None
    return ZipMembers(path, sizes) if {EXPERIMENT, MESSAGES} <= sizes.keys() else None


def _walked(path: Path) -> Iterator[tuple[str, _Part]]:
    """Members one after the other, by their own headers."""
    whole = path.stat().st_size
    with path.open("rb") as stream:
        while len(head := stream.read(_LOCAL.size)) == _LOCAL.size:
            magic, _, flags, method, _, _, _, length, size, named, extra = _LOCAL.unpack(head)
            if magic != _MAGIC or method not in (_STORED, _DEFLATED) or flags & _HAS_DESCRIPTOR:
                return
            name = stream.read(named).decode("utf-8", "replace")
            offset = stream.tell() + extra
            is_whole = offset + length <= whole
            yield name, _Part(offset, max(min(length, whole - offset), 0), size, method, is_whole)
            stream.seek(offset + length)

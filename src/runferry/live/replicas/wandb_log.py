"""A `.wandb` file that grows: records in the frames of LevelDB's log (`rust/src/leveldb.rs`)."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from runferry.live.replicas.growing import GrowingFile

_BEGIN: Final = b":W&B\xe1\xbe\0"
_BLOCK: Final = 32_768
_HEAD: Final = struct.Struct("<IHB")
_FULL, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4


class WandbFile:
    """Appends records, and numbers them."""

    def __init__(self, path: Path) -> None:
        self._file = GrowingFile(path)
        self._file.put(_BEGIN)
        self.flush = self._file.flush

    def record(self, payload: bytes) -> None:
        """One record, cut where blocks end."""
        at, is_first = 0, True
        while True:
            left = _BLOCK - self._file.size % _BLOCK
            if left < _HEAD.size:
                self._file.put(bytes(left))
                continue
            piece = payload[at : at + left - _HEAD.size]
            at += len(piece)
            is_last = at == len(payload)
            kind = (_FULL if is_last else _FIRST) if is_first else _LAST if is_last else _MIDDLE
            crc = zlib.crc32(piece, zlib.crc32(bytes([kind])))
            self._file.put(_HEAD.pack(crc, len(piece), kind) + piece)
            if is_last:
                return
            is_first = False


def records(stream: BinaryIO, start: int, end: int) -> Iterator[tuple[int, bytes]]:
    """(where it ends, content) of each whole record from `start` on, up to the first that is not.

    For files of a writer that counts blocks from the file's beginning, as those since 0.17.6 do.
    """
    at, parts = max(start, len(_BEGIN)), list[bytes]()
    stream.seek(at)
    while True:
        left = _BLOCK - at % _BLOCK
        if left < _HEAD.size:
            stream.read(left)
            at += left
            continue
        head = stream.read(_HEAD.size)
        if at + _HEAD.size > end or len(head) < _HEAD.size:
            return
        crc, length, kind = _HEAD.unpack(head)
        piece = stream.read(length)
        if len(piece) < length or zlib.crc32(piece, zlib.crc32(bytes([kind]))) != crc:
            return
        at += _HEAD.size + length
        parts = [*parts, piece] if kind in (_MIDDLE, _LAST) else [piece]
        if kind in (_FULL, _LAST):
            yield at, b"".join(parts)
            parts = []

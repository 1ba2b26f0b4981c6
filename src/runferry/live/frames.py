"""Frames of a journal: what they are, and how they are read. `_native.journal_frame` makes them.

A frame is length u32, crc u32, kind u8, three zeros, source u32 and time u64 (ns since 1970), all
little-endian, and then `length` bytes. The CRC-32 is over all that follows it. A file that ends
inside a frame was cut there, or is being written; what stands behind such a place is nothing.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import BinaryIO

_HEAD = struct.Struct("<IIB3xIQ")
LONGEST = 256 << 20
"""Bytes of a payload. No reader of ours takes a longer record."""
VERSION = 1
SUFFIX = ".journal"


class Kind(IntEnum):
    """What a frame holds."""

    BEGIN = 1  # JSON: version, process, host
    SOURCE = 2  # JSON: what the frames of this number are from
    WANDB = 3  # a serialized `Record`
    EVENT = 4  # a serialized `Event` of TensorBoard
    CALL = 5  # JSON: a call of MLflow's client, or of an experiment of ours
    COUNTS = 6  # JSON: what was captured and what was not, since the process's last file
    STOP = 7  # the hooks were taken off
    DROPPED = 8  # JSON: as COUNTS, of a process that goes on


@dataclass(frozen=True, slots=True)
class Frame:
    """A record of a journal, and where it ends in its file."""

    kind: int
    source: int
    time_ns: int
    payload: bytes
    end: int


def frames(stream: BinaryIO, start: int, end: int | None = None) -> Iterator[Frame]:
    """Whole frames from `start` on, up to `end`, or to the first one that is not whole."""
    stream.seek(start)
    at = start
    while end is None or at < end:
        head = stream.read(_HEAD.size)
        if len(head) < _HEAD.size:
            return
        length, crc, kind, source, time_ns = _HEAD.unpack(head)
        if length > LONGEST:
            return
        payload = stream.read(length)
        if len(payload) < length or zlib.crc32(payload, zlib.crc32(head[8:])) != crc:
            return
        at += _HEAD.size + length
        yield Frame(kind, source, time_ns, payload, at)

"""Protobuf's wire format, written by hand: no SDK."""

from __future__ import annotations

import struct


def varint(number: int) -> bytes:
    """An unsigned integer, seven bits a byte."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def number_field(field: int, number: int) -> bytes:
    """A varint field."""
    return varint(field << 3) + varint(number)


def bytes_field(field: int, content: bytes | str) -> bytes:
    """A length-delimited field."""
    raw = content.encode() if isinstance(content, str) else content
    return varint(field << 3 | 2) + varint(len(raw)) + raw


def double_field(field: int, number: float) -> bytes:
    """A fixed 64-bit field."""
    return varint(field << 3 | 1) + struct.pack("<d", number)


def float_field(field: int, number: float) -> bytes:
    """A fixed 32-bit field."""
    return varint(field << 3 | 5) + struct.pack("<f", number)

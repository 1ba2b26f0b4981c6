"""Fields of protocol buffers, without generated code: what is written and read one by one."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

_SURROGATE = re.compile("[\ud800-\udfff]")  # half a letter, as JSON lets stand


def varint(value: int) -> bytes:
    """A number of up to 64 bits, negative ones as the format has them."""
    value &= (1 << 64) - 1
    spelled = bytearray()
    while value > 0x7F:
        spelled.append(value & 0x7F | 0x80)
        value >>= 7
    spelled.append(value)
    return bytes(spelled)


def integer(number: int, value: int) -> bytes:
    """A field with an integer, a truth value or an enum."""
    return varint(number << 3) + varint(value)


def double(number: int, value: float) -> bytes:
    """A field with a float of 64 bits."""
    return varint(number << 3 | 1) + struct.pack("<d", value)


def text_bytes(text: str) -> bytes:
    """A text as UTF-8: half a letter, which it cannot hold, is U+FFFD."""
    return _SURROGATE.sub("\ufffd", text).encode()


def field(number: int, content: bytes | str) -> bytes:
    """A field with bytes, a text or a message."""
    spelled = text_bytes(content) if isinstance(content, str) else content
    return varint(number << 3 | 2) + varint(len(spelled)) + spelled


def read_varint(message: bytes, at: int) -> tuple[int, int]:
    """The number at a place, and where it ends. Raises ValueError."""
    value = shift = 0
    for end in range(at, min(at + 10, len(message))):
        byte = message[end]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & (1 << 64) - 1, end + 1
        shift += 7
    raise ValueError("a number without an end")


def values(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Number and content of each field: a number, or bytes. Raises ValueError for no message."""
    at, size = 0, len(message)
    while at < size:
        key, at = read_varint(message, at)
        match key & 7:
            case 0:
                number, at = read_varint(message, at)
                yield key >> 3, number
                continue
            case 1:
                end = at + 8
            case 2:
                length, at = read_varint(message, at)
                end = at + length
            case 5:
                end = at + 4
            case kind:
                raise ValueError(f"no field is of wire type {kind}")
        if end > size:
            raise ValueError("a field ends behind its message")
        yield key >> 3, message[at:end]
        at = end

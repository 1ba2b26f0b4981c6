"""Fields of protocol buffers, without generated code: what is written one by one."""

from __future__ import annotations

import re
import struct

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

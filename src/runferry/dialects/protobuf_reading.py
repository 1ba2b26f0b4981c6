"""The wire format of protobuf: fields of messages, without a schema."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final, TypeAlias

Wire: TypeAlias = "int | bytes"
_DOUBLE: Final = struct.Struct("<d")


class Malformed(ValueError):  # noqa: N818  the field's word, not the suffix
    """The bytes are no such message."""


def fields(message: bytes) -> Iterator[tuple[int, Wire]]:
    """The fields of a message: numbers as they are on the wire, all else as bytes.

    Raises Malformed.
    """
    at, end = 0, len(message)
    while at < end:
        tag, at = (message[at], at + 1) if message[at] < 0x80 else varint(message, at)
        kind = tag & 7
        if kind == 2:
            is_short = at < end and message[at] < 0x80
            length, at = (message[at], at + 1) if is_short else varint(message, at)
            if at + length > end:
                raise Malformed("a field that ends behind its message")
            yield tag >> 3, message[at : at + length]
            at += length
        elif kind == 0:
            value, at = varint(message, at)
            yield tag >> 3, value
        elif kind in (1, 5):
            length = 8 if kind == 1 else 4
            if at + length > end:
                raise Malformed("a number that ends behind its message")
            yield tag >> 3, message[at : at + length]
            at += length
        else:
            raise Malformed(f"a field of the unknown kind {kind}")


def varint(message: bytes, at: int) -> tuple[int, int]:
    """The number at a place, and the place behind it. Raises Malformed."""
    value = shift = 0
    while at < len(message) and shift < 70:
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, at
        shift += 7
    raise Malformed("a number without an end")


def text_in(value: Wire) -> str:
    """A text. Raises Malformed."""
    try:
        return bytes_in(value).decode("utf-8")
    except UnicodeDecodeError:
        raise Malformed("a text that is no UTF-8") from None


def double_in(value: Wire) -> float:
    """A double. Raises Malformed."""
    content = bytes_in(value)
    if len(content) != 8:
        raise Malformed("no double")
    return float(_DOUBLE.unpack(content)[0])


def signed_in(value: Wire) -> int:
    """A number that may be negative. Raises Malformed."""
    found = number_in(value)
    return found - (1 << 64) if found >= 1 << 63 else found


def number_in(value: Wire) -> int:
    """A number. Raises Malformed."""
    if not isinstance(value, int):
        raise Malformed("bytes where a number belongs")
    return value


def bytes_in(value: Wire) -> bytes:
    """What has a length. Raises Malformed."""
    if not isinstance(value, bytes):
        raise Malformed("a number where bytes belong")
    return value

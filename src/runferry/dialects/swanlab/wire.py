"""Messages of SwanLab's records, read by hand: few a run, so Python is quick enough.

Numbers are those of `swanlab/proto/swanlab/**.proto` in swanlab 0.10.3.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

NS: Final = 1_000_000_000
Value = int | bytes


class MessageError(ValueError):
    """The bytes are no message."""


@dataclass
class Message:
    """The fields of a message by number, each in the order in which they stand there."""

    fields: dict[int, list[Value]] = field(default_factory=dict)

    def text(self, number: int) -> str:
        """The last text; empty where there is none."""
        return self.content(number).decode("utf-8", "replace")

    def texts(self, number: int) -> tuple[str, ...]:
        """A repeated text."""
        found = self.fields.get(number, ())
        return tuple(it.decode("utf-8", "replace") for it in found if isinstance(it, bytes))

    def content(self, number: int) -> bytes:
        """The last bytes."""
        found = self.fields.get(number)
        return found[-1] if found and isinstance(found[-1], bytes) else b""

    def has(self, number: int) -> bool:
        """Whether the field is there."""
        return number in self.fields

    def integer(self, number: int) -> int:
        """The last integer, signed; 0 where there is none."""
        found = self.fields.get(number)
        value = found[-1] if found else 0
        if not isinstance(value, int):
            return 0
        return value - (1 << 64) if value >= 1 << 63 else value

    def double(self, number: int) -> float | None:
        """The last double."""
        found = self.fields.get(number)
        value = found[-1] if found else None
        if not isinstance(value, int):
            return None
        return float(struct.unpack("<d", value.to_bytes(8, "little"))[0])

    def messages(self, number: int) -> Iterator[Message]:
        """A repeated message. Raises MessageError."""
        for value in self.fields.get(number, ()):
            if isinstance(value, bytes):
                yield parsed(value)

    def time_ns(self, number: int) -> int | None:
        """A `google.protobuf.Timestamp`. Raises MessageError."""
        found = None
        for inner in self.messages(number):
            found = inner.integer(1) * NS + inner.integer(2)
        return found if found is not None and abs(found) < 1 << 63 else None

    def strangers(self, known: range) -> bool:
        """Whether there are fields beyond those that are known."""
        return any(number not in known for number in self.fields)


def parsed(content: bytes) -> Message:
    """The fields of a message. Raises MessageError."""
    message, at = Message(), 0
    while at < len(content):
        key, at = _varint(content, at)
        number, kind = key >> 3, key & 7
        value: Value
        match kind:
            case 0:
                value, at = _varint(content, at)
            case 1 | 5:
                size = 8 if kind == 1 else 4
                value, at = int.from_bytes(content[at : at + size], "little"), at + size
            case 2:
                size, at = _varint(content, at)
                value, at = content[at : at + size], at + size
            case _:
                raise MessageError(f"wire type {kind}")
        if at > len(content) or number == 0:
            raise MessageError("cut short")
        message.fields.setdefault(number, []).append(value)
    return message


def _varint(content: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(content) and shift < 70:
        byte = content[at]
        value |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            return value & (1 << 64) - 1, at
        shift += 7
    raise MessageError("cut short")

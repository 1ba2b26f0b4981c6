"""Messages of SwanLab's records, read by hand: few a run, so Python is quick enough.

Numbers are those of `swanlab/proto/swanlab/**.proto` in swanlab 0.10.3.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from runferry.dialects.protobuf_reading import Wire, double_in, fields, signed_in

NS: Final = 1_000_000_000


@dataclass
class Message:
    """The fields of a message by number, each in the order in which they stand there."""

    fields: dict[int, list[Wire]] = field(default_factory=dict)
    flaws: set[str] = field(default_factory=set)
    """What was read otherwise than it stands there, in this message and those within it."""

    def text(self, number: int) -> str:
        """The last text; empty where there is none."""
        return self._text(self.content(number))

    def texts(self, number: int) -> tuple[str, ...]:
        """A repeated text."""
        return tuple(map(self._text, self._contents(number)))

    def _text(self, content: bytes) -> str:
        try:
            return content.decode()
        except UnicodeDecodeError:
            self.flaws.add("text that is no UTF-8")
            return content.decode("utf-8", "replace")

    def _contents(self, number: int) -> list[bytes]:
        found = self.fields.get(number, ())
        if not all(isinstance(it, bytes) for it in found):
            self.flaws.add("a number where bytes belong")
        return [it for it in found if isinstance(it, bytes)]

    def content(self, number: int) -> bytes:
        """The last bytes."""
        found = self._contents(number)
        return found[-1] if found else b""

    def has(self, number: int) -> bool:
        """Whether the field is there."""
        return number in self.fields

    def integer(self, number: int) -> int:
        """The last integer, signed; 0 where there is none. Raises Malformed."""
        found = self.fields.get(number)
        return signed_in(found[-1]) if found else 0

    def double(self, number: int) -> float | None:
        """The last double. Raises Malformed."""
        found = self.fields.get(number)
        return double_in(found[-1]) if found else None

    def messages(self, number: int, known: range | None = None) -> Iterator[Message]:
        """A repeated message, of which these fields are known. Raises Malformed."""
        for content in self._contents(number):
            inner = parsed(content)
            inner.flaws = self.flaws
            if known is not None:
                inner.expect(known)
            yield inner

    def time_ns(self, number: int) -> int | None:
        """A `google.protobuf.Timestamp`. Raises Malformed."""
        found = None
        for inner in self.messages(number, range(1, 3)):
            found = inner.integer(1) * NS + inner.integer(2)
        if found is not None and abs(found) >= 1 << 63:
            self.flaws.add("a time beyond 64 bits")
            return None
        return found

    def expect(self, known: range) -> None:
        """Fields beyond those that are known are a flaw."""
        if any(number not in known for number in self.fields):
            self.flaws.add("fields that are not known")


def parsed(content: bytes) -> Message:
    """The fields of a message. Raises Malformed."""
    message = Message()
    for number, value in fields(content):
        message.fields.setdefault(number, []).append(value)
    return message

"""Whole lines of a file that may still be growing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from runferry.losses import Fate, Loss
from runferry.readers.damage import cut

LINE_AT_MOST = 256 << 20


@dataclass
class WholeLines:
    """Lines from `offset` on, which is always where the next one begins.

    The last one may lack its end while it is being written: if it is not `is_whole`, it is left for
    a later read, and `unfinished` says how many bytes it has.
    """

    is_whole: Callable[[bytes], bool]
    offset: int = 0
    unfinished: int = 0

    def of(self, stream: BinaryIO) -> Iterator[bytes]:
        """The lines with their ends; of one that is longer than LINE_AT_MOST the beginning."""
        stream.seek(self.offset)
        for text, length, is_ended in _lines(stream):
            if not is_ended and (length >= LINE_AT_MOST or not self.is_whole(text)):
                self.unfinished = length
                return
            self.offset += length
            yield text


def _lines(stream: BinaryIO) -> Iterator[tuple[bytes, int, bool]]:
    """Lines or their beginnings, with their lengths, and whether they have an end."""
    while text := stream.readline(LINE_AT_MOST):
        length, is_ended = rest_of_line(stream, text)
        yield text, len(text) + length, is_ended


def beginnings(stream: BinaryIO) -> Iterator[bytes]:
    """The lines; of one that is longer than LINE_AT_MOST the beginning."""
    return (text for text, _, _ in _lines(stream))


def rest_of_line(stream: BinaryIO, text: bytes) -> tuple[int, bool]:
    """Pass over what a line has behind `text`: how many bytes, and whether the line has an end."""
    length = 0
    while text and not text.endswith(b"\n"):
        text = stream.readline(LINE_AT_MOST)
        length += len(text)
    return length, bool(text)


def is_too_long(text: bytes) -> bool:
    """Whether this is only the beginning of a line."""
    return len(text) >= LINE_AT_MOST


def too_long(where: str) -> Loss:
    """A line that is not read."""
    why = f"a line of {LINE_AT_MOST:,} bytes or more is not read"
    return Loss("long-line", Fate.DROPPED, where, 1, why)


def unended(name: str, number: int, offset: int, length: int, *, is_over: bool) -> Loss:
    """The last line, which has no end: its number from 0, where it begins and how long it is."""
    if length >= LINE_AT_MOST:
        return too_long(f"{name}:{number + 1}")
    return cut(f"{name}@{offset}", length, is_over=is_over)

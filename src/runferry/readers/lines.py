"""Whole lines of a file that may still be growing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

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
        while text := stream.readline(LINE_AT_MOST):
            length, ending = len(text), text
            while not ending.endswith(b"\n") and (ending := stream.readline(LINE_AT_MOST)):
                length += len(ending)
            if not ending and (length >= LINE_AT_MOST or not self.is_whole(text)):
                self.unfinished = length
                return
            self.offset += length
            yield text


def is_too_long(text: bytes) -> bool:
    """Whether this is only the beginning of a line."""
    return len(text) >= LINE_AT_MOST

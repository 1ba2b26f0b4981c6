"""Numbers that the client logged one a line, which are most lines of a log, read many at once.

They are told by how the client spells them (`json.dumps` of neptune 1.x). A line that is spelled
otherwise, even if it means the same, is left to the parser.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import BinaryIO, Final

import pyarrow as pa

from runferry.model import KeyPath
from runferry.readers.lines import LINE_AT_MOST, rest_of_line

_BLOCK: Final = 1 << 20
_FEWEST: Final = 8  # lines for which it is worth while
_NULL: Final = b"null"
_NUMBER: Final = (  # a double far from the largest and the smallest ones
    rb"-?(?:0|[1-9][0-9]{0,16})(?:\.[0-9]{1,20}(?:e[+-]?[0-9]{1,2})?|e[+-]?[0-9]{1,2})"
)
_NAME: Final = rb'"[^"\\\x00-\x1f]*"'
_LINE: Final = re.compile(
    rb'(\{"obj": \{"type": "LogFloats", "path": \[(%(name)b(?:, %(name)b)*)\], '
    rb'"values": \[\{"value": (%(number)b), "step": (%(number)b|null), "ts": (%(number)b)\}\]\}, '
    rb'"version": ([1-9][0-9]{0,14})(?:, "at": %(number)b)?\}\n)|([^\n]*\n|[^\n]+\Z)'
    % {b"name": _NAME, b"number": _NUMBER}
)
"""The line, its path, value, step, time and version; or any other line."""


_ANY_LINE: Final = re.compile(rb"[^\n]*\n|[^\n]+\Z")


@dataclass(frozen=True, slots=True)
class Burst:
    """Lines behind each other with one number each, as text by columns."""

    paths: tuple[bytes, ...]
    values: tuple[bytes, ...]
    steps: tuple[bytes, ...]
    times: tuple[bytes, ...]
    names: dict[bytes, KeyPath]
    """What the texts of paths mean, in the order in which they come first."""
    first_version: int
    last_version: int
    size_bytes: int

    def __len__(self) -> int:
        return len(self.paths)

    def columns(self) -> tuple[list[float], list[float | None], list[float | None]]:
        """Values, steps and times."""
        steps: list[float | None]
        if _NULL in self.steps:
            steps = [None if one == _NULL else float(one) for one in self.steps]
        else:
            steps = [*_numbers(self.steps)]
        return _numbers(self.values), steps, [*_numbers(self.times)]


def _numbers(texts: tuple[bytes, ...]) -> list[float]:
    column = pa.array(texts, pa.string()).cast(pa.float64())
    found: list[float] = column.to_numpy(zero_copy_only=False).tolist()
    return found


def bursts_and_lines(block: bytes) -> Iterator[Burst | bytes]:
    """What stands in whole lines: bursts without a gap in their versions, and other lines."""
    rows = _LINE.findall(block)
    for is_other, run in groupby(rows, key=lambda row: bool(row[6])):
        found = list(run)
        burst = None if is_other or len(found) < _FEWEST else _burst(found)
        if burst is not None:
            yield burst
        else:
            yield from (row[0] or row[6] for row in found)


def _burst(rows: list[tuple[bytes, ...]]) -> Burst | None:
    lines, paths, values, steps, times, versions, _ = zip(*rows, strict=True)
    first, last = int(versions[0]), int(versions[-1])
    if versions != tuple(b"%d" % version for version in range(first, last + 1)):
        return None
    try:
        names = {path: tuple(json.loads(f"[{path.decode()}]")) for path in dict.fromkeys(paths)}
    except UnicodeDecodeError:
        return None
    return Burst(paths, values, steps, times, names, first, last, sum(map(len, lines)))


def lines_of(block: bytes) -> Iterator[bytes]:
    """The lines with their ends."""
    return (line[0] for line in _ANY_LINE.finditer(block))


def behind_last_end(stream: BinaryIO, begin: int) -> int:
    """The place behind the last end of a line; `begin` where there is none behind it."""
    at = stream.seek(0, os.SEEK_END)
    while at > begin:
        length = min(_BLOCK, at - begin)
        at = stream.seek(at - length)
        found = stream.read(length).rfind(b"\n")
        if found >= 0:
            return at + found + 1
    return begin


def blocks_of(stream: BinaryIO, begin: int, end: int) -> Iterator[tuple[int, bytes]]:
    """The whole lines from a place to another with the place of each block.

    The last one may lack its end, and then is a block by itself; so is one that is longer than a
    block: of one that is longer than LINE_AT_MOST the beginning.
    """
    while begin < end:
        stream.seek(begin)
        block = stream.read(min(_BLOCK, end - begin))
        length = block.rfind(b"\n") + 1
        if not length:
            stream.seek(begin)
            block = stream.readline(min(LINE_AT_MOST, end - begin))
            yield begin, block
            begin += len(block) + rest_of_line(stream, block)[0]
            continue
        yield begin, block[:length]
        begin += length

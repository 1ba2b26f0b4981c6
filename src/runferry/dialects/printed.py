"""What a run printed: pieces of lines, put together again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import pyarrow as pa

from runferry import chunks, tables
from runferry.ports import BATCH_ROWS

_Line = tuple[int, int | None, str, str]
"""Number, time in ns, stream and text."""


@dataclass
class Printed:
    """Lines in the order in which they began; each stream's pieces make lines of their own.

    The order in which they `ended` stays when more is printed: so a tracker that counts lines can
    go on behind the last one.
    """

    order: Literal["begun", "ended"] = "begun"
    _open: dict[str, tuple[int, int | None, list[str]]] = field(default_factory=dict)
    """By stream, the line that has not ended: number, time and pieces."""
    _lines: list[_Line] = field(default_factory=list)
    _count: int = 0

    def add(self, text: str, time_ns: int | None, stream: str) -> Iterator[chunks.Console]:
        """A piece; gives what became full by it."""
        for piece in text.splitlines(keepends=True):
            if stream not in self._open:
                self._open[stream] = (self._count, time_ns, [])
                self._count += 1
            self._open[stream][2].append(piece)  # a bar is drawn anew a million times in one line
            if piece.endswith("\n"):
                self._end(stream)
        if len(self._lines) >= BATCH_ROWS - 2:
            yield from self.drain(is_over=False)

    @property
    def open_lines(self) -> int:
        """How many have not ended."""
        return len(self._open)

    def drain(self, *, is_over: bool = True) -> Iterator[chunks.Console]:
        """All whole lines; at the end the others too."""
        if is_over:
            for stream in list(self._open):
                self._end(stream)
        lines = sorted(self._lines) if self.order == "begun" else self._lines
        self._lines = []
        for begin in range(0, len(lines), BATCH_ROWS):
            yield chunks.Console(_batch(lines[begin : begin + BATCH_ROWS]))

    def _end(self, stream: str) -> None:
        number, time_ns, pieces = self._open.pop(stream)
        self._lines.append((number, time_ns, stream, "".join(pieces)))


def _batch(lines: list[_Line]) -> pa.RecordBatch:
    times = [None if time is None else time // 1000 for _, time, _, _ in lines]
    below = [None if time is None or not time % 1000 else time % 1000 for _, time, _, _ in lines]
    streams = pa.array([stream for _, _, stream, _ in lines], pa.string())
    columns = {
        "time": pa.array(times, pa.int64()).cast(tables.TIME),
        "time_ns": pa.array(below, pa.int16()),
        "stream": streams.cast(tables.CONSOLE.field("stream").type),
        "line": pa.array([line for _, _, _, line in lines], pa.string()),
        "seq": pa.array([number for number, _, _, _ in lines], pa.int64()),
    }
    return tables.conform(pa.RecordBatch.from_pydict(columns), tables.CONSOLE)

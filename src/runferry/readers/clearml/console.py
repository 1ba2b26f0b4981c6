"""What a task printed: events of type `log` as rows of the console."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

import pyarrow as pa

from runferry.chunks import Console, Lost, Raw
from runferry.dialects.clearml.names import Event
from runferry.model import Tree
from runferry.readers.clearml.events import odd_fields, time_ns_of_event
from runferry.tables import CONSOLE, TIME, dumps

_AT_ONCE: Final = 16_384
_STDERR: Final = frozenset({"error", "critical", "fatal"})
"""What the client makes of stderr (`log.level` of what is printed there is `error`)."""
_STREAMS: Final = frozenset({"info", "error"})
"""The levels of what is printed to stdout and to stderr: the line's stream says as much."""


class ConsoleRows:
    """Collects lines; the client took the end of each message away, which is put back."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._streams: list[str] = []
        self._times: list[int | None] = []
        self._seq = 0
        self._odd: Counter[str] = Counter()
        self._levels = _Levels()
        self.worker: str | None = None  # the first that printed

    def add(self, event: Event) -> Iterator[Console | Raw]:
        """One message, which may have several lines."""
        level = str(event.get("level") or "").lower()
        yield from self._levels.add(level, self._seq + len(self._lines))
        worker = event.get("worker")
        if self.worker is None and isinstance(worker, str) and worker:
            self.worker = worker
        time_ns = time_ns_of_event(event)
        self._odd["timestamp"] += time_ns is None and event.get("timestamp") is not None
        stream = "stderr" if level in _STDERR else "stdout"
        for line in str(event.get("msg") or "").split("\n"):
            self._lines.append(f"{line}\n")
            self._streams.append(stream)
            self._times.append(time_ns)
            if len(self._lines) >= _AT_ONCE:
                yield from self.drain()

    def finish(self) -> Iterator[Console | Raw]:
        """What is left when all messages were added."""
        yield from self._levels.drain(self._seq + len(self._lines))
        yield from self.drain()

    def drain(self) -> Iterator[Console]:
        """What was collected; nothing is held afterwards."""
        count = len(self._lines)
        if not count:
            return
        micro = [None if time is None else time // 1000 for time in self._times]
        below = [None if time is None or not time % 1000 else time % 1000 for time in self._times]
        streams = pa.array(self._streams, pa.string()).cast(CONSOLE.field("stream").type)
        columns = {
            "time": pa.array(micro, pa.int64()).cast(TIME),
            "time_ns": pa.array(below, pa.int16()),
            "stream": streams,
            "line": pa.array(self._lines, pa.string()),
            "seq": pa.array(range(self._seq, self._seq + count), pa.int64()),
        }
        self._seq += count
        self._lines, self._streams, self._times = [], [], []
        yield Console(pa.RecordBatch.from_pydict(columns, schema=CONSOLE))

    def losses(self) -> Iterator[Lost]:
        """What messages said that no line holds."""
        yield from odd_fields(self._odd)


class _Levels:
    """What levels say beyond the stream: once for all lines that follow each other with one."""

    def __init__(self) -> None:
        self._level = ""
        self._first = 0

    def add(self, level: str, line: int) -> Iterator[Raw]:
        """The level of a message, and the number of its first line."""
        if level != self._level:
            yield from self.drain(line)
            self._level, self._first = level, line

    def drain(self, end: int) -> Iterator[Raw]:
        """The lines before this number have been told."""
        if self._level and self._level not in _STREAMS:
            said: Tree = {"level": self._level, "lines": [self._first, end]}
            reason = "the level of console lines, by their numbers"
            yield Raw("log-level", reason, dumps(said).encode(), self._first)
        self._level = ""

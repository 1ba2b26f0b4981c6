"""What a task printed: events of type `log` as rows of the console."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

import pyarrow as pa

from runferry.chunks import Console, Lost
from runferry.dialects.clearml.names import Event
from runferry.readers.clearml.events import odd_fields, time_ns_of_event
from runferry.tables import CONSOLE, TIME

_AT_ONCE: Final = 16_384
_STDERR: Final = frozenset({"error", "critical", "fatal"})
"""What the client makes of stderr (`log.level` of what is printed there is `error`)."""


class ConsoleRows:
    """Collects lines; the client took the end of each message away, which is put back."""

    def __init__(self, seq: int = 0) -> None:
        """`seq` is the number of lines of an earlier read."""
        self._lines: list[str] = []
        self._streams: list[str] = []
        self._times: list[int | None] = []
        self._seq = seq
        self._odd: Counter[str] = Counter()
        self.worker: str | None = None  # the first that printed

    @property
    def seq(self) -> int:
        """The number of the next line, once all are drained."""
        return self._seq

    def add(self, event: Event) -> Iterator[Console]:
        """One message, which may have several lines."""
        level = str(event.get("level") or "").lower()
        worker = event.get("worker")
        if self.worker is None and isinstance(worker, str) and worker:
            self.worker = worker
        time_ns = time_ns_of_event(event)
        self._odd["timestamp"] += time_ns is None and event.get("timestamp") is not None
        for line in str(event.get("msg") or "").split("\n"):
            self._lines.append(f"{line}\n")
            self._streams.append("stderr" if level in _STDERR else "stdout")
            self._times.append(time_ns)
            if len(self._lines) >= _AT_ONCE:
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

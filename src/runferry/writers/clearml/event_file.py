"""Files of events: arrays of JSON objects, one a line; points are written by the column."""

from __future__ import annotations

import json
import zlib
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Final

import pyarrow as pa

from runferry._native import ClearmlEvents
from runferry.dialects.clearml.names import SCALAR, Event
from runferry.dialects.clearml.own_copy import Span
from runferry.writers.clearml.rising import Rising
from runferry.writers.clearml.session_zip import LEVEL, Member

_A_LINE: Final = 1_000
"""Events in an array, which the importer sends as one request."""
_BYTES_A_LINE: Final = 4 << 20


class EventFile:
    """One file of events, made when the first is written.

    Points are written in a thread: meanwhile the next ones are read, and our own copy is written.
    """

    def __init__(
        self,
        path: Path,
        task_id: str,
        *,
        is_finite: bool = False,
        packed: Member | None = None,
    ) -> None:
        """`is_finite`: without NaN and infinities, which a server's index refuses.

        `packed` is what the same is put into while it is written.
        """
        place = None if packed is None else packed.place
        self._file = ClearmlEvents(path, packed=place, is_finite=is_finite)
        self._member = packed
        self._thread = ThreadPoolExecutor(1, "events")
        self._writing: Future[None] | None = None
        self._is_open = True
        self._task = task_id
        self._heads: dict[str, str] = {}
        self._waiting: list[str] = []
        self._waiting_bytes = 0
        self._rising = Rising()
        self._most: Counter[str] = Counter()
        self._fewest: Counter[str] = Counter()

    @property
    def spans(self) -> dict[str, Span]:
        """How many events there are, by type."""
        self._wait()
        most, fewest = self._most.copy(), self._fewest.copy()
        points, rising = self._file.counts
        most[SCALAR] += points
        fewest[SCALAR] += rising
        return {kind: (fewest[kind], count) for kind, count in most.items() if count}

    @property
    def written(self) -> int:
        """How many events there are by now, of all types."""
        return sum(most for _, most in self.spans.values())

    def scalars(self, batch: pa.RecordBatch, title_of: Callable[[str], tuple[str, str]]) -> None:
        """Rows of `tables.POINTS`; a null that was logged is no event."""
        keys = batch.column("key").dictionary.to_pylist()
        for key in keys:
            if key not in self._heads:
                self._heads[key] = self._head(*title_of(key))
        heads = [self._heads[key] for key in keys]
        self._wait()
        self._writing = self._thread.submit(self._file.points, batch, heads)

    def add(self, kind: str, event: Event) -> None:
        """One event; they wait until they are a line."""
        text = json.dumps({"type": kind, "task": self._task, **event}, ensure_ascii=True)
        self._waiting.append(text)
        self._waiting_bytes += len(text)
        self._most[kind] += 1
        place = (kind, event.get("metric"), event.get("variant"))
        if "key" in event or "iter" not in event or self._rising.is_new(place, event["iter"]):
            self._fewest[kind] += 1
        if len(self._waiting) >= _A_LINE or self._waiting_bytes >= _BYTES_A_LINE:
            self._write_waiting()

    def add_all(self, kind: str, events: Iterable[Event]) -> None:
        """Several."""
        for event in events:
            self.add(kind, event)

    def close(self) -> None:
        """Write what waits; nothing comes after this. Harmless when repeated."""
        if not self._is_open:
            return
        self._is_open = False
        with self._thread:
            self._write_waiting()
            self._wait()
            sums = self._file.finish()
        if self._member is not None:
            self._member.finish(*sums)

    def _head(self, title: str, series: str) -> str:
        """What events of a series begin with, up to the iteration."""
        head = {"type": SCALAR, "task": self._task, "metric": title, "variant": series}
        return f'{json.dumps(head, separators=(",", ":"))[:-1]},"iter":'

    def _write_waiting(self) -> None:
        if self._waiting:
            self._wait()
            text = f"[{','.join(self._waiting)}]\n".encode()
            self._file.lines(text, b"" if self._member is None else _packed(text))
        self._waiting, self._waiting_bytes = [], 0

    def _wait(self) -> None:
        """Until the points are written. Raises what went wrong with them."""
        writing, self._writing = self._writing, None
        if writing is not None:
            writing.result()


def _packed(text: bytes) -> bytes:
    """As blocks of DEFLATE that others may follow."""
    packer = zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    return packer.compress(text) + packer.flush(zlib.Z_SYNC_FLUSH)

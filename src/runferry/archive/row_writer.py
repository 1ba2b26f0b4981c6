"""Rows on their way into segments: buffered, sorted, counted, hashed, written in flat memory."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from runferry.archive.counts import Tally
from runferry.archive.digest import RowSum
from runferry.archive.layout import ROW_TABLES
from runferry.archive.points import KeyCodes, PointBuffer, SortedPoints
from runferry.archive.record import RunRecord, Segment, Sum
from runferry.archive.rows import RowBuffer, as_sorted, lengths
from runferry.archive.segments import SegmentFile
from runferry.dialects.row_tables import ROW_SCHEMAS
from runferry.durable import sync

MAX_SEGMENT_ROWS = 4_000_000

NewSegment = Callable[[str, int, pa.Schema], SegmentFile]


class _Beside:
    """A thread that does one piece of work while the next is prepared; it begins with the first."""

    def __init__(self) -> None:
        self._thread: ThreadPoolExecutor | None = None
        self._in_flight: Future[None] | None = None

    def do(self, work: Callable[[], None]) -> None:
        """Wait for the work that was given before, which may raise, and begin with this."""
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="archive-segments")
        self.wait()
        self._in_flight = self._thread.submit(work)

    def wait(self) -> None:
        """Until all is done. Raises what went wrong."""
        if self._in_flight is not None:
            in_flight, self._in_flight = self._in_flight, None
            in_flight.result()

    def abandon(self) -> None:
        """Wait, whatever became of it."""
        if self._in_flight is not None:
            self._in_flight.exception()
            self._in_flight = None

    def close(self) -> None:
        """End the thread."""
        if self._thread is not None:
            self._thread.shutdown()
            self._thread = None


class RowWriter:
    """The row tables of one draft.

    Scalars are cut into segments of `segment_rows`, other tables into row groups; each is hashed
    and written by a second thread while the next are filled, one at a time: a third thread would
    take 40 MB more. That thread sorts the row groups too; scalars are sorted before, which empties
    their buffer for the next ones. What was written is that thread's alone until `finish`.
    """

    def __init__(
        self, root: Path, new_segment: NewSegment, after: RunRecord | None, segment_rows: int
    ) -> None:
        self._root = root
        self._new_segment = new_segment
        self._segment_rows = segment_rows
        self._sums = {
            table: RowSum(after.sums.get(table) if after else None) for table in ROW_TABLES
        }
        self._tallies: defaultdict[str, Tally] = defaultdict(Tally)
        self._last_number = {
            table: max((segment.number for segment in after.of(table)), default=0) if after else 0
            for table in ROW_TABLES
        }
        self._codes = KeyCodes()
        self._points: PointBuffer | None = None
        self._beside = _Beside()
        self._buffers: dict[str, RowBuffer] = {}
        self._files: dict[str, SegmentFile] = {}
        self._done: list[Segment] = []
        self._writing: SegmentFile | None = None

    # --- counts -----------------------------------------------------------------------------------

    def restore(self, key: str, tallies: Mapping[str, Mapping[str, Any]]) -> None:
        """Count on from what an earlier commit counted."""
        for table, state in tallies.items():
            self._tallies[table].restore(key, state)

    def tallies(self) -> dict[str, dict[str, dict[str, Any]]]:
        """What was counted of each series, by table."""
        counted: dict[str, dict[str, dict[str, Any]]] = {}
        for table in filter(self._tallies.__contains__, ROW_TABLES):  # whichever came first
            for key, state in self._tallies[table].states():
                counted.setdefault(key, {})[table] = state
        return counted

    def sums(self) -> dict[str, Sum]:
        """The content of each table that has rows."""
        return {table: total.state() for table, total in self._sums.items() if total.rows}

    # --- rows -------------------------------------------------------------------------------------

    def put(self, table: str, batch: pa.RecordBatch) -> None:
        """Add rows."""
        if table == "points":
            self._put_points(batch)
            return
        buffer = self._buffers.setdefault(table, RowBuffer(table))
        buffer.put(batch)
        if buffer.is_full:
            del self._buffers[table]
            self._beside.do(partial(self._write_rows, buffer))

    def _put_points(self, batch: pa.RecordBatch) -> None:
        start = 0
        while start < batch.num_rows:
            if self._points is None:
                self._points = PointBuffer(self._codes, self._segment_rows)
            room = self._points.capacity - self._points.rows
            piece = batch if not start and batch.num_rows <= room else batch.slice(start, room)
            self._points.put(piece)
            start += piece.num_rows
            if self._points.rows == self._points.capacity:
                self._beside.do(partial(self._write_and_sync, self._points.sorted()))

    def _next(self, table: str) -> int:
        self._last_number[table] += 1
        return self._last_number[table]

    def _write_and_sync(self, points: SortedPoints) -> None:
        """A large segment goes to the disk at once, rather than all of them at the commit."""
        segment = self._write_points(points)
        sync([self._root / segment.path])

    def _write_points(self, points: SortedPoints) -> Segment:
        self._tallies["points"].add(points)
        rows = points.table()
        self._sums["points"].add_points(rows)
        self._writing = self._new_segment("points", self._next("points"), ROW_SCHEMAS["points"])
        self._writing.add(rows)
        segment = self._writing.finish()
        self._writing = None
        self._done.append(segment)
        return segment

    def _write_rows(self, buffer: RowBuffer) -> None:
        table = buffer.table
        rows = buffer.sorted()
        if "key" in buffer.schema.names:
            self._tallies[table].add(as_sorted(rows), lengths(table, rows))
        self._sums[table].add_rows(rows)
        file = self._files.get(table)
        if file is None:
            file = self._files[table] = self._new_segment(table, self._next(table), buffer.schema)
        file.add(rows)
        if file.rows + rows.num_rows > MAX_SEGMENT_ROWS:
            self._done.append(self._files.pop(table).finish())

    # --- the end ----------------------------------------------------------------------------------

    def finish(self) -> list[Segment]:
        """Write what is left; all segments of this draft, by table and number."""
        self._beside.wait()
        points, self._points = self._points, None
        if points is not None and points.rows:
            self._write_points(points.sorted())
        for buffer in self._buffers.values():
            if buffer.rows:
                self._write_rows(buffer)
        self._done.extend(file.finish() for file in self._files.values())
        self._files.clear()
        self.close()
        return sorted(self._done, key=lambda done: (ROW_TABLES.index(done.table), done.number))

    def abandon(self) -> None:
        """Let go of all files, whatever became of them."""
        self._beside.abandon()
        for file in (*self._files.values(), self._writing):
            if file is not None:
                file.abandon()
        self._files.clear()
        self.close()

    def close(self) -> None:
        """End the second thread."""
        self._beside.close()

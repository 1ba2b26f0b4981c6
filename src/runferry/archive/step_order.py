"""All series of a run merged by (step, seq), in memory that does not grow with the run.

Each table is sorted in buckets (`step_buckets`); where segments of numbers follow each other
already (`step_ranges`), each of them by itself.
The order is (step, step_frac, seq); rows without a step come last, by (time, seq).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa

from runferry.archive import step_buckets
from runferry.archive.points import KeyCodes
from runferry.archive.reading import batches
from runferry.archive.record import Segment
from runferry.archive.row_order import Order, order_of
from runferry.archive.step_ranges import follow_each_other, one_by_one
from runferry.archive.working_folder import working_folder
from runferry.dialects.row_tables import ROW_SCHEMAS
from runferry.errors import ArchiveError
from runferry.tables import KEY

CHUNK_ROWS = 65_536


def in_step_order(
    root: Path, keyed: Mapping[str, Sequence[Segment]]
) -> Iterator[tuple[str, pa.RecordBatch]]:
    """Batches of the tables in windows of rising (step, seq); no row is split between windows.

    A window ends where the first of the tables has a batch full; it has the rows of all of them up
    to there, in this order. A single row of more than 65,536 values is the one thing that is split.
    """
    with ExitStack() as stack:
        scratch = _scratch_place(stack, root)
        lanes = {
            table: _Lane(_sorted(root, table, segments, scratch))
            for table, segments in keyed.items()
            if segments
        }
        while lanes:
            end = min(lane.next_end() for lane in lanes.values())
            for table in list(lanes):
                yield from ((table, batch) for batch in lanes[table].up_to(end))
                if lanes[table].is_empty:
                    del lanes[table]


def _scratch_place(stack: ExitStack, root: Path) -> Path:
    """The archive's own disk, where it can be written: /tmp may be memory."""
    try:
        return stack.enter_context(working_folder(root))
    except (OSError, ArchiveError):
        return Path(stack.enter_context(TemporaryDirectory(prefix="runferry-step-order-")))


def _sorted(
    root: Path, table: str, segments: Sequence[Segment], scratch: Path
) -> Iterator[pa.RecordBatch]:
    """One table in order, in batches that are buckets."""
    codes = KeyCodes()
    coded = _coded_schema(ROW_SCHEMAS[table])
    columns = ["step", "step_frac", "time", "time_ns", "seq"]

    def rows(some: Sequence[Segment] = segments) -> Iterator[pa.RecordBatch]:
        for batch in batches(root, some, rows=step_buckets.BUCKET_ROWS):
            key = pa.array(codes.codes(batch.column("key")))
            yield pa.RecordBatch.from_arrays([key, *batch.columns[1:]], schema=coded)

    def addresses() -> Iterator[pa.RecordBatch]:
        return batches(root, segments, columns=columns, rows=step_buckets.BUCKET_ROWS)

    total = sum(segment.rows for segment in segments)
    if table == "points" and follow_each_other(root, segments, step_buckets.BUCKET_ROWS):
        found = one_by_one(list(rows([segment])) for segment in segments)
    else:
        folder = scratch / table
        folder.mkdir()
        size_bytes = 0 if table == "points" else step_buckets.size_of(root, segments)
        found = step_buckets.in_order(
            step_buckets.Rows(total, size_bytes, rows, addresses), folder, coded
        )
    for batch in found:
        key = pa.DictionaryArray.from_arrays(batch.column(0), pa.array(codes.keys, pa.string()))
        yield pa.RecordBatch.from_arrays([key, *batch.columns[1:]], schema=ROW_SCHEMAS[table])


def _coded_schema(schema: pa.Schema) -> pa.Schema:
    """The schema with keys as numbers: bucket files repeat no names."""
    return schema.set(schema.get_field_index("key"), pa.field("key", KEY.index_type))


class _Lane:
    """One table on its way through the windows."""

    def __init__(self, buckets: Iterator[pa.RecordBatch]) -> None:
        self._buckets = buckets
        self._batch: pa.RecordBatch | None = None
        self._order: Order = ()
        self._at = 0
        self._advance()

    def _advance(self) -> None:
        self._batch, self._at = None, 0
        for batch in self._buckets:
            if batch.num_rows:
                self._batch, self._order = batch, order_of(batch)
                return

    @property
    def is_empty(self) -> bool:
        return self._batch is None

    def next_end(self) -> tuple[int, ...]:
        """The address that the next batch of this table ends with: a row's last value."""
        rows = len(self._order[0])
        end = min(self._at + CHUNK_ROWS, rows)
        if end < rows:
            end = self._row_start(end) or end
        return tuple(int(component[end - 1]) for component in self._order)

    def _row_start(self, at: int) -> int:
        """Where the row begins that stands at `at`; 0 if it fills the batch up to there."""
        same = np.ones(at - self._at, np.bool_)
        for component in self._order:
            same &= component[self._at : at] == component[at]
        begin = at - int(same.sum())
        return begin if begin > self._at else 0

    def up_to(self, end: tuple[int, ...]) -> Iterator[pa.RecordBatch]:
        """The rows up to and with this address."""
        while self._batch is not None:
            stop = self._at + self._count(end)
            for start in range(self._at, stop, CHUNK_ROWS):
                yield self._batch.slice(start, min(CHUNK_ROWS, stop - start))
            self._at = stop
            if stop < self._batch.num_rows:
                return
            self._advance()

    def _count(self, end: tuple[int, ...]) -> int:
        """How many of the rows that are left, which are sorted, are not beyond `end`."""
        left = [component[self._at :] for component in self._order]
        within = left[-1] <= end[-1]
        for component, bound in zip(left[-2::-1], end[-2::-1], strict=True):
            within = (component < bound) | ((component == bound) & within)
        return int(np.count_nonzero(within))

"""All series of a run merged by (step, seq), in memory that does not grow with the run.

An external bucket sort: histogram the steps, scatter the rows to bucket files, sort each bucket.
A bucket that is still too large is split again, by the next component of the order if need be.
Where the segments follow each other already (`step_ranges`), each is sorted by itself.
The order is (step, step_frac, seq); rows without a step come last, by (time, seq).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from runferry.archive.points import KeyCodes
from runferry.archive.reading import batches
from runferry.archive.record import Segment
from runferry.archive.step_ranges import Order, follow_each_other, one_by_one, sorting
from runferry.archive.working_folder import working_folder
from runferry.dialects.row_tables import ROW_SCHEMAS
from runferry.errors import ArchiveError
from runferry.tables import KEY

BUCKET_ROWS = 393_216  # as a segment has
CHUNK_ROWS = 65_536
_MAX_BUCKETS = 256  # files open at once
_BINS = 4_096
_LATEST = np.iinfo(np.int64).max

Batches = Callable[[], Iterator[pa.RecordBatch]]


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


def order_of(batch: pa.RecordBatch) -> Order:
    """The components of the order, the first deciding first."""
    step, seq = batch.column("step"), batch.column("seq")
    stepless = step.is_null().to_numpy(zero_copy_only=False)
    first = step.fill_null(0).to_numpy(zero_copy_only=False)
    frac = batch.column("step_frac").fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
    if stepless.any():
        time = batch.column("time").view(pa.int64()).fill_null(_LATEST)
        below = batch.column("time_ns").fill_null(0).to_numpy(zero_copy_only=False)
        first = np.where(stepless, time.to_numpy(zero_copy_only=False), first)
        frac = np.where(stepless, below.astype(np.int64), frac)
    return stepless.astype(np.int64), first, frac, seq.to_numpy(zero_copy_only=False)


@dataclass
class _Rows:
    """Rows that can be read more than once."""

    count: int
    batches: Batches
    addresses: Batches  # the same rows, with the columns that decide the order


def _sorted(
    root: Path, table: str, segments: Sequence[Segment], scratch: Path
) -> Iterator[pa.RecordBatch]:
    """One table in order, in batches that are buckets."""
    codes = KeyCodes()
    coded = _coded_schema(ROW_SCHEMAS[table])
    columns = ["step", "step_frac", "time", "time_ns", "seq"]

    def rows(some: Sequence[Segment] = segments) -> Iterator[pa.RecordBatch]:
        for batch in batches(root, some, rows=BUCKET_ROWS):
            key = pa.array(codes.codes(batch.column("key")))
            yield pa.RecordBatch.from_arrays([key, *batch.columns[1:]], schema=coded)

    def addresses() -> Iterator[pa.RecordBatch]:
        return batches(root, segments, columns=columns, rows=BUCKET_ROWS)

    total = sum(segment.rows for segment in segments)
    if follow_each_other(root, segments, BUCKET_ROWS):
        found = one_by_one((list(rows([segment])) for segment in segments), order_of)
    else:
        folder = scratch / table
        folder.mkdir()
        found = _in_order(_Rows(total, rows, addresses), folder, coded)
    for batch in found:
        key = pa.DictionaryArray.from_arrays(batch.column(0), pa.array(codes.keys, pa.string()))
        yield pa.RecordBatch.from_arrays([key, *batch.columns[1:]], schema=ROW_SCHEMAS[table])


def _coded_schema(schema: pa.Schema) -> pa.Schema:
    """The schema with keys as numbers: bucket files repeat no names."""
    return schema.set(schema.get_field_index("key"), pa.field("key", KEY.index_type))


def _in_order(rows: _Rows, folder: Path, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    if rows.count <= BUCKET_ROWS:
        table = pa.Table.from_batches(rows.batches(), schema).unify_dictionaries()
        whole = table.combine_chunks().to_batches()
        if whole:
            yield whole[0].take(pa.array(sorting(order_of(whole[0]))))
        return
    split = _split(rows)
    if split is None:  # all at one address
        yield from rows.batches()
        return
    for number, bucket in enumerate(_scatter(rows, split, folder, schema)):
        below = folder / str(number)
        yield from _in_order(bucket, below, schema)
        (folder / f"{number}.arrows").unlink(missing_ok=True)


@dataclass
class _Split:
    """Which bucket a row goes to: by bins of one component of the order."""

    component: int
    low: int
    shift: int
    bucket_of: NDArray[np.int64]  # by bin

    @property
    def buckets(self) -> int:
        return int(self.bucket_of[-1]) + 1

    def bins(self, order: Order) -> NDArray[np.int64]:
        offset = order[self.component].view(np.uint64) - np.uint64(self.low % 2**64)
        return (offset >> np.uint64(self.shift)).astype(np.int64)


def _split(rows: _Rows) -> _Split | None:
    lows, highs = [2**63] * 4, [-(2**63)] * 4
    for batch in rows.addresses():
        for component, values in enumerate(order_of(batch)):
            lows[component] = min(lows[component], int(values.min()))
            highs[component] = max(highs[component], int(values.max()))
    differing = [component for component in range(4) if lows[component] < highs[component]]
    if not differing:
        return None
    component = differing[0]
    shift = max(0, (highs[component] - lows[component]).bit_length() - (_BINS.bit_length() - 1))
    split = _Split(component, lows[component], shift, np.zeros(_BINS, np.int64))
    histogram = np.zeros(_BINS, np.int64)
    for batch in rows.addresses():
        histogram += np.bincount(split.bins(order_of(batch)), minlength=_BINS)
    split.bucket_of = _grouped(histogram, max(BUCKET_ROWS, rows.count // _MAX_BUCKETS + 1))
    return split


def _grouped(histogram: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """Neighbouring bins share a bucket as long as it does not exceed `size` rows."""
    bucket_of = np.zeros(len(histogram), np.int64)
    bucket = filled = 0
    for number, count in enumerate(histogram.tolist()):
        if filled and filled + count > size:
            bucket, filled = bucket + 1, 0
        filled += count
        bucket_of[number] = bucket
    return bucket_of


def _scatter(rows: _Rows, split: _Split, folder: Path, schema: pa.Schema) -> list[_Rows]:
    folder.mkdir(exist_ok=True)
    paths = [folder / f"{number}.arrows" for number in range(split.buckets)]
    writers: dict[int, Any] = {}
    counts = [0] * split.buckets
    try:
        for batch in rows.batches():
            bucket = split.bucket_of[split.bins(order_of(batch))]
            by = np.argsort(bucket, kind="stable")
            borders = np.searchsorted(bucket[by], np.arange(split.buckets + 1)).tolist()
            grouped = batch.take(pa.array(by))
            for number in np.unique(bucket).tolist():
                if number not in writers:
                    writers[number] = pa.ipc.new_stream(str(paths[number]), schema)
                start, end = borders[number], borders[number + 1]
                writers[number].write_batch(grouped.slice(start, end - start))
                counts[number] += end - start
    finally:
        for writer in writers.values():
            writer.close()
    return [
        _Rows(count, _from_file(path, count), _from_file(path, count))
        for path, count in zip(paths, counts, strict=True)
    ]


def _from_file(path: Path, count: int) -> Batches:
    def read() -> Iterator[pa.RecordBatch]:
        if count:
            with pa.OSFile(str(path)) as source, pa.ipc.open_stream(source) as stream:
                yield from stream

    return read


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

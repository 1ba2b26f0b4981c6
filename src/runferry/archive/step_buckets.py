"""An external bucket sort of rows by step.

The steps are counted, the rows scattered to bucket files, and each bucket is sorted. A bucket that
is still too large is split again, by the next component of the order if need be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from runferry.archive.reading import opened
from runferry.archive.record import Segment
from runferry.archive.row_order import Order, order_of, sorting
from runferry.archive.rows import FLUSH_BYTES

BUCKET_ROWS = 393_216  # as a segment has
BUCKET_BYTES = 64 << 20  # of texts, which may be long
_MAX_BUCKETS = 256  # files open at once
_BINS = 4_096

Batches = Callable[[], Iterator[pa.RecordBatch]]


@dataclass
class Rows:
    """Rows that can be read more than once."""

    count: int
    size_bytes: int  # in memory, roughly
    batches: Batches
    addresses: Batches  # the same rows, with the columns that decide the order

    @property
    def share(self) -> int:
        """How many of them a bucket may have; all, where they fit."""
        if self.size_bytes > BUCKET_BYTES:
            return min(BUCKET_ROWS, self.count * BUCKET_BYTES // self.size_bytes)
        return BUCKET_ROWS


def size_of(root: Path, segments: Sequence[Segment]) -> int:
    """Bytes in memory, at least: of each full row group, and of the texts, which stand as such."""
    full = written = 0
    for segment in segments:
        with opened(root, segment) as file:
            groups = range(file.num_row_groups)
            full += len(groups) - 1
            written += sum(file.metadata.row_group(each).total_byte_size for each in groups)
    return max(full * FLUSH_BYTES, written)


def in_order(rows: Rows, folder: Path, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """The rows in order, in batches that are buckets; `folder` is there, for files of them."""
    if rows.count <= rows.share:
        table = pa.Table.from_batches(rows.batches(), schema).unify_dictionaries()
        whole = table.combine_chunks().to_batches()
        if len(whole) < 2:  # more than that is what a batch of texts does not hold
            yield from (one.take(pa.array(sorting(order_of(one)))) for one in whole)
            return
    split = _split(rows)
    if split is None:  # all at one address
        yield from rows.batches()
        return
    for number, bucket in enumerate(_scatter(rows, split, folder, schema)):
        below = folder / str(number)
        yield from in_order(bucket, below, schema)
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


def _split(rows: Rows) -> _Split | None:
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
    split.bucket_of = _grouped(histogram, max(rows.share, rows.count // _MAX_BUCKETS + 1))
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


def _scatter(rows: Rows, split: _Split, folder: Path, schema: pa.Schema) -> list[Rows]:
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
        Rows(count, path.stat().st_size if count else 0, *[_from_file(path, count)] * 2)
        for path, count in zip(paths, counts, strict=True)
    ]


def _from_file(path: Path, count: int) -> Batches:
    def read() -> Iterator[pa.RecordBatch]:
        if count:
            with pa.OSFile(str(path)) as source, pa.ipc.open_stream(source) as stream:
                yield from stream

    return read

"""Column operations on rows that travel: other keys, fewer rows, smaller batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def rekeyed(batch: pa.RecordBatch, name_of: Callable[[str], str | None]) -> pa.RecordBatch:
    """The batch with every key renamed; rows whose key gets no name are left out.

    Works on the distinct keys, not on the rows.
    """
    column = batch.column("key")
    names = [name_of(key) for key in column.dictionary.to_pylist()]
    if None in names:
        is_named = pa.array([name is not None for name in names], pa.bool_())
        batch = batch.filter(is_named.take(column.indices))
        column = batch.column("key")
    places = np.cumsum([name is not None for name in names]) - 1
    indices = pa.array(places.astype(np.int32)).take(column.indices)
    kept = pa.array([name for name in names if name is not None], pa.string())
    index = batch.schema.get_field_index("key")
    renamed = pa.DictionaryArray.from_arrays(indices, kept)
    return batch.set_column(index, batch.schema.field(index), renamed)


def batches_of(batch: pa.RecordBatch, rows: int, *, whole: bool) -> Iterator[pa.RecordBatch]:
    """The batch in pieces of at most `rows`; with `whole`, a source row (one seq) stays in one.

    A source row that alone has more values than `rows` travels by itself, larger than asked.
    """
    if batch.num_rows <= rows:
        if batch.num_rows:
            yield batch
        return
    if not whole:
        for start in range(0, batch.num_rows, rows):
            yield batch.slice(start, rows)
        return
    seq = batch.column("seq").to_numpy()
    ends = np.append(np.flatnonzero(np.diff(seq)) + 1, batch.num_rows)
    start = 0
    while start < batch.num_rows:
        last = int(np.searchsorted(ends, start + rows, side="right")) - 1
        end = int(ends[last]) if last >= 0 and ends[last] > start else 0
        if end <= start:
            end = int(ends[np.searchsorted(ends, start, side="right")])
        yield batch.slice(start, end - start)
        start = end


def without(batch: pa.RecordBatch, unwanted: pa.Array) -> pa.RecordBatch:
    """The batch without the rows for which `unwanted` is true; null counts as false."""
    return batch.filter(pc.invert(pc.fill_null(unwanted, False)))

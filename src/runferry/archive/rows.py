"""Rows of texts, histograms, media, console and raw records on their way into a segment."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from runferry.archive.points import SortedPoints
from runferry.dialects.row_tables import ROW_SCHEMAS
from runferry.tables import conform

FLUSH_BYTES = 8 << 20
FLUSH_ROWS = 262_144

_LENGTH = {"texts": ("text", pc.utf8_length), "histograms": ("counts", pc.list_value_length)}


class RowBuffer:
    """Rows of one table that wait for their row group."""

    def __init__(self, table: str) -> None:
        self.table = table
        self.schema = ROW_SCHEMAS[table]
        self.rows = 0
        self._bytes = 0
        self._batches: list[pa.RecordBatch] = []

    def put(self, batch: pa.RecordBatch) -> None:
        """Add rows."""
        batch = conform(batch, self.schema)
        if batch.num_rows:
            self._batches.append(batch)
            self.rows += batch.num_rows
            self._bytes += batch.nbytes

    @property
    def is_full(self) -> bool:
        """Whether it is time to write a row group."""
        return self._bytes >= FLUSH_BYTES or self.rows >= FLUSH_ROWS

    def sorted(self) -> pa.Table:
        """The rows by key and seq, where the table has keys; else as they came. Empties it."""
        table = pa.Table.from_batches(self._batches, self.schema).unify_dictionaries()
        self._batches, self.rows, self._bytes = [], 0, 0
        if "key" not in self.schema.names:
            return table
        order = pa.table(
            {
                "key": table["key"].cast(pa.string()),
                "seq": table["seq"],
                "at": np.arange(table.num_rows),
            }
        )
        by = [("key", "ascending"), ("seq", "ascending"), ("at", "ascending")]
        return table.take(pc.sort_indices(order, sort_keys=by)).combine_chunks()


def as_sorted(table: pa.Table) -> SortedPoints:
    """The addresses of sorted rows, for counting."""
    keys = table["key"].cast(pa.string()).combine_chunks().dictionary_encode()
    arrays: dict[str, NDArray[Any]] = {}
    valid: dict[str, NDArray[np.bool_]] = {}
    for name in ("step", "step_frac", "time", "time_ns"):
        column = table[name].combine_chunks()
        if column.null_count == len(column):
            continue
        if name == "time":
            column = column.view(pa.int64())
        if column.null_count:
            valid[name] = column.is_valid().to_numpy(zero_copy_only=False)
        arrays[name] = column.fill_null(0).to_numpy(zero_copy_only=False)
    # sorted by key, so that the dictionary is in order of rank
    ranks = keys.indices.to_numpy(zero_copy_only=False)
    kind = np.zeros(len(ranks), np.int8)
    return SortedPoints(keys.dictionary.to_pylist(), ranks, arrays, valid, kind)


def lengths(table: str, rows: pa.Table) -> NDArray[np.int64]:
    """Characters of a text, bins of a histogram; zero for what has no length."""
    if table not in _LENGTH:
        return np.zeros(rows.num_rows, np.int64)
    column, measure = _LENGTH[table]
    measured = measure(rows[column]).fill_null(0).cast(pa.int64())
    counted: NDArray[np.int64] = measured.combine_chunks().to_numpy(zero_copy_only=False)
    return counted

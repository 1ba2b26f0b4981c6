"""The Parquet files of a run: their schemas, encodings, and how one is written."""

from __future__ import annotations

import inspect
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from runferry.archive.durable import HashingFile
from runferry.archive.record import Segment
from runferry.tables import CONSOLE, HISTOGRAMS, POINTS, TEXTS

ROW_GROUP = 1_000_000
_WRITE_BYTES = 1 << 18  # the writer's own pieces are a few bytes each

MEDIA = pa.schema(
    [
        *(TEXTS.field(name) for name in ("key", "step", "step_frac", "time", "time_ns")),
        pa.field("index", pa.int32(), nullable=False),
        pa.field("media_type", pa.string(), nullable=False),
        pa.field("path", pa.string()),
        pa.field("caption", pa.string()),
        pa.field("metadata", pa.string()),  # JSON
        pa.field("sha256", pa.string()),  # null when the source did not state it and it is missing
        pa.field("size", pa.int64()),
        pa.field("mime", pa.string()),
        pa.field("present", pa.bool_(), nullable=False),
        TEXTS.field("seq"),
    ]
)

RAW = pa.schema(
    [
        pa.field("record_type", pa.string(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("payload", pa.binary(), nullable=False),
        pa.field("seq", pa.int64()),
    ]
)

ROW_SCHEMAS: dict[str, pa.Schema] = {
    "points": POINTS,
    "texts": TEXTS,
    "histograms": HISTOGRAMS,
    "media": MEDIA,
    "console": CONSOLE,
    "raw": RAW,
}

_POINT_ENCODINGS = {
    "step": "DELTA_BINARY_PACKED",
    "time": "BYTE_STREAM_SPLIT",
    "value": "BYTE_STREAM_SPLIT",
    "value_i64": "DELTA_BINARY_PACKED",
    "seq": "DELTA_BINARY_PACKED",
}
_SIDE_ENCODINGS = {"step": "DELTA_BINARY_PACKED", "seq": "DELTA_BINARY_PACKED"}

# pyarrow 22 began to cut pages at 20,000 rows, which hides the redundancy of times
_PAGE_ROWS: dict[str, Any] = (
    {"max_rows_per_page": ROW_GROUP}
    if "max_rows_per_page" in inspect.signature(pq.ParquetWriter.__init__).parameters
    else {}
)


@cache
def _options(table: str, columns: tuple[str, ...]) -> dict[str, Any]:
    """How a table is encoded. Dictionaries are written as such, yet typed as plain columns."""
    encodings = _POINT_ENCODINGS if table == "points" else _SIDE_ENCODINGS
    encodings = {name: kind for name, kind in encodings.items() if name in columns}
    plain = {*encodings, "edges", "counts", "text", "line", "payload"}
    return {
        "compression": "zstd",
        "compression_level": 3,
        "version": "2.6",
        "use_dictionary": [name for name in columns if name not in plain],
        "column_encoding": encodings,
        # with statistics on `value` DuckDB prunes row groups that hold NaN: no answer is right
        "write_statistics": [name for name in columns if name != "value"],
        "store_schema": False,  # it would bring the dictionary type back, 45 times slower to filter
        "dictionary_pagesize_limit": 1 << 27,
        "data_page_size": 1 << 28,
        "write_batch_size": 65_536,
        **_PAGE_ROWS,
    }


class SegmentFile:
    """One segment while it is written; a row group for each table that is added."""

    def __init__(self, root: Path, path: str, table: str, number: int, schema: pa.Schema) -> None:
        self.table = table
        self.rows = 0
        self._number = number
        self.path = path
        self._file = HashingFile(root / path)
        try:
            self._buffered = pa.BufferedOutputStream(pa.PythonFile(self._file, "w"), _WRITE_BYTES)
            self._writer = pq.ParquetWriter(
                self._buffered, schema, **_options(table, tuple(schema.names))
            )
        except BaseException:
            self._file.close()
            raise

    def add(self, rows: pa.Table) -> None:
        """Append rows of the schema as one row group."""
        self._writer.write_table(rows, row_group_size=ROW_GROUP)
        self.rows += rows.num_rows

    def finish(self) -> Segment:
        """Complete the file, which is not durable yet, and say what it is."""
        self._writer.close()
        self._buffered.close()
        self._file.close()
        return Segment(
            self.table, self._number, self.path, self.rows, self._file.size, self._file.sha256
        )

    def abandon(self) -> None:
        """Let go of the file, which is of no use any more."""
        self._file.close()  # first: then it hears neither what is buffered nor a footer
        with suppress(OSError, pa.ArrowException):  # of a write that failed before
            self._writer.close()

"""Rows of a run as Parquet: every table's schema, its encodings, media and raw records as rows."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from functools import cache
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from runferry.chunks import Raw
from runferry.model import Address, Blob, MediaItem
from runferry.tables import CONSOLE, HISTOGRAMS, POINTS, TEXTS, dumps, loads

ROW_GROUP = 1_000_000

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
_LISTS = {"edges": "edges.list.element", "counts": "counts.list.element"}
"""What Parquet calls the numbers in them."""
_WRITTEN_ONCE = {"edges", "text", "line", "payload"}
"""Columns whose values rarely repeat: a dictionary of them would be as long as they are."""
_QUICKLY = {"value", "edges", "counts"}
"""Columns that zstd makes no smaller when it tries harder, though it then takes twice as long."""

_LIST_PAGE = 1 << 20  # bytes; pages within the processor's cache are written a tenth faster

# pyarrow 22 began to cut pages at 20,000 rows, which hides the redundancy of times
_PAGE_ROWS: dict[str, Any] = (
    {"max_rows_per_page": ROW_GROUP}
    if "max_rows_per_page" in inspect.signature(pq.ParquetWriter.__init__).parameters
    else {}
)


@cache
def parquet_options(table: str, columns: tuple[str, ...]) -> dict[str, Any]:
    """How a table is encoded. Dictionaries are written as such, yet typed as plain columns."""
    encodings = _POINT_ENCODINGS if table == "points" else _SIDE_ENCODINGS
    encodings = {name: kind for name, kind in encodings.items() if name in columns}
    plain = {*encodings, *_WRITTEN_ONCE}
    return {
        "compression": "zstd",
        "compression_level": {
            _LISTS.get(name, name): 1 if name in _QUICKLY else 3 for name in columns
        },
        "version": "2.6",
        "use_dictionary": [_LISTS.get(name, name) for name in columns if name not in plain],
        "column_encoding": encodings,
        # with statistics on `value` DuckDB prunes row groups that hold NaN: no answer is right
        "write_statistics": [name for name in columns if name != "value"],
        "store_schema": False,  # it would bring the dictionary type back, 45 times slower to filter
        "dictionary_pagesize_limit": 1 << 27,
        "data_page_size": _LIST_PAGE if table == "histograms" else 1 << 28,
        "write_batch_size": 65_536,
        **_PAGE_ROWS,
    }


def media_batch(items: Sequence[MediaItem]) -> pa.RecordBatch:
    """Media as rows; their blobs are in the archive, or missing."""
    rows = []
    for item in items:
        time_ns = item.at.time_ns
        rows.append(
            {
                "key": item.key,
                "step": item.at.step,
                "step_frac": item.at.step_frac,
                "time": None if time_ns is None else time_ns // 1000,
                "time_ns": None if time_ns is None or time_ns % 1000 == 0 else time_ns % 1000,
                "index": item.index,
                "media_type": item.media_type,
                "path": item.path,
                "caption": item.caption,
                "metadata": None if item.metadata is None else dumps(item.metadata),
                "sha256": item.blob.sha256,
                "size": item.blob.size,
                "mime": item.blob.media_type,
                "present": not item.blob.is_missing,
                "seq": item.at.seq,
            }
        )
    return pa.RecordBatch.from_pylist(rows, schema=MEDIA)


def media_item(row: dict[str, Any], blob: Blob) -> MediaItem:
    """The inverse of `media_batch` for one row whose time is an int of µs."""
    time_ns = None if row["time"] is None else row["time"] * 1000 + (row["time_ns"] or 0)
    return MediaItem(
        key=row["key"],
        at=Address(row["seq"], row["step"], row["step_frac"], time_ns),
        media_type=row["media_type"],
        blob=blob,
        index=row["index"],
        path=row["path"],
        caption=row["caption"],
        metadata=None if row["metadata"] is None else loads(row["metadata"]),
    )


def raw_batch(record: Raw) -> pa.RecordBatch:
    """One raw record as a row."""
    row = {
        "record_type": record.record_type,
        "reason": record.reason,
        "payload": record.payload,
        "seq": record.seq,
    }
    return pa.RecordBatch.from_pylist([row], schema=RAW)

"""Which chunks are rows of which table, and back."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pyarrow as pa

from runferry.archive import snapshots
from runferry.archive.snapshots import BlobOf
from runferry.chunks import Chunk, Console, Histograms, Media, Points, Raw, Texts
from runferry.dialects.row_tables import media_batch, media_item, raw_batch

_WHOLE: dict[str, Callable[[pa.RecordBatch], Chunk]] = {
    "points": Points,
    "texts": Texts,
    "histograms": Histograms,
    "console": Console,
}
"""Tables whose rows are their chunk's batch as it is."""

_MEDIA_ROWS = 4_096


def rows_of(chunk: Chunk) -> tuple[str, pa.RecordBatch] | None:
    """The table and the rows of a chunk that has some; blobs must be in the archive already."""
    match chunk:
        case Points(batch):
            return "points", batch
        case Texts(batch):
            return "texts", batch
        case Histograms(batch):
            return "histograms", batch
        case Console(batch):
            return "console", batch
        case Media(items):
            return "media", media_batch(items)
        case Raw():
            return "raw", raw_batch(chunk)
        case _:
            return None


def chunks_of(table: str, batch: pa.RecordBatch, stored: BlobOf) -> Iterator[Chunk]:
    """The inverse of `rows_of`; `stored` finds blobs."""
    if table in _WHOLE:
        yield _WHOLE[table](batch)
    elif table == "raw":
        for row in batch.to_pylist():
            yield Raw(row["record_type"], row["reason"], row["payload"], row["seq"])
    else:
        for start in range(0, batch.num_rows, _MEDIA_ROWS):
            yield media_of(batch.slice(start, _MEDIA_ROWS), stored)


def media_of(batch: pa.RecordBatch, stored: BlobOf) -> Media:
    """All media rows of a batch as one chunk."""
    at = batch.schema.get_field_index("time")
    batch = batch.set_column(at, "time", batch.column(at).cast(pa.int64()))
    return Media(
        tuple(media_item(row, snapshots.blob_of(row, stored)) for row in batch.to_pylist())
    )

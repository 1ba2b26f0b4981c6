"""An archived run as chunks again, a batch at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

import pyarrow as pa

from runferry.archive import snapshots
from runferry.archive.blobs import stored_blob
from runferry.archive.layout import ROW_TABLES
from runferry.archive.reading import batches
from runferry.archive.record import RunRecord, Segment
from runferry.archive.rows import media_item
from runferry.archive.step_order import in_step_order
from runferry.chunks import (
    Attributes,
    Checkpoint,
    Chunk,
    Console,
    Header,
    Histograms,
    Lost,
    Media,
    Points,
    Raw,
    SeriesFacts,
    Texts,
)

if TYPE_CHECKING:
    from runferry.archive.store import Archive

_MEDIA_ROWS = 4_096

_WHOLE: dict[str, Callable[[pa.RecordBatch], Chunk]] = {
    "points": Points,
    "texts": Texts,
    "histograms": Histograms,
    "console": Console,
}


def chunks(
    archive: Archive, record: RunRecord, skip: Sequence[Segment], order: str
) -> Iterator[Chunk]:
    """See `Archive.chunks`."""
    if order not in ("any", "step"):
        raise ValueError(f"no such order: {order}")
    skipped = {segment.path for segment in skip}
    left = [segment for segment in record.segments if segment.path not in skipped]
    yield Header(record.run)
    if record.attributes:
        yield Attributes(record.attributes)
    series = archive.series(record)
    if series:
        yield SeriesFacts(series)
    if order == "step":
        keyed = {table: [s for s in left if s.table == table] for table in _KEYED}
        for table, batch in in_step_order(archive.path, keyed):
            yield from _rows(archive, table, batch)
        left = [segment for segment in left if segment.table not in _KEYED]
    for table in ROW_TABLES:
        for batch in batches(archive.path, [s for s in left if s.table == table]):
            yield from _rows(archive, table, batch)
    yield from _snapshots(archive, record)
    for loss in record.losses:
        yield Lost(loss)
    if record.has_cursor:
        yield Checkpoint(record.position)


_KEYED = ("points", "texts", "histograms", "media")


def _rows(archive: Archive, table: str, batch: pa.RecordBatch) -> Iterator[Chunk]:
    if table in _WHOLE:
        yield _WHOLE[table](batch)
    elif table == "raw":
        for row in batch.to_pylist():
            yield Raw(row["record_type"], row["reason"], row["payload"], row["seq"])
    else:
        stored = partial(stored_blob, archive.path)
        for start in range(0, batch.num_rows, _MEDIA_ROWS):
            piece = batch.slice(start, _MEDIA_ROWS)
            time = piece.schema.get_field_index("time")
            piece = piece.set_column(time, "time", piece.column(time).cast(pa.int64()))
            yield Media(
                tuple(media_item(row, snapshots.blob_of(row, stored)) for row in piece.to_pylist())
            )


def _snapshots(archive: Archive, record: RunRecord) -> Iterator[Chunk]:
    stored = partial(stored_blob, archive.path)
    for row in archive.snapshot(record, "files"):
        yield snapshots.file_of(row, stored)
    for row in archive.snapshot(record, "artifacts"):
        yield snapshots.artifact_of(row, stored)
    for row in archive.snapshot(record, "documents"):
        yield snapshots.document_of(row)

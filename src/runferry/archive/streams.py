"""An archived run as chunks again, a batch at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

from runferry.archive import snapshots
from runferry.archive.blobs import stored_blob
from runferry.archive.layout import KIND_OF, ROW_TABLES
from runferry.archive.reading import batches
from runferry.archive.record import RunRecord, Segment
from runferry.archive.row_chunks import chunks_of
from runferry.archive.snapshots import BlobOf
from runferry.archive.step_order import in_step_order
from runferry.chunks import Attributes, Checkpoint, Chunk, Header, Lost, SeriesFacts

if TYPE_CHECKING:
    from runferry.archive.store import Archive


def chunks(
    archive: Archive, record: RunRecord, skip: Sequence[Segment], order: str
) -> Iterator[Chunk]:
    """See `Archive.chunks`."""
    if order not in ("any", "step"):
        raise ValueError(f"no such order: {order}")
    skipped = {segment.path for segment in skip}
    left = [segment for segment in record.segments if segment.path not in skipped]
    yield Header(record.run)
    if record.attributes or skip:  # what is gone since a run was sent is told by a whole without it
        yield Attributes(record.attributes, is_whole=True)
    series = archive.series(record)
    if series:
        yield SeriesFacts(series)
    stored = partial(stored_blob, archive.path)
    if order == "step":
        keyed = {table: [s for s in left if s.table == table] for table in _KEYED}
        for table, batch in in_step_order(archive.path, keyed):
            yield from chunks_of(table, batch, stored)
        left = [segment for segment in left if segment.table not in _KEYED]
    for table in ROW_TABLES:
        for batch in batches(archive.path, [s for s in left if s.table == table]):
            yield from chunks_of(table, batch, stored)
    yield from _snapshots(archive, record, stored)
    for loss in record.losses:
        yield Lost(loss)
    if record.has_cursor:
        yield Checkpoint(record.position)


_KEYED = tuple(KIND_OF)


def _snapshots(archive: Archive, record: RunRecord, stored: BlobOf) -> Iterator[Chunk]:
    for row in archive.snapshot(record, "files"):
        yield snapshots.file_of(row, stored)
    for row in snapshots.in_order_of_versions(archive.snapshot(record, "artifacts")):
        yield snapshots.artifact_of(row, stored)
    for row in archive.snapshot(record, "documents"):
        yield snapshots.document_of(row)

"""What `plan` needs to know of a run: its commit record, and, when asked, what rows alone tell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from functools import cache, partial
from typing import TYPE_CHECKING, Final

from runferry.archive.layout import KIND_OF, ROW_TABLES
from runferry.archive.record import RunRecord
from runferry.archive.snapshots import mixed_of
from runferry.model import Inventory, RowOrder

if TYPE_CHECKING:
    from runferry.archive.store import Archive

_COUNTED: Final = [("path", "count"), ("metadata", "count")]


def inventory(archive: Archive, record: RunRecord) -> Inventory:
    """Rows and missing blobs by kind, as Limits.holds names them."""
    rows, missing = Counter[str](), Counter[str]()
    for table, total in record.sums.items():
        if table in ROW_TABLES and table != "media":
            rows[KIND_OF.get(table, table)] += total.rows
    for media_type, (count, without_bytes) in record.media.items():
        rows[media_type] += count
        missing[media_type] += without_bytes
    rows.update(attribute.role for attribute in record.attributes)
    files = archive.snapshot(record, "files")
    rows["file"] += len(files)
    missing["file"] += sum(not row["present"] for row in files)
    artifacts = archive.snapshot(record, "artifacts")
    rows["artifact"] += len(artifacts)
    for artifact in artifacts:
        missing["artifact"] += sum(
            not entry["present"] and "reference" not in entry for entry in artifact["entries"]
        )
    rows["document"] += len(archive.snapshot(record, "documents"))
    return Inventory(
        run=record.run,
        attributes=record.attributes,
        series=archive.series(record),
        rows=+rows,
        missing=+missing,
        losses=record.losses,
        mixed=mixed_of(archive.snapshot(record, "series")),
        files=tuple(row["path"] for row in files),
        artifacts=archive.artifacts(record),
        media_facts=cache(partial(_media_facts, archive, record)),
        row_order=partial(_row_order, archive, record),
    )


def _row_order(
    archive: Archive, record: RunRecord, keys: Collection[str], apart_ns: int
) -> RowOrder:
    from runferry.archive.logged_order import row_order

    return row_order(archive, record, keys, apart_ns)


def _media_facts(archive: Archive, record: RunRecord) -> dict[str, tuple[int, int]]:
    """By key: media with a path of the source's, and with metadata."""
    segments = record.of("media")
    if not segments:
        return {}
    import pyarrow as pa

    from runferry.archive.reading import batches

    paths, told = Counter[str](), Counter[str]()
    for batch in batches(archive.path, segments, columns=["key", "path", "metadata"]):
        rows = pa.Table.from_batches([batch]).group_by("key").aggregate(_COUNTED)
        for row in rows.to_pylist():
            paths[row["key"]] += row["path_count"]
            told[row["key"]] += row["metadata_count"]
    return {key: (paths[key], told[key]) for key in paths}

"""Merging the many small segments of a run that grew; content and digest stay what they were."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from runferry.archive.durable import disk_errors, require_free
from runferry.archive.layout import ROW_TABLES
from runferry.archive.record import RunRecord
from runferry.archive.streams import chunks

if TYPE_CHECKING:
    from runferry.archive.store import Archive


def can_shrink(record: RunRecord, full: int) -> bool:
    """Whether fewer segments of `full` rows would hold the run."""
    rows: dict[str, list[int]] = defaultdict(list)
    for segment in record.segments:
        if segment.table in ROW_TABLES:
            rows[segment.table].append(segment.rows)
    return any(len(counts) > -(-sum(counts) // full) for counts in rows.values())


def compact(archive: Archive, record: RunRecord) -> RunRecord:
    """Rewrite a run with as few segments as its rows need.

    The rows are put again as a re-pull would, and replace the old ones in one commit; the old
    segments are vacuum's. Raises Locked, NoSpace, Corrupt.
    """
    if not can_shrink(record, archive.segment_rows):
        return record
    archive.check(record)
    with disk_errors(archive.path):
        size = sum(segment.size for segment in record.segments)
        require_free(archive.path, archive.reserve + size)
    with archive.draft(record.run) as draft:
        for chunk in chunks(archive, record, (), "any"):
            draft.put(chunk)
        return draft.rewrite(record)

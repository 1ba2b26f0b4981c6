"""Which files a commit refers to, and whether they are there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from runferry.archive import snapshots
from runferry.archive.layout import blob_path
from runferry.archive.reading import batches
from runferry.archive.record import RunRecord
from runferry.errors import Corrupt

if TYPE_CHECKING:
    from runferry.archive.store import Archive

_COLUMNS = ["sha256", "size", "present"]


def _has_segments(root: Path, record: RunRecord) -> bool:
    """Whether all segments of a commit are there, as large as it states."""
    return all(_size_of(root / segment.path) == segment.size for segment in record.segments)


def is_whole(archive: Archive, record: RunRecord) -> bool:
    """Whether all segments and blobs of a commit are there, as large as it states."""
    try:
        return _has_segments(archive.path, record) and all(
            _size_of(blob_path(archive.path, sha256)) == size
            for sha256, size in blobs_of(archive, record)
        )
    except Corrupt:  # a table that names blobs is as large as it should be, and cannot be read
        return False


def _size_of(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None


def blobs_of(archive: Archive, record: RunRecord) -> Iterator[tuple[str, int]]:
    """The hashes and sizes of all blobs that a run refers to."""
    for row in archive.snapshot(record, "files"):
        yield from _named(row)
    for row in archive.snapshot(record, "artifacts"):
        for entry in row["entries"]:
            yield from _named(entry)
    for batch in batches(archive.path, record.of("media"), columns=_COLUMNS):
        for row in batch.to_pylist():
            yield from _named(row)


def _named(row: snapshots.Row) -> Iterator[tuple[str, int]]:
    if row["present"]:
        yield row["sha256"], row["size"]

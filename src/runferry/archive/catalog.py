"""A derived cache of all commit records in one file, rebuilt from what changed.

Thousands of small JSON files cost a read each; one Parquet file costs one. A cached record counts
only while the commit file's size, time and inode are those it was made from, so nothing needs to
be invalidated, and an archive that cannot be written is read all the same.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from runferry.archive.layout import checked_uid, commit_path, new_attempt
from runferry.archive.record import DamagedRun, RunRecord
from runferry.durable import replace_file
from runferry.errors import ArchiveError, Corrupt
from runferry.model import Uid
from runferry.tables import UNDECODED

if TYPE_CHECKING:
    from runferry.archive.store import Archive

_WORTH_WRITING = 64  # changed commits; below that a rewrite costs more than it saves

SCHEMA = pa.schema(
    [
        pa.field("uid", pa.string()),
        pa.field("signature", pa.string()),
        pa.field("commit", pa.binary()),
    ]
)

Entry = tuple[str, bytes]


class Catalog:
    """All commit records of an archive."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._folder = archive.path / "catalog"

    def records(self, damaged: list[DamagedRun]) -> Iterator[RunRecord]:
        """Every run's latest commit record, by uid; those that cannot be read go to `damaged`."""
        cached = self._cached()
        current: dict[Uid, Entry] = {}
        changed = 0
        for uid in self._archive.uids():
            path = commit_path(self._archive.path, uid)
            entry = cached.get(uid)
            try:
                if entry is None or entry[0] != signature(path):
                    changed += 1
                    was, commit = signature(path), self._archive.commit(uid)
                    if commit is None:
                        continue
                    entry = (was, commit)
                record = self._archive.record_in(entry[1], uid)
            except FileNotFoundError:
                continue  # removed since the folder was listed
            except ArchiveError as error:
                damaged.append(DamagedRun(uid, error))
                continue
            current[uid] = entry
            yield record
        if changed >= _WORTH_WRITING:
            self._write(current)

    def _files(self) -> list[Path]:
        return sorted(self._folder.glob("runs-*.parquet"), key=_number)

    def _cached(self) -> dict[Uid, Entry]:
        for path in reversed(self._files()):
            try:
                table = pq.read_table(path, schema=SCHEMA, page_checksum_verification=True)
                table.validate(full=True)
                if any(column.null_count for column in table.columns):
                    continue
                rows = table.to_pylist()
                return {checked_uid(row["uid"]): (row["signature"], row["commit"]) for row in rows}
            except (*UNDECODED, Corrupt):
                continue  # replaced by another process, or damaged: it is only a cache
        return {}

    def _write(self, entries: dict[Uid, Entry]) -> None:
        if not os.access(self._archive.path, os.W_OK):
            return
        table = pa.table(
            [
                pa.array(list(entries), pa.string()),
                pa.array([signature for signature, _ in entries.values()], pa.string()),
                pa.array([commit for _, commit in entries.values()], pa.binary()),
            ],
            schema=SCHEMA,
        )
        older = self._files()
        number = _number(older[-1]) + 1 if older else 1
        temporary = self._folder / f".runs-{new_attempt()}"
        try:
            self._folder.mkdir(exist_ok=True)
            pq.write_table(
                table, temporary, compression="zstd", use_dictionary=False, write_page_checksum=True
            )
            replace_file(temporary, self._folder / f"runs-{number}.parquet")
        except OSError:  # a full disk must not keep anybody from reading
            temporary.unlink(missing_ok=True)
            return
        for path in older:
            path.unlink(missing_ok=True)


def _number(path: Path) -> int:
    digits = path.stem.removeprefix("runs-")
    return int(digits) if digits.isdigit() else 0


def signature(path: Path) -> str:
    """Tells a commit from the one that it replaced."""
    found = path.stat()
    return f"{found.st_size}-{found.st_mtime_ns}-{found.st_ino}"

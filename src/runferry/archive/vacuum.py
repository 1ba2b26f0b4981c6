"""Removing what no commit refers to: superseded attempts, those of killed processes, blobs."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from runferry.archive import snapshots
from runferry.archive.durable import sync
from runferry.archive.layout import checked_uid, commit_path, run_folder
from runferry.archive.reading import batches
from runferry.archive.record import RunRecord
from runferry.errors import Corrupt
from runferry.model import Uid

if TYPE_CHECKING:
    from runferry.archive.store import Archive


@dataclass(frozen=True, slots=True)
class Vacuumed:
    """What was removed; `busy` runs were being written and so were left alone."""

    files: int = 0
    size: int = 0
    busy: int = 0

    def __add__(self, other: Vacuumed) -> Vacuumed:
        return Vacuumed(self.files + other.files, self.size + other.size, self.busy + other.busy)


def vacuum(archive: Archive, grace_seconds: float) -> Vacuumed:
    """Remove unreferenced files that are older than the grace period.

    A run that is being written is left alone; blobs are left alone while any run is, because a
    draft may refer to one that no commit refers to yet.
    """
    lock = archive.vacuum_lock()
    lock.acquire(what="the archive (vacuum)")
    try:
        oldest = time.time() - grace_seconds
        done = Vacuumed()
        for folder in _folders(archive.path / "data"):
            done += _vacuum_run(archive, folder, oldest)
        for shelf in _folders(archive.path / "commits"):
            for leftover in shelf.glob(".*"):
                done += _remove(leftover, oldest)
        if _is_anybody_writing(archive):
            return done + Vacuumed(busy=0 if done.busy else 1)
        return done + _vacuum_blobs(archive, oldest)
    finally:
        lock.release()


def remove(archive: Archive, uid: Uid) -> None:
    """The commit record first: from then on there is no such run."""
    lock = archive.run_lock(uid)
    lock.acquire(what=f"run {uid}")
    try:
        commit = commit_path(archive.path, uid)
        commit.unlink(missing_ok=True)
        if commit.parent.is_dir():
            sync([commit.parent])
        shutil.rmtree(run_folder(archive.path, uid), ignore_errors=True)
    finally:
        lock.release()


def _folders(parent: Path) -> Iterator[Path]:
    if parent.is_dir():
        yield from sorted(path for path in parent.iterdir() if path.is_dir())


def _vacuum_run(archive: Archive, folder: Path, oldest: float) -> Vacuumed:
    try:
        uid = checked_uid(folder.name.removeprefix("run="))
    except Corrupt:  # a folder that is not ours
        return Vacuumed()
    lock = archive.run_lock(uid)
    if not lock.try_acquire():
        return Vacuumed(busy=1)
    try:
        record = archive.record(uid)
        live = {segment.path for segment in record.segments} if record else set()
        done = Vacuumed()
        for path in sorted(folder.iterdir()):
            if path.is_file() and f"data/{folder.name}/{path.name}" not in live:
                done += _remove(path, oldest)
        if not any(folder.iterdir()):
            folder.rmdir()
        return done
    finally:
        lock.release()


def _remove(path: Path, oldest: float) -> Vacuumed:
    try:
        found = path.stat()
        if found.st_mtime > oldest:
            return Vacuumed()
        path.unlink()
    except FileNotFoundError:
        return Vacuumed()
    return Vacuumed(1, found.st_size)


def _is_anybody_writing(archive: Archive) -> bool:
    if any(_folders(archive.path / "staging")):  # a push that waits to be continued
        return True
    for path in (archive.path / "locks").glob("*.lock"):
        if path.name == "vacuum.lock":
            continue
        lock = archive.run_lock(checked_uid(path.stem, str(path)))
        if not lock.try_acquire():
            return True
        lock.release()
    return False


def _vacuum_blobs(archive: Archive, oldest: float) -> Vacuumed:
    done = Vacuumed()
    live = {sha256 for record in archive.records() for sha256 in blobs_of(archive, record)}
    root = archive.path / "blobs"
    for leftover in root.glob(".*"):
        done += _remove(leftover, oldest)
    for shelf in _folders(root / "sha256"):
        for path in sorted(shelf.iterdir()):
            if path.name not in live:
                done += _remove(path, oldest)
        if not any(shelf.iterdir()):
            shelf.rmdir()
    return done


def blobs_of(archive: Archive, record: RunRecord) -> Iterator[str]:
    """The hashes of all blobs that a run refers to."""
    for row in archive.snapshot(record, "files"):
        yield from _named(row)
    for row in archive.snapshot(record, "artifacts"):
        for entry in row["entries"]:
            yield from _named(entry)
    for batch in batches(archive.path, record.of("media"), columns=["sha256", "present"]):
        for row in batch.to_pylist():
            yield from _named(row)


def _named(row: snapshots.Row) -> Iterator[str]:
    if row["present"]:
        yield row["sha256"]

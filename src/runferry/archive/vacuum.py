"""Removing what no commit refers to: superseded attempts, those of killed processes, blobs."""

from __future__ import annotations

import shutil
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from runferry.archive.layout import MANIFEST, checked_uid, commit_path, run_folder
from runferry.archive.presence import blobs_of
from runferry.archive.working_folder import forsaken_folders
from runferry.durable import sync
from runferry.errors import ArchiveError, Corrupt
from runferry.model import Uid

if TYPE_CHECKING:
    from runferry.archive.store import Archive


UNLOCKED_GRACE = 600.0
"""Seconds; what no lock tells from the work of a killed process is never younger when it goes."""


@dataclass(frozen=True, slots=True)
class Vacuumed:
    """What was removed, and whom it was left for.

    `busy` counts the runs that were being written; `damaged` names those whose commit cannot be
    read. What they may refer to was left alone.
    """

    files: int = 0
    size: int = 0
    busy: int = 0
    damaged: tuple[Uid, ...] = ()


def vacuum(archive: Archive, grace_seconds: float) -> Vacuumed:
    """Remove unreferenced files that are older than the grace period.

    A run that is being written is left alone; blobs are left alone while any run is, because a
    draft may refer to one that no commit refers to yet, and while a commit cannot be read.
    """
    lock = archive.vacuum_lock()
    lock.acquire(wait=_MOMENT, what="the archive (vacuum)")
    try:
        broom = _Broom(archive, time.time() - grace_seconds)
        broom.sweep_runs()
        broom.sweep_what_is_no_run()
        broom.look_who_writes()
        broom.sweep_blobs()
        return Vacuumed(broom.files, broom.size, len(broom.busy), tuple(sorted(broom.damaged)))
    finally:
        lock.release()


_MOMENT = 5.0  # a writer looks whether the lock is free, and for that holds it


class _Broom:
    """One vacuum of one archive; holds its lock."""

    def __init__(self, archive: Archive, oldest: float) -> None:
        self._archive = archive
        self._root = archive.path
        self._oldest = oldest
        self._oldest_unlocked = min(oldest, time.time() - UNLOCKED_GRACE)
        self.files = 0
        self.size = 0
        self.busy: set[Uid] = set()
        self.damaged: set[Uid] = set()

    def _remove(self, path: Path, oldest: float) -> None:
        try:
            found = path.stat()
            if found.st_mtime > oldest:
                return
            path.unlink()
        except FileNotFoundError:
            return
        self.files += 1
        self.size += found.st_size

    def _remove_tree(self, folder: Path, oldest: float) -> None:
        inside = [path for path in folder.rglob("*") if path.is_file()]
        if any(_changed(path) > oldest for path in (folder, *inside)):
            return
        for path in inside:
            self._remove(path, oldest)
        shutil.rmtree(folder, ignore_errors=True)

    # --- runs -------------------------------------------------------------------------------------

    def sweep_runs(self) -> None:
        """The segments and commits of attempts that came to nothing."""
        for uid, leftovers in self._unfinished().items():
            lock = self._archive.run_lock(uid)
            if not lock.try_acquire():
                self.busy.add(uid)
                continue
            try:
                self._sweep_run(uid)
                for leftover in leftovers:
                    self._remove(leftover, self._oldest)
            finally:
                lock.release()

    def _unfinished(self) -> dict[Uid, list[Path]]:
        """Every run that has a folder, and what attempts to commit it left behind."""
        left: dict[Uid, list[Path]] = defaultdict(list)
        for folder in _folders(self._root / "data"):
            uid = _uid_of(folder.name.removeprefix("run="))
            if uid is not None:  # else a folder that is not ours stays
                left[uid] = []
        for shelf in _folders(self._root / "commits"):
            for leftover in shelf.glob(".*.json.*"):
                uid = _uid_of(leftover.name.split(".")[1])
                if uid is not None:
                    left[uid].append(leftover)
        return left

    def _sweep_run(self, uid: Uid) -> None:
        folder = run_folder(self._root, uid)
        if not folder.is_dir():
            return
        try:
            record = self._archive.record(uid)
        except ArchiveError:  # nobody knows which of its segments count
            self.damaged.add(uid)
            return
        live = {Path(segment.path).name for segment in record.segments} if record else set()
        for path in sorted(folder.iterdir()):
            if path.name not in live:
                self._remove(path, self._oldest)
        if not any(folder.iterdir()):
            folder.rmdir()

    # --- what killed processes leave --------------------------------------------------------------

    def sweep_what_is_no_run(self) -> None:
        """Folders of work that is over, half-written chunks of pushes, half-written catalogs."""
        with forsaken_folders(self._root) as forsaken:
            for folder in forsaken:
                self._remove_tree(folder, self._oldest)
        for folder in _folders(self._root / "staging"):
            if folder.name.startswith("."):
                self._remove_tree(folder, self._oldest_unlocked)
                continue
            for leftover in folder.glob(".*"):
                self._remove(leftover, self._oldest_unlocked)
        for leftover in (self._root / "catalog").glob(".*"):
            self._remove(leftover, self._oldest_unlocked)
        for leftover in self._root.glob(f".{MANIFEST}.*"):
            self._remove(leftover, self._oldest_unlocked)

    # --- blobs ------------------------------------------------------------------------------------

    def look_who_writes(self) -> None:
        """Drafts by their locks, and pushes that wait to be continued."""
        for folder in _folders(self._root / "staging"):
            if not folder.name.startswith("."):
                self.busy.add(Uid(folder.name))
        self.busy |= runs_being_written(self._archive)

    def sweep_blobs(self) -> None:
        """Blobs that no run refers to. The shelves stay: others trust that they do."""
        if self.busy:
            return
        live = self._live_blobs()
        if self.damaged:
            return
        root = self._root / "blobs"
        for leftover in root.glob(".*"):
            self._remove(leftover, self._oldest)
        for shelf in _folders(root / "sha256"):
            for path in sorted(shelf.iterdir()):
                if path.name not in live:
                    self._remove(path, self._oldest)

    def _live_blobs(self) -> set[str]:
        live: set[str] = set()
        for uid in self._archive.uids():
            try:
                record = self._archive.record(uid)
                if record is not None:
                    live.update(sha256 for sha256, _ in blobs_of(self._archive, record))
            except ArchiveError:  # what it refers to cannot be told
                self.damaged.add(uid)
        return live


def runs_being_written(archive: Archive) -> set[Uid]:
    """Those whose locks are held at this moment."""
    held: set[Uid] = set()
    for path in (archive.path / "locks").glob("*.lock"):
        uid = _uid_of(path.stem)
        if uid is None:
            continue
        lock = archive.run_lock(uid)
        if lock.try_acquire():
            lock.release()
        else:
            held.add(uid)
    return held


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _uid_of(name: str) -> Uid | None:
    try:
        return checked_uid(name)
    except Corrupt:
        return None


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

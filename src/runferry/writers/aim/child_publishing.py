"""A repository of Aim's, and how a run that is whole comes into it.

    .aim/{seqs,meta}/chunks/<hash>/   moved there in this order: a run is known by its `meta`
    .aim/run_metadata.sqlite          its row
    .aim/meta/index/                  what Aim's queries look into first

It imports nothing of runferry, as `child` does not, which lies beside it.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import aim
import aimrocks.errors
from aim.sdk.errors import RunLockingError
from aim.storage.rockscontainer import RocksContainer
from filelock import Timeout

MARK = "runferry"
"""The parameter that says whose run it is."""
_HASH = 24
"""Characters of Aim's own hashes."""


class Repository:
    """The `.aim` folder below a root; made where there is none."""

    def __init__(self, root: str) -> None:
        self.home = Path(root) / ".aim"
        with self._alone():
            is_made = (self.home / "VERSION").exists()
            self._repo = aim.Repo(root, init=not is_made)
        self._number = self.home.stat().st_ino

    @property
    def stands(self) -> bool:
        """Whether it is still the one that was opened."""
        try:
            return (self.home / "VERSION").exists() and self.home.stat().st_ino == self._number
        except FileNotFoundError:
            return False

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """No other process of ours is at work here; the system frees this when one is killed."""
        (self.home / "locks").mkdir(parents=True, exist_ok=True)
        with (self.home / "locks" / "runferry").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def free_hash(self, wished: str | None, uid: str) -> str:
        """The hash that a run is to have: one that is its own, or nobody's."""
        for one in filter(None, (wished, uid[:_HASH])):
            if self._owner(one) in (None, uid):
                return one
        return uid

    def _owner(self, run_hash: str) -> str | None:
        """The uid in the mark of a run, empty for somebody else's; None where there is no run."""
        chunk = self.home / "meta" / "chunks" / run_hash
        if not (chunk / "CURRENT").exists():
            return None
        container = RocksContainer(str(chunk), read_only=True, skip_read_optimization=True)
        with closing(container):
            run = container.tree().subtree(("meta", "chunks", run_hash))
            return str(run.get(("attrs", MARK, "uid"), ""))

    def publish(self, run: Any, told: dict[str, Any]) -> None:
        """Put a closed `PrivateRun` in its place, and what it replaces into its folder."""
        with self._alone(), self._locked(run.run_hash):
            for part in ("seqs", "meta"):
                place = self.home / part / "chunks" / run.run_hash
                place.parent.mkdir(parents=True, exist_ok=True)
                made = run.folder / part / "chunks" / run.run_hash
                _synced(made)
                with suppress(FileNotFoundError):
                    place.rename(run.folder / f"replaced-{part}")
                made.rename(place)
                _synced(place.parent)
            self._state(run.run_hash, told)
            self._index(run.run_hash)

    @contextmanager
    def _locked(self, run_hash: str) -> Iterator[None]:
        """Hold Aim's own lock of a run; one that a killed process left is no hindrance."""
        lock = self._repo.request_run_lock(run_hash, timeout=0)
        try:
            lock.lock()
        except (Timeout, RunLockingError) as error:
            raise RuntimeError(f"a process logs to the run {run_hash}") from error
        try:
            yield
        finally:
            lock.release()

    def _state(self, run_hash: str, told: dict[str, Any]) -> None:
        """The run's row. What users have changed in Aim's pages since `before` stays."""
        database, stated, before = self._repo.structured_db, told["stated"], told["before"] or {}
        created = _moment(told["created"])
        row = database.find_run(run_hash)
        is_new = not row
        if is_new:
            row = database.create_run(run_hash, created)
        row._model.created_at = created
        row.finalized_at = _moment(told["end_time"])
        for field in ("name", "description", "experiment", "archived"):
            there = getattr(row, field) or None
            if is_new or there == (before.get(field, there) or None):
                setattr(row, field, stated[field])
        _state_tags(row, stated["tags"], before.get("tags", []))
        _state_notes(row, stated["notes"], before.get("notes", []))
        database.session_cls.remove()

    def _index(self, run_hash: str) -> None:
        """What `aim up` does for runs; while it does, it holds the index, and sees this one too."""
        try:
            index = self._repo._get_index_container("meta", timeout=0)
        except aimrocks.errors.RocksIOError:
            return
        chunk = self.home / "meta" / "chunks" / run_hash
        own = RocksContainer(str(chunk), read_only=True, skip_read_optimization=True)
        with closing(index), closing(own):
            tree = index.tree()
            del tree.subtree(("meta", "chunks"))[run_hash]
            own.tree().subtree(("meta", "chunks", run_hash)).finalize(index=tree.view(()))


def _state_tags(row: Any, stated: list[str], before: list[str]) -> None:
    for tag in before:
        if tag not in stated:
            row.remove_tag(tag)
    for tag in stated:
        if tag not in row.tags and tag not in before:
            row.add_tag(tag)


def _state_notes(row: Any, stated: list[str], before: list[str]) -> None:
    """All of them in their order, where users have changed none; else those that are new."""
    there = sorted(row.notes, key=lambda note: int(note["id"]))
    contents = [note["content"] for note in there]
    if contents == stated:
        return
    if contents == before:
        for note in there:
            row.remove_note(note["id"])
        new = stated
    else:
        new = [note for note in stated if note not in contents and note not in before]
    for content in new:
        row.add_note(content)


def _moment(seconds: float | None) -> Any:
    """UTC without a zone, as the database has it."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, tz=timezone.utc).replace(tzinfo=None)  # noqa: UP017


def _synced(folder: Path) -> None:
    """All of a folder's files, and itself, would survive a loss of power."""
    for path in [*folder.iterdir(), folder] if folder.is_dir() else []:
        if path.is_file() or path == folder:
            file = os.open(path, os.O_RDONLY)
            try:
                os.fsync(file)
            finally:
                os.close(file)

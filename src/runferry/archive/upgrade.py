"""Brings an archive of an earlier format to this one, a version at a time; may be killed anywhere.

First each run's commit record of the next version is made, in a folder beside those that hold.
Then the manifest says that the archive is being upgraded, and nobody opens it; the ledger is told,
the records are put in place, and the manifest names the new version. Killed before the manifest
says so, the archive is what it was; killed after it, the next call does the rest. What was made
already is not made again, as it is named by the record that it was made from.
"""

from __future__ import annotations

import hashlib
import shlex
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from runferry.archive import manifest
from runferry.archive.durable import disk_errors
from runferry.archive.layout import (
    FORMAT_VERSION,
    MANIFEST,
    UPGRADE,
    checked_uid,
    commit_path,
    new_attempt,
)
from runferry.archive.record import DamagedRun, RunRecord, record_from_bytes, record_to_bytes
from runferry.archive.store import Archive
from runferry.archive.upgrades import from_1
from runferry.archive.vacuum import runs_being_written
from runferry.durable import replace_file, sync, write_atomically
from runferry.errors import ArchiveError, Locked, NotFound
from runferry.model import Run, Uid

Watch = Callable[[Run, int], bool]
"""Told of each run that was upgraded, with its rows; False ends the work there."""

_AT_ONCE: Final = 256
"""Records whose files are synced together."""


@dataclass(frozen=True, slots=True)
class _Step:
    record: Callable[[Archive, RunRecord], RunRecord]
    ledger: Callable[[sqlite3.Connection, from_1.Pairs], None]


_STEPS: Final[Mapping[int, _Step]] = {1: _Step(from_1.upgraded, from_1.upgrade_ledger)}


@dataclass(frozen=True, slots=True)
class Upgraded:
    """What became of an archive.

    `damaged` are the runs whose records or files cannot be read: they stay as they are. `runs` are
    the others, also those that an earlier call left. Who interrupts it while those are brought
    along finds the archive at its new version, and the rest left as before.
    """

    before: int
    version: int
    runs: int = 0
    damaged: tuple[DamagedRun, ...] = ()
    is_interrupted: bool = False


def upgrade(path: Path, watch: Watch) -> Upgraded:
    """Bring the archive in this folder to the format of today.

    Raises NotFound, NewerFormat, Corrupt, Locked while somebody writes, and NoSpace.
    """
    stated = path / MANIFEST
    if not stated.is_file():
        hint = f"runferry pull SOURCE {shlex.quote(str(path))}"
        raise NotFound("no archive is here", where=str(path), hint=hint)
    before = manifest.read(stated)
    if not before.is_earlier and not before.left:
        return Upgraded(before.version, before.version)
    archive = Archive(path)
    lock = archive.vacuum_lock()  # no run is begun while it is held
    with disk_errors(path):
        lock.acquire(wait=_MOMENT, what="the archive (vacuum or upgrade)")
        try:
            return _Upgrade(archive, watch).all_steps(manifest.read(stated))
        finally:
            lock.release()


_MOMENT: Final = 5.0  # seconds; who begins a run looks whether the lock is free, and holds it


@dataclass
class _Upgrade:
    archive: Archive
    watch: Watch
    runs: int = 0
    damaged: list[DamagedRun] = field(default_factory=list)
    is_stopped: bool = False

    def all_steps(self, before: manifest.Stated) -> Upgraded:
        """Step by step, from what the manifest states."""
        self._check_that_nobody_writes()
        stated = before
        while stated.is_earlier and not self.is_stopped:
            stated = self._step(stated)
        if not self.is_stopped:
            self._mend(stated)
        return Upgraded(
            before.came_from, stated.version, self.runs, tuple(self.damaged), self.is_stopped
        )

    def _check_that_nobody_writes(self) -> None:
        writing = runs_being_written(self.archive)
        if writing:
            raise Locked(
                f"another process is writing run {min(writing)}",
                where=str(self.archive.path),
                hint="wait until it has finished, then: runferry upgrade "
                f"{shlex.quote(str(self.archive.path))}",
            )

    def _step(self, stated: manifest.Stated) -> manifest.Stated:
        """One version up, or what is left of that."""
        step, path = _STEPS[stated.came_from], self.archive.path / MANIFEST
        if not stated.is_under_way:
            left = self._make_records(step, stated)
            if left is None:
                return stated
            stated = manifest.Stated(stated.version + 1, is_under_way=True, left=left)
            manifest.write(path, stated)
        self._tell_ledger(step, self._pairs())
        self._put_in_place()
        stated = replace(stated, is_under_way=False)
        manifest.write(path, stated)
        shutil.rmtree(self._made, ignore_errors=True)
        return stated

    def _mend(self, stated: manifest.Stated) -> None:
        """Once more what was left: it may have been brought back since."""
        left = dict(stated.left)
        for uid, was in stated.left.items():
            commit = commit_path(self.archive.path, uid)
            if commit.is_file() and was.is_that(commit.read_bytes()):
                try:
                    self._mend_run(uid, commit, was.version)
                except ArchiveError as error:
                    self.damaged.append(DamagedRun(uid, error))
                    continue
                self.runs += 1
            del left[uid]  # or it is gone, or was pulled anew
            if self.is_stopped:
                break
        if left != stated.left:
            manifest.write(self.archive.path / MANIFEST, replace(stated, left=left))

    def _mend_run(self, uid: Uid, commit: Path, version: int) -> None:
        record = self._record(commit, uid)
        for earlier in range(version, FORMAT_VERSION):
            before, record = record, self._upgraded(_STEPS[earlier], record)
            self._tell_ledger(_STEPS[earlier], [(before, record)])
        write_atomically(commit, record_to_bytes(record), scratch=new_attempt())
        self.is_stopped = not self.watch(record.run, _rows(record))

    def _upgraded(self, step: _Step, before: RunRecord) -> RunRecord:
        return replace(step.record(self.archive, before), generation=before.generation + 1)

    # --- beside what holds ------------------------------------------------------------------------

    @property
    def _made(self) -> Path:
        return self.archive.path / UPGRADE

    def _make_records(
        self, step: _Step, stated: manifest.Stated
    ) -> dict[Uid, manifest.Left] | None:
        """Every run's record of the next version: those left so far; None if the work was ended."""
        self._made.mkdir(exist_ok=True)
        wanted: set[str] = set()
        waiting: list[Path] = []
        left, self.runs = dict(stated.left), 0
        for uid in self.archive.uids():
            commit = commit_path(self.archive.path, uid)
            if uid in left and left[uid].is_that(commit.read_bytes()):
                continue
            try:
                wanted.add(self._made_record(step, uid, commit, waiting).name)
            except ArchiveError:  # told of by `_mend`, which tries it once more
                digest = hashlib.sha256(commit.read_bytes()).hexdigest()
                left[uid] = manifest.Left(stated.version, digest)
            if len(waiting) >= _AT_ONCE:
                _settle(waiting)
            if self.is_stopped:
                break
        _settle(waiting)
        if self.is_stopped:
            return None
        for path in self._made.iterdir():
            if path.name not in wanted:  # of a record that is no more
                path.unlink()
        sync([self._made, self.archive.path])
        return left

    def _made_record(self, step: _Step, uid: Uid, commit: Path, waiting: list[Path]) -> Path:
        """Where the record of the next version stands. Raises ArchiveError for a damaged run."""
        before = self._record(commit, uid)
        made = self._made / _name(uid, commit)
        if not made.is_file():
            after = self._upgraded(step, before)
            unsettled = made.with_name(f".{made.name}")
            unsettled.write_bytes(record_to_bytes(after))
            waiting.append(made)
        self.runs += 1
        self.is_stopped = not self.watch(before.run, _rows(before))
        return made

    def _record(self, path: Path, uid: Uid) -> RunRecord:
        return record_from_bytes(path.read_bytes(), uid, str(path))

    # --- in place of what held --------------------------------------------------------------------

    def _tell_ledger(self, step: _Step, pairs: from_1.Pairs) -> None:
        """Before any record is in place: who is killed in between finds both records again."""
        ledger = self.archive.ledger
        with closing(ledger):
            ledger.upgrade(lambda connection: step.ledger(connection, pairs))

    def _pairs(self) -> Iterator[tuple[RunRecord, RunRecord]]:
        for made, uid in self._all_made():
            commit = commit_path(self.archive.path, uid)
            yield self._record(commit, uid), self._record(made, uid)

    def _all_made(self) -> Iterator[tuple[Path, Uid]]:
        if self._made.is_dir():
            for made in sorted(self._made.glob("[!.]*.json")):
                uid = checked_uid(made.name.partition("-")[0], str(made))
                if commit_path(self.archive.path, uid).is_file():  # else it was removed meanwhile
                    yield made, uid

    def _put_in_place(self) -> None:
        folders: set[Path] = set()
        for made, uid in self._all_made():
            commit = commit_path(self.archive.path, uid)
            replace_file(made, commit)
            folders.add(commit.parent)
        sync(folders)


def _rows(record: RunRecord) -> int:
    return sum(segment.rows for segment in record.segments)


def _name(uid: Uid, commit: Path) -> str:
    """Of the record that is made from this one."""
    return f"{uid}-{hashlib.sha256(commit.read_bytes()).hexdigest()}.json"


def _settle(waiting: list[Path]) -> None:
    """These records are whole on the disk before they bear their names."""
    sync(path.with_name(f".{path.name}") for path in waiting)
    for path in waiting:
        path.with_name(f".{path.name}").replace(path)
    waiting.clear()

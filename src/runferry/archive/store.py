"""The archive: a folder of immutable segments and one commit record a run."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Self

from runferry.archive import manifest, snapshots
from runferry.archive.draft import RunDraft
from runferry.archive.durable import disk_errors, require_free
from runferry.archive.folders import Folders
from runferry.archive.layout import LEDGER, MANIFEST, checked_uid, commit_path
from runferry.archive.ledger import Ledger
from runferry.archive.lock import FileLock
from runferry.archive.record import DamagedRun, RunRecord, Segment, record_from_bytes
from runferry.chunks import Chunk
from runferry.errors import ArchiveError, Corrupt, NotFound
from runferry.model import Cursor, Inventory, Run, Series, Uid, VersionFacts

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

    from runferry.archive.vacuum import Vacuumed

__all__ = ["Archive", "DamagedRun", "RunDraft", "RunRecord", "Segment"]

RESERVE = 64 << 20
SEGMENT_ROWS = 3 << 17  # two of them, one filled and one written, keep an import below 300 MB


class Archive:
    """One archive folder; may be shared between threads and processes.

    `reserve` bytes are left free on the disk; a draft that is begun below that raises NoSpace.
    """

    path: Path

    def __init__(self, path: Path, *, reserve: int = RESERVE) -> None:
        self.path = path
        self.reserve = reserve
        self.segment_rows = SEGMENT_ROWS
        self.folders = Folders(path)
        self._stood_in_for: dict[Uid, Uid] = {}
        self._left: Mapping[Uid, manifest.Left] = {}
        self._ledger: Ledger | None = None
        self._is_new = False  # nothing had been there
        self._is_made = False  # not even the folder

    @classmethod
    def open(cls, path: Path, *, create: bool = False, reserve: int = RESERVE) -> Self:
        """Raises NotFound, NewerFormat, OlderFormat, Corrupt."""
        stated = path / MANIFEST
        is_new, is_made = not stated.is_file(), not path.exists()
        if is_new:
            if not create:
                hint = f"runferry pull SOURCE {shlex.quote(str(path))}"
                raise NotFound("no archive is here", where=str(path), hint=hint)
            manifest.found(path)
        said = manifest.checked(stated)
        archive = cls(path, reserve=reserve)
        archive._left = said.left
        archive._is_new, archive._is_made = is_new, is_made
        return archive

    def remove_unused(self) -> None:
        """Take away what was made for this archive, where nothing came into it.

        Folders that runs were begun in count as nothing, the locks of others as something.
        """
        if not self._is_new:
            return
        folders = []
        entries = list(manifest.own_entries(self.path))
        for path in chain(entries, *(entry.rglob("*") for entry in entries)):
            if path.is_dir():
                folders.append(path)
            elif path != self.path / MANIFEST:
                return
        for folder in sorted(folders, reverse=True):  # the inner ones first
            with suppress(OSError):  # somebody has begun to use it
                folder.rmdir()
        if [entry.name for entry in manifest.own_entries(self.path)] == [MANIFEST]:
            (self.path / MANIFEST).unlink()
            if self._is_made:
                with suppress(OSError):  # a session has begun beside
                    self.path.rmdir()

    # --- what is there ----------------------------------------------------------------------------

    def uids(self) -> Iterator[Uid]:
        """The uid of every run, in order."""
        folder = self.path / "commits"
        if not folder.is_dir():
            return
        for shelf in sorted(folder.iterdir()):
            for commit in sorted(shelf.glob("*.json")):
                if not commit.name.startswith("."):
                    yield checked_uid(commit.stem, str(commit))

    def records(self, damaged: list[DamagedRun] | None = None) -> Iterator[RunRecord]:
        """Every run's latest commit record, by uid.

        A commit that cannot be read is added to `damaged`; without that list it is raised.
        """
        for uid in self.uids():
            try:
                record = self.record(uid)
            except ArchiveError as error:
                if damaged is None:
                    raise
                damaged.append(DamagedRun(uid, error))
                continue
            if record is not None:
                yield record

    def headers(self) -> Iterator[Run]:
        """Every run's header, by uid; last come stand-ins for those that cannot be read."""
        damaged: list[DamagedRun] = []
        yield from (record.run for record in self.records(damaged))
        for run in damaged:
            self._stood_in_for[run.stand_in.uid] = run.uid
            yield run.stand_in

    def record(self, uid: Uid) -> RunRecord | None:
        """One run's latest commit record. Raises Corrupt, NewerFormat.

        Of a stand-in that `headers` gave, the error that it stands for.
        """
        uid = self._stood_in_for.get(uid, uid)
        commit = self.commit(uid)
        return None if commit is None else self.record_in(commit, uid)

    def commit(self, uid: Uid) -> bytes | None:
        """What a run's commit file says; None where there is none. Raises ArchiveError."""
        path = commit_path(self.path, checked_uid(uid))
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ArchiveError(
                f"the commit record cannot be read ({error.strerror or error})",
                where=str(path),
                hint="give read permission, or look after the disk",
            ) from error

    def record_in(self, commit: bytes, uid: Uid) -> RunRecord:
        """The record that a run's commit spells. Raises Corrupt, NewerFormat.

        Corrupt too for a run that an upgrade left as it was: nothing of it is read.
        """
        path = commit_path(self.path, uid)
        record = record_from_bytes(commit, uid, str(path))
        left = self._left.get(uid)
        if left is not None and left.is_that(commit):
            raise Corrupt(
                f"an upgrade could not read this run, and left it at version {left.version}",
                where=str(path),
                hint="let its files be read, or bring them back from a copy, then: "
                f"runferry upgrade {shlex.quote(str(self.path))}; "
                "or remove this file and pull the run again",
            )
        return record

    def series(self, record: RunRecord) -> tuple[Series, ...]:
        """The run's series with their counts."""
        return tuple(snapshots.series_of(row) for row in self.snapshot(record, "series"))

    def cursor(self, record: RunRecord) -> Cursor | None:
        """What a reader continues from; None if it said that it cannot."""
        if not record.has_cursor:
            return None
        return Cursor(record.position, self.series(record))

    def inventory(self, record: RunRecord) -> Inventory:
        """What `plan` needs."""
        from runferry.archive.inventory import inventory

        return inventory(self, record)

    def artifacts(self, record: RunRecord) -> tuple[VersionFacts, ...]:
        """The versions of artifacts that a run made and used."""
        return tuple(map(snapshots.version_facts_of, self.snapshot(record, "artifacts")))

    def snapshot(self, record: RunRecord, table: str) -> Sequence[snapshots.Row]:
        """The rows of a table that each commit states as a whole."""
        if table in record.inline:
            return record.inline[table]
        from runferry.archive.reading import read_segment

        return [
            row
            for segment in record.of(table)
            for row in snapshots.from_table(table, read_segment(self.path, segment))
        ]

    # --- writing ----------------------------------------------------------------------------------

    def draft(self, run: Run, *, after: RunRecord | None = None, wait: float = 0.0) -> RunDraft:
        """Begin to write a run, or to extend the one in `after`. Raises Locked, NoSpace.

        Holds the run's lock until the draft ends; `wait` is how many seconds to wait for it.
        """
        with disk_errors(self.path):
            require_free(self.path, self.reserve)
            lock = self.run_lock(run.uid)
            lock.acquire(wait=wait, what=f"run {run.key}")
            try:
                self.let_vacuum_finish()
                return RunDraft(self, run, after, lock)
            except BaseException:
                lock.release()
                raise

    def remove(self, uid: Uid) -> None:
        """Take a run out of the archive; its blobs, which others may share, are vacuum's.

        Raises Locked while the run is being written. Harmless when it is not there.
        """
        from runferry.archive.vacuum import remove

        with disk_errors(self.path):
            remove(self, uid)

    def run_lock(self, uid: Uid) -> FileLock:
        """Held by whoever writes this run."""
        return FileLock(self.path / "locks" / f"{checked_uid(uid)}.lock")

    def vacuum_lock(self) -> FileLock:
        """Held while blobs are removed: no draft begins meanwhile."""
        return FileLock(self.path / "locks" / "vacuum.lock")

    def let_vacuum_finish(self) -> None:
        """Wait for a vacuum; call it when those that begin later can see who is writing."""
        if (self.path / "locks" / "vacuum.lock").exists():
            lock = self.vacuum_lock()
            lock.acquire(wait=600, what="the archive (vacuum)")
            lock.release()

    def compact(self, record: RunRecord) -> RunRecord:
        """Merge a run's many segments into few; content and digest stay. Raises Locked."""
        from runferry.archive.compact import compact

        return compact(self, record)

    def vacuum(self, *, grace_seconds: float = 3600.0) -> Vacuumed:
        """Remove what no commit refers to and nobody has touched for `grace_seconds`."""
        from runferry.archive.vacuum import vacuum

        with disk_errors(self.path):
            return vacuum(self, grace_seconds)

    # --- reading ----------------------------------------------------------------------------------

    def chunks(
        self, record: RunRecord, *, skip: Sequence[Segment] = (), order: str = "any"
    ) -> Iterator[Chunk]:
        """The run as chunks: header, attributes, series, then rows, files, artifacts, losses.

        `order="any"` goes by segment, key, seq; "step" merges all series by (step, seq), a row
        (all values of one seq) never split between chunks. Segments in `skip` are left out.
        """
        from runferry.archive.streams import chunks

        return chunks(self, record, skip, order)

    def table(self, record: RunRecord, name: str, *, stream: str | None = None) -> pa.Table:
        """One whole table of a run, for people; `name` as in the layout."""
        from runferry.archive.reading import table

        return table(self, record, name, stream)

    def check(self, record: RunRecord) -> None:
        """Compare the segments of a run with their sizes and hashes. Raises Corrupt by file."""
        from runferry.archive.reading import check_segment

        for segment in record.segments:
            check_segment(self.path, segment)

    def is_whole(self, record: RunRecord) -> bool:
        """Whether all files of a run are there, as large as its commit states."""
        from runferry.archive.presence import is_whole

        return is_whole(self, record)

    def sql(self) -> duckdb.DuckDBPyConnection:
        """A DuckDB connection with a view for each table: `runs`, `series`, `points`, …"""
        from runferry.archive.sql import connect

        return connect(self)

    @property
    def ledger(self) -> Ledger:
        """What was pushed where."""
        if self._ledger is None:
            self._ledger = Ledger(self.path / LEDGER)
        return self._ledger

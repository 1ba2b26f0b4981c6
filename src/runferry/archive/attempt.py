"""The files of one attempt to write a run, from the first byte to the commit or to nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from runferry.archive import snapshots
from runferry.archive.blobs import Blobs
from runferry.archive.layout import commit_path, new_attempt, run_folder, segment_path
from runferry.archive.record import RunRecord, Segment, record_to_bytes
from runferry.archive.segments import SegmentFile
from runferry.durable import write_atomically
from runferry.errors import ArchiveError, Locked
from runferry.model import Uid

if TYPE_CHECKING:
    from runferry.archive.store import Archive


class Attempt:
    """New segments and blobs of a run; invisible until `publish`. Needs the run's lock."""

    def __init__(self, archive: Archive, uid: Uid) -> None:
        self._archive = archive
        self._root: Path = archive.path
        self._uid = uid
        self._name = new_attempt()
        self._created: list[str] = []
        self.before = archive.record(uid)  # what a commit of ours replaces
        self.blobs = Blobs(archive.folders, self._name)

    @property
    def generation(self) -> int:
        """The generation that a commit of ours has."""
        return self.before.generation + 1 if self.before else 1

    def new_segment(self, table: str, number: int, schema: Any) -> SegmentFile:
        """Begin a segment."""
        path = segment_path(self._uid, table, number, self._name)
        if not self._created:
            run_folder(self._root, self._uid).mkdir(parents=True, exist_ok=True)
        self._created.append(path)
        return SegmentFile(self._root, path, table, number, schema)

    def snapshot_segment(self, table: str, rows: list[snapshots.Row]) -> Segment:
        """A snapshot table that is too large for the commit record, as a segment."""
        file = self.new_segment(table, self.generation, snapshots.SNAPSHOT_SCHEMAS[table])
        file.add(snapshots.to_table(table, rows))
        return file.finish()

    def publish(self, record: RunRecord) -> None:
        """Make all of it durable, then visible, in one step. Raises Locked when overtaken."""
        now = self._archive.record(self._uid)
        if (now and now.generation) != (self.before and self.before.generation):
            raise overtaken(self._root)
        commit = commit_path(self._root, self._uid)
        self.blobs.publish()
        leaves = {commit.parent, *self.blobs.shelves}
        if self._created:
            leaves.add(run_folder(self._root, self._uid))
        created = {self._root / path for path in self._created}
        folders = self._archive.folders
        write_atomically(
            commit,
            record_to_bytes(record),
            scratch=self._name,
            before=folders.chain(leaves) - {commit.parent} | created,
        )
        folders.settle(leaves)
        self.blobs.settle()

    def publish_blobs(self) -> None:
        """Make blobs durable that a commit names which stays as it is."""
        self.blobs.publish()
        self._archive.folders.sync(self.blobs.shelves)
        self.blobs.settle()

    def abandon(self) -> None:
        """Remove what was not published. What cannot be removed now is vacuum's."""
        self.blobs.abandon()
        try:
            self.remove_segments()
        except (OSError, ArchiveError):  # a damaged commit may name them
            self._created.clear()

    def remove_segments(self) -> None:
        """Remove our segments, unless an interrupted commit became visible with them."""
        if not self._created:
            return
        record = self._archive.record(self._uid)
        live = {segment.path for segment in record.segments} if record else set()
        for path in self._created:
            if path not in live:
                (self._root / path).unlink(missing_ok=True)
        self._created.clear()
        folder = run_folder(self._root, self._uid)
        if not any(folder.iterdir()):
            folder.rmdir()


def overtaken(root: Path) -> Locked:
    """What a writer is told that another has outrun."""
    return Locked(
        "the run was committed by another process since it was looked up",
        where=str(root),
        hint="run the command again",
    )

"""The files of one attempt to write a run, from the first byte to the commit or to nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from runferry.archive import snapshots
from runferry.archive.blobs import Blobs
from runferry.archive.durable import make_folder, write_atomically
from runferry.archive.layout import commit_path, new_attempt, run_folder
from runferry.archive.record import RunRecord, Segment, record_to_bytes
from runferry.archive.segments import SegmentFile
from runferry.errors import Locked
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
        self._unsynced: set[Path] = set()
        self._created: list[str] = []
        self.before = archive.record(uid)  # what a commit of ours replaces
        self.blobs = Blobs(self._root, self._name)

    @property
    def generation(self) -> int:
        """The generation that a commit of ours has."""
        return self.before.generation + 1 if self.before else 1

    def new_segment(self, table: str, number: int, schema: Any) -> SegmentFile:
        """Begin a segment."""
        if not self._created:
            folder = run_folder(self._root, self._uid)
            self._unsynced.update([*make_folder(folder), folder])
        segment = SegmentFile(self._root, self._uid, table, number, self._name, schema)
        self._created.append(segment.path)
        return segment

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
        self._unsynced |= self.blobs.publish()
        self._unsynced.update(self._root / created for created in self._created)
        write_atomically(
            commit_path(self._root, self._uid),
            record_to_bytes(record),
            scratch=self._name,
            before=self._unsynced,
        )

    def abandon(self) -> None:
        """Remove what was not published."""
        self.blobs.abandon()
        self.remove_segments()

    def remove_segments(self) -> None:
        """Remove our segments, unless an interrupted commit became visible with them."""
        record = self._archive.record(self._uid)
        live = {segment.path for segment in record.segments} if record else set()
        for path in self._created:
            if path not in live:
                (self._root / path).unlink(missing_ok=True)
        if self._created:
            folder = run_folder(self._root, self._uid)
            if not any(folder.iterdir()):
                folder.rmdir()
        self._created.clear()
        self._unsynced = {folder for folder in self._unsynced if folder.exists()}


def overtaken(root: Path) -> Locked:
    """What a writer is told that another has outrun."""
    return Locked(
        "the run was committed by another process since it was looked up",
        where=str(root),
        hint="run the command again",
    )

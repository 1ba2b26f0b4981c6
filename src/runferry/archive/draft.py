"""A run being written: chunks go in, and all of it becomes visible at once or not at all."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from runferry.archive import snapshots
from runferry.archive.attempt import Attempt, overtaken
from runferry.archive.durable import disk_errors
from runferry.archive.layout import ROW_TABLES
from runferry.archive.lock import FileLock
from runferry.archive.reading import check_segment
from runferry.archive.record import RunRecord, Segment
from runferry.archive.row_chunks import rows_of
from runferry.archive.row_writer import RowWriter
from runferry.archive.run_facts import RunFacts, Tables
from runferry.chunks import (
    Artifact,
    Attributes,
    Checkpoint,
    Chunk,
    Document,
    File,
    Header,
    Lost,
    Media,
    SeriesFacts,
)
from runferry.errors import Corrupt
from runferry.model import Blob, Run

if TYPE_CHECKING:
    from runferry.archive.store import Archive


class RunDraft:
    """A run being written: nothing of it is visible before `commit` has returned."""

    def __init__(self, archive: Archive, run: Run, after: RunRecord | None, lock: FileLock) -> None:
        self._root: Path = archive.path
        self._lock = lock
        self._after = after
        self._attempt = Attempt(archive, run.uid)
        self._facts = RunFacts(run)
        self._rows = RowWriter(self._root, self._attempt.new_segment, after, archive.segment_rows)
        self._is_open = True
        if after is not None:
            before = self._attempt.before
            if before is None or before.generation != after.generation:
                raise overtaken(self._root)
            for key, tallies in self._facts.restore(archive, after).items():
                self._rows.restore(key, tallies)

    # --- taking chunks ----------------------------------------------------------------------------

    def put(self, chunk: Chunk) -> None:
        """Add one chunk."""
        if not self._is_open:
            raise ValueError("this draft was committed or given up")
        with disk_errors(self._root):
            if isinstance(chunk, Media):
                chunk = self._held_media(chunk)
            rows = rows_of(chunk)
            if rows is None:
                self._state(chunk)
            else:
                self._rows.put(*rows)

    def _state(self, chunk: Chunk) -> None:
        facts = self._facts
        match chunk:
            case Header(run):
                facts.restate(run)
            case Attributes(items, is_whole):
                facts.attribute(items, is_whole=is_whole)
            case SeriesFacts(items):
                facts.declare(items)
            case File(path, _, blob):
                held = replace(chunk, blob=self._hold(blob, path))
                facts.snapshot("files", snapshots.file_row(held))
            case Artifact():
                facts.snapshot("artifacts", snapshots.artifact_row(self._held_artifact(chunk)))
            case Document():
                facts.snapshot("documents", snapshots.document_row(chunk))
            case Lost(loss):
                facts.losses.add(loss)
            case Checkpoint(position):
                facts.reach(position)

    def _held_media(self, media: Media) -> Media:
        held = Media(
            tuple(replace(item, blob=self._hold(item.blob, item.key)) for item in media.items)
        )
        self._facts.count_media(held.items)
        return held

    def _held_artifact(self, artifact: Artifact) -> Artifact:
        entries = tuple(
            replace(entry, blob=self._hold(entry.blob, f"{artifact.name}/{entry.path}"))
            for entry in artifact.entries
        )
        return replace(artifact, entries=entries)

    def _hold(self, blob: Blob, where: str) -> Blob:
        stored = self._attempt.blobs.put(blob, where)
        if stored.loss is not None:
            self._facts.losses.add(stored.loss)
        return stored.blob

    # --- the commit -------------------------------------------------------------------------------

    def commit(self, *, token: str = "") -> RunRecord:
        """Make all of it durable and visible in one step. Raises Locked when another came first.

        What changes nothing is no commit: then the record that is there is returned.
        """
        return self._finally(lambda: self._commit(token))

    def rewrite(self, record: RunRecord) -> RunRecord:
        """Commit rows that are those of `record` in other segments. Raises Corrupt, Locked."""
        return self._finally(lambda: self._rewrite(record))

    def _finally(self, publish: Callable[[], RunRecord]) -> RunRecord:
        if not self._is_open:
            raise ValueError("this draft was committed or given up")
        try:
            with disk_errors(self._root):
                record = publish()
        except BaseException:
            self._give_up()
            raise
        self._close()
        return record

    def _commit(self, token: str) -> RunRecord:
        segments = self._rows.finish()
        facts, before = self._facts, self._attempt.before
        tables = facts.tables(self._rows.tallies())
        digest = facts.digest(tables, self._rows.sums())
        if before is not None and before.digest == digest and self._can_keep(before):
            return self._commit_unchanged(before, token)
        record = RunRecord(
            run=facts.run,
            attributes=facts.attributes,
            losses=tuple(facts.losses),
            segments=(*self._kept(), *segments, *self._large(tables)),
            position=facts.position,
            generation=self._attempt.generation,
            digest=digest,
            has_cursor=facts.has_cursor,
            token=token,
            media=dict(facts.media),
            sums=self._rows.sums(),
            inline={
                table: tuple(rows)
                for table, rows in tables.items()
                if 0 < len(rows) <= snapshots.INLINE_ROWS
            },
        )
        self._attempt.publish(record)
        return record

    def _kept(self) -> list[Segment]:
        """The row segments of the commit that is extended."""
        base = self._after.segments if self._after else ()
        return [segment for segment in base if segment.table in ROW_TABLES]

    def _large(self, tables: Tables) -> list[Segment]:
        """Segments of the snapshot tables that are too large for the commit record."""
        return [
            self._attempt.snapshot_segment(table, rows)
            for table, rows in tables.items()
            if len(rows) > snapshots.INLINE_ROWS
        ]

    def _can_keep(self, before: RunRecord) -> bool:
        """Whether the files of an equal commit can stay: ours stand in for those that are lost."""
        if self._after is not None:
            return True
        try:
            for segment in before.segments:
                check_segment(self._root, segment)
        except Corrupt:
            return False
        return True

    def _commit_unchanged(self, before: RunRecord, token: str) -> RunRecord:
        """The content is there already: its segments stay, only the reader's words are new."""
        self._attempt.remove_segments()
        record = replace(
            before,
            losses=tuple(self._facts.losses),
            position=self._facts.position,
            has_cursor=self._facts.has_cursor,
            token=token or before.token,
        )
        if record == before:
            self._attempt.publish_blobs()  # one of them may have been lost
            return before
        record = replace(record, generation=before.generation + 1)
        self._attempt.publish(record)
        return record

    def _rewrite(self, record: RunRecord) -> RunRecord:
        segments = self._rows.finish()
        before = self._attempt.before
        if before is None or before.generation != record.generation:
            raise overtaken(self._root)
        tables = self._facts.tables(self._rows.tallies())
        if self._facts.digest(tables, self._rows.sums()) != record.digest:
            raise Corrupt(
                f"the rows of run {record.run.key} are not those that were committed",
                where=str(self._root),
                hint="pull the run again",
            )
        snapshots_kept = (s for s in record.segments if s.table not in ROW_TABLES)
        rewritten = replace(
            record, segments=(*segments, *snapshots_kept), generation=record.generation + 1
        )
        self._attempt.publish(rewritten)
        return rewritten

    # --- the end ----------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Without a commit, nothing was written."""
        self._give_up()

    def _give_up(self) -> None:
        """Each of the steps is taken, whatever becomes of those before it."""
        if self._is_open:
            with ExitStack() as ending:
                ending.callback(self._close)
                ending.callback(self._attempt.abandon)
                ending.callback(self._rows.abandon)

    def _close(self) -> None:
        self._is_open = False
        try:
            self._attempt.blobs.abandon()
        finally:
            self._lock.release()

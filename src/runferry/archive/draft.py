"""A run being written: what was put is buffered, cut into segments, and made visible at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from runferry.archive import snapshots
from runferry.archive.blobs import Blobs
from runferry.archive.digest import RowSum, digest_of
from runferry.archive.durable import disk_errors, make_folder, write_atomically
from runferry.archive.layout import (
    ROW_TABLES,
    SNAPSHOT_TABLES,
    commit_path,
    new_attempt,
    run_folder,
)
from runferry.archive.lock import FileLock
from runferry.archive.record import (
    RunRecord,
    Segment,
    attribute_to_json,
    record_to_bytes,
    run_to_json,
)
from runferry.archive.row_writer import RowWriter
from runferry.archive.rows import media_batch, raw_batch
from runferry.archive.segments import SegmentFile
from runferry.chunks import (
    Artifact,
    Attributes,
    Checkpoint,
    Chunk,
    Console,
    Document,
    File,
    Header,
    Histograms,
    Lost,
    Media,
    Points,
    Raw,
    SeriesFacts,
    Texts,
)
from runferry.errors import Corrupt, Locked
from runferry.losses import LossLedger
from runferry.model import Attribute, Blob, DataKind, KeyPath, MediaItem, Run, Series, Tree

if TYPE_CHECKING:
    from runferry.archive.store import Archive


class RunDraft:
    """A run being written: nothing of it is visible before `commit` has returned."""

    def __init__(self, archive: Archive, run: Run, after: RunRecord | None, lock: FileLock) -> None:
        self._archive = archive
        self._root: Path = archive.path
        self._lock = lock
        self._run = run
        self._before = archive.record(run.uid)
        self._after = after
        self._attempt = new_attempt()
        self._blobs = Blobs(self._root, self._attempt)
        self._unsynced: set[Path] = set()
        self._created: list[str] = []
        self._losses = LossLedger()
        self._attributes: dict[tuple[str, KeyPath], Attribute] = {}
        self._series: dict[str, Series] = {}
        self._snapshots: dict[str, dict[tuple[str | None, ...], snapshots.Row]] = {
            table: {} for table in SNAPSHOT_TABLES if table != "series"
        }
        self._position: Tree = None
        self._has_cursor = False
        self._media: dict[str, tuple[int, int]] = {}  # rows, and those without bytes, by type
        self._is_open = True
        self._rows = RowWriter(self._root, self._new_segment, after, archive.segment_rows)
        if after is not None:
            self._continue(after)

    def _continue(self, after: RunRecord) -> None:
        if self._before is None or self._before.generation != after.generation:
            raise _overtaken(self._root)
        self._attributes = {(item.role, item.path): item for item in after.attributes}
        self._losses.extend(after.losses)
        self._position, self._has_cursor = after.position, after.has_cursor
        self._media.update(after.media)
        for row in self._archive.snapshot(after, "series"):
            series = snapshots.series_of(row)
            self._series[series.key] = series
            self._rows.restore(series.key, row["tally"])
        for table, rows in self._snapshots.items():
            for row in self._archive.snapshot(after, table):
                rows[snapshots.identity(table, row)] = row

    # --- taking chunks ----------------------------------------------------------------------------

    def put(self, chunk: Chunk) -> None:
        """Add one chunk."""
        if not self._is_open:
            raise ValueError("this draft was committed or given up")
        with disk_errors(self._root):
            self._put(chunk)

    def _put(self, chunk: Chunk) -> None:
        match chunk:
            case Points(batch):
                self._rows.put_points(batch)
            case Texts(batch):
                self._rows.put("texts", batch)
            case Histograms(batch):
                self._rows.put("histograms", batch)
            case Console(batch):
                self._rows.put("console", batch)
            case Media(items):
                self._put_media(items)
            case Raw():
                self._rows.put("raw", raw_batch(chunk))
            case Header(run):
                self._restate(run)
            case Attributes(items):
                self._attributes.update({(item.role, item.path): item for item in items})
            case SeriesFacts(items):
                self._series.update({series.key: series for series in items})
            case File(path, _, blob):
                held_file = replace(chunk, blob=self._hold(blob, path))
                self._snapshot("files", snapshots.file_row(held_file))
            case Artifact():
                self._snapshot("artifacts", snapshots.artifact_row(self._held_artifact(chunk)))
            case Document():
                self._snapshot("documents", snapshots.document_row(chunk))
            case Lost(loss):
                self._losses.add(loss)
            case Checkpoint(position):
                self._position, self._has_cursor = position, True

    def _put_media(self, items: Iterable[MediaItem]) -> None:
        held = [replace(item, blob=self._hold(item.blob, item.key)) for item in items]
        for item in held:
            rows, missing = self._media.get(item.media_type, (0, 0))
            self._media[item.media_type] = (rows + 1, missing + item.blob.is_missing)
        self._rows.put("media", media_batch(held))

    def _restate(self, run: Run) -> None:
        if run.uid != self._run.uid:
            raise ValueError(f"the header of {run.key} among the chunks of {self._run.key}")
        self._run = run

    def _snapshot(self, table: str, row: snapshots.Row) -> None:
        self._snapshots[table][snapshots.identity(table, row)] = row

    def _held_artifact(self, artifact: Artifact) -> Artifact:
        entries = tuple(
            replace(entry, blob=self._hold(entry.blob, f"{artifact.name}/{entry.path}"))
            for entry in artifact.entries
        )
        return replace(artifact, entries=entries)

    def _hold(self, blob: Blob, where: str) -> Blob:
        stored = self._blobs.put(blob, where)
        if stored.loss is not None:
            self._losses.add(stored.loss)
        return stored.blob

    # --- segments ---------------------------------------------------------------------------------

    def _new_segment(self, table: str, number: int, schema: Any) -> SegmentFile:
        if not self._created:
            folder = run_folder(self._root, self._run.uid)
            self._unsynced.update([*make_folder(folder), folder])
        segment = SegmentFile(self._root, self._run.uid, table, number, self._attempt, schema)
        self._created.append(segment.path)
        return segment

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

    def _tables(self) -> dict[str, list[snapshots.Row]]:
        """The snapshot tables, in an order that does not depend on how the run was pulled."""
        tables = {"series": self._series_rows()}
        for table, rows in self._snapshots.items():
            in_order = sorted(rows, key=lambda name: [part or "" for part in name])
            tables[table] = [rows[name] for name in in_order]
        return tables

    def _commit(self, token: str) -> RunRecord:
        segments = self._rows.finish()
        tables = self._tables()
        digest = self._digest(tables)
        before = self._before
        if before is not None and before.digest == digest:
            return self._commit_unchanged(before, token)
        base = self._after.segments if self._after else ()
        kept = tuple(segment for segment in base if segment.table in ROW_TABLES)
        record = RunRecord(
            run=self._run,
            attributes=tuple(self._attributes.values()),
            losses=tuple(self._losses),
            segments=(*kept, *segments, *self._large_snapshots(tables)),
            position=self._position,
            generation=before.generation + 1 if before else 1,
            digest=digest,
            has_cursor=self._has_cursor,
            token=token,
            media=dict(self._media),
            sums=self._rows.sums(),
            inline={
                table: tuple(rows)
                for table, rows in tables.items()
                if 0 < len(rows) <= snapshots.INLINE_ROWS
            },
        )
        self._publish(record)
        return record

    def _commit_unchanged(self, before: RunRecord, token: str) -> RunRecord:
        """The content is there already: its segments stay, only the reader's words are new."""
        self._remove_created()
        record = replace(
            before,
            losses=tuple(self._losses),
            position=self._position,
            has_cursor=self._has_cursor,
            token=token or before.token,
        )
        if record == before:
            return before
        record = replace(record, generation=before.generation + 1)
        self._publish(record)
        return record

    def _rewrite(self, record: RunRecord) -> RunRecord:
        segments = self._rows.finish()
        if self._before is None or self._before.generation != record.generation:
            raise _overtaken(self._root)
        if self._digest(self._tables()) != record.digest:
            raise Corrupt(
                f"the rows of run {record.run.key} are not those that were committed",
                where=str(self._root),
                hint="pull the run again",
            )
        snapshots_kept = (s for s in record.segments if s.table not in ROW_TABLES)
        rewritten = replace(
            record, segments=(*segments, *snapshots_kept), generation=record.generation + 1
        )
        self._publish(rewritten)
        return rewritten

    def _series_rows(self) -> list[snapshots.Row]:
        """Every series with its counts; one that a reader forgot to declare is declared here.

        First come, first served: what a growing run has published keeps its place, and with it
        the name that a destination gave it.
        """
        tallies = self._rows.tallies()
        for key, by_table in tallies.items():
            if key not in self._series:
                kind = _KIND_OF[next(iter(by_table))]
                self._series[key] = Series(key, (key,), kind=kind)
        return [
            snapshots.series_row(series, tallies.get(key, {}))
            for key, series in self._series.items()
        ]

    def _digest(self, tables: dict[str, list[snapshots.Row]]) -> str:
        sums = self._rows.sums()
        attributes = sorted(self._attributes.values(), key=lambda item: (item.role, item.path))
        in_order = tables | {"series": sorted(tables["series"], key=lambda row: str(row["key"]))}
        wholes = {table: snapshots.content(table, rows) for table, rows in in_order.items()}
        wholes["run"] = [run_to_json(self._run)]
        wholes["attributes"] = [attribute_to_json(item) for item in attributes]
        for table, rows in wholes.items():
            if rows:
                total = RowSum()
                total.add_item(rows)
                sums[table] = total.state()
        return digest_of(sums)

    def _large_snapshots(self, tables: Mapping[str, list[snapshots.Row]]) -> list[Segment]:
        """Segments of the snapshot tables that are too large for the commit record."""
        number = self._before.generation + 1 if self._before else 1
        large = []
        for table, rows in tables.items():
            if len(rows) > snapshots.INLINE_ROWS:
                schema = snapshots.SNAPSHOT_SCHEMAS[table]
                file = self._new_segment(table, number, schema)
                file.add(snapshots.to_table(table, rows))
                large.append(file.finish())
        return large

    def _publish(self, record: RunRecord) -> None:
        now = self._archive.record(record.run.uid)
        if (now and now.generation) != (self._before and self._before.generation):
            raise _overtaken(self._root)
        self._unsynced |= self._blobs.publish()
        self._unsynced.update(self._root / created for created in self._created)
        write_atomically(
            commit_path(self._root, record.run.uid),
            record_to_bytes(record),
            scratch=self._attempt,
            before=self._unsynced,
        )

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
        if self._is_open:
            self._rows.abandon()
            self._blobs.abandon()
            self._remove_created()
            self._close()

    def _remove_created(self) -> None:
        """Remove our segments, unless an interrupted commit became visible with them."""
        record = self._archive.record(self._run.uid)
        live = {segment.path for segment in record.segments} if record else set()
        for path in self._created:
            if path not in live:
                (self._root / path).unlink(missing_ok=True)
        if self._created:
            folder = run_folder(self._root, self._run.uid)
            if not any(folder.iterdir()):
                folder.rmdir()
        self._created.clear()
        self._unsynced = {folder for folder in self._unsynced if folder.exists()}

    def _close(self) -> None:
        self._is_open = False
        self._lock.release()


_KIND_OF: dict[str, DataKind] = {
    "points": "scalar",
    "texts": "text",
    "histograms": "histogram",
    "media": "media",
}


def _overtaken(root: Path) -> Locked:
    return Locked(
        "the run was committed by another process since it was looked up",
        where=str(root),
        hint="run the command again",
    )

"""Reads one run: its event files in order of time, what lies beside them, and where it stopped."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property

from runferry import _native, chunks
from runferry.dialects.run_folder import Beside, config_beside
from runferry.dialects.tensorboard.own_files import mark_of
from runferry.errors import Damaged, SourceChanged
from runferry.losses import Fate, Loss
from runferry.model import Cursor
from runferry.ports import BATCH_ROWS
from runferry.readers.damage import Reports
from runferry.readers.declared import Declared
from runferry.readers.standing_losses import StandingLosses
from runferry.readers.tensorboard.facts import header, run_of
from runferry.readers.tensorboard.heads import unusable
from runferry.readers.tensorboard.identity import EventFile, Group
from runferry.readers.tensorboard.position import (
    BESIDE_OURS,
    ROWS_A_FILE,
    FilePosition,
    Position,
)
from runferry.readers.tensorboard.records import FRAMING, Records
from runferry.readers.tensorboard.rows import FileRows
from runferry.readers.tensorboard.side_files import side_files
from runferry.tables import dumps, loads

_MENDED = {
    "bad-utf8": (Fate.ROUNDED, "U+FFFD stands for what is no text"),
    "bad-time": (Fate.DROPPED, "a wall time that is no time; the row has none"),
    "rounded-time": (Fate.ROUNDED, "a wall time finer than a nanosecond"),
    "bad-tensor": (Fate.KEPT, "a value that cannot be decoded is kept as its event"),
}


class RunReading:
    """One pass over one run, from its beginning or from a cursor."""

    def __init__(self, group: Group, after: Cursor | None) -> None:
        self._group = group
        self._is_first = after is None
        self._position = Position() if after is None else Position.restored(after.position)
        self._declared = Declared.after(after.series if after else ())
        labels = {file.label for file in group.files}
        gone = [label for label in self._position.files if label not in labels]
        if gone:
            raise SourceChanged(
                f"{len(gone)} files of this run that were read before are gone, one is {gone[0]}",
                where=str(group.home.path),
                hint="pull it into a new archive, or bring them back",
            )
        self._records = Records(self._position)
        self._standing = StandingLosses(self._position.standing)

    def read(self) -> Iterator[chunks.Chunk]:
        """All chunks; the last two are the header as known now, and a checkpoint."""
        if self._is_first:
            yield chunks.Header(header(self._group))
            yield from map(chunks.Lost, self._group.losses)
        for file in self._group.files:
            yield from self._file(file)
        yield from side_files(self._group.home, self._position.side_files)
        yield from self._ending()

    # --- one file ---------------------------------------------------------------------------------

    def _file(self, file: EventFile) -> Iterator[chunks.Chunk]:
        at = self._position.file(file.label)
        at.check(file.path)
        loss = unusable(file.path)
        if loss is not None:
            yield from self._standing.met([replace(loss, where=file.label)])
            return
        try:
            scanner = _native.EventScanner(
                str(file.path),
                offset=at.offset,
                seq=self._first_row(at, file) if at.seq < 0 else at.seq,
                rows=BATCH_ROWS,
                plugins=at.plugins,
            )
            yield from self._scanned(file, at, scanner)
        except Damaged as error:
            size = file.path.stat().st_size
            loss = Loss("not-an-event-file", Fate.DROPPED, file.label, size, error.what)
            yield from self._standing.met([loss])
            return
        at.offset, at.seq, at.plugins = scanner.offset, scanner.seq, dict(scanner.plugins)
        at.sign(file.path)
        if not at.is_read:
            detail = "no event in it holds a value"
            yield from self._standing.met([Loss("header-only", Fate.KEPT, file.label, 1, detail)])

    def _scanned(
        self, file: EventFile, at: FilePosition, scanner: _native.EventScanner
    ) -> Iterator[chunks.Chunk]:
        records = self._records
        rows = FileRows(self._declared, records.own, file.member)
        told = Reports(file.label, self._standing, _MENDED)
        while (batch := scanner.next()) is not None:
            at.is_read |= bool(batch.series) or any(r[0] not in FRAMING for r in batch.records)
            at.is_own |= any(record[0] == "runferry" for record in batch.records)
            yield from records.take(file, batch.records, is_own=at.is_own, declared=self._declared)
            for tag, plugin, facts in () if at.is_own else batch.series:
                if tag in at.plugins:  # this is not its first value
                    facts.pop("shape", None)
                records.of(file).tag(rows.key(tag), tag, plugin, facts)
            yield from rows.rows_of(batch)
            yield from told.losses(batch.damage, scanner.offset)
            del batch  # before the next one is made
        yield from told.ending(scanner.offset, is_over=self._is_over(file))

    def _first_row(self, at: FilePosition, file: EventFile) -> int:
        """Each file has numbers of its own, but for ours, which state them."""
        if len(self._group.files) == 1 or file.label in self._own_files:
            return 0
        return (at.slot + (BESIDE_OURS if self._own_files else 0)) * ROWS_A_FILE

    @cached_property
    def _own_files(self) -> frozenset[str]:
        """By their marks: who copies a file may call it otherwise."""
        return frozenset(file.label for file in self._group.files if mark_of(file.path))

    def _is_over(self, file: EventFile) -> bool:
        """Whether nobody writes to it any more: a later one was begun in its folder."""
        beside = [one for one in self._group.files if one.path.parent == file.path.parent]
        return file != beside[-1]

    # --- the end ----------------------------------------------------------------------------------

    def _ending(self) -> Iterator[chunks.Chunk]:
        records, position, home = self._records, self._position, self._group.home
        beside = Beside() if home.is_lone else config_beside(home.path)
        yield from records.attributes(self._group.files, beside, self._standing)
        yield from self._standing.ending()
        yield from records.latest.news(is_whole=records.own.is_sealed)
        records.store(position)
        position.standing = self._standing.tree()
        run = run_of(self._group, records.said(self._group.files).values())
        yield chunks.Header(records.own.header(run))
        yield chunks.Checkpoint(loads(dumps(position.tree())))

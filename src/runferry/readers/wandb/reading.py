"""Reads one run: its files in order of time, what lies around them, and where it stopped."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from runferry import _native, chunks
from runferry.errors import SourceChanged
from runferry.model import Cursor, MediaItem
from runferry.paths import spelled
from runferry.ports import BATCH_ROWS
from runferry.readers.missing import MissingBytes
from runferry.readers.standing_losses import StandingLosses
from runferry.readers.wandb.damage import cut_line, rebased, reports
from runferry.readers.wandb.heads import Head
from runferry.readers.wandb.history import JsonLines
from runferry.readers.wandb.identity import Group
from runferry.readers.wandb.loose import Loose
from runferry.readers.wandb.position import Position, SegmentPosition
from runferry.readers.wandb.records import Records
from runferry.readers.wandb.rows import SegmentRows
from runferry.readers.wandb.surroundings import Surroundings
from runferry.tables import dumps, loads


class RunReading:
    """One pass over one run, from its beginning or from a cursor."""

    def __init__(self, group: Group, after: Cursor | None, *, is_growing: bool = False) -> None:
        self._group = group
        self._is_growing = is_growing
        self._is_first = after is None
        position = Position() if after is None else Position.restored(after.position)
        if len(position.segments) > len(group.heads):
            raise SourceChanged(
                "files of this run that were read before are gone",
                where=group.heads[0].place.label,
                hint="pull it into a new archive, or bring them back",
            )
        self._position = position
        self._records = Records(position, after.series if after else ())
        self._standing = StandingLosses(position.standing)

    def read(self) -> Iterator[chunks.Chunk]:
        """All chunks; the last two are the header as known now, and a checkpoint."""
        if self._is_first:
            yield chunks.Header(self._group.header())
            yield from map(chunks.Lost, self._group.losses)
        missing = MissingBytes()
        for index, head in enumerate(self._group.heads):
            yield from missing.watched(self._segment(index, head))
        records = self._records
        around = Surroundings(
            self._group, self._position, records.facts, records.files, self._standing
        )
        is_waiting = self._is_growing and not records.facts.state.get("exited")
        if not records.own.uid:  # else our own records say what belongs to the run
            yield from missing.watched(around.read(is_waiting=is_waiting))
        yield from map(chunks.Lost, missing.losses())
        yield from self._ending(around.loose)

    # --- one file ---------------------------------------------------------------------------------

    def _segment(self, index: int, head: Head) -> Iterator[chunks.Chunk]:
        if head.failure is not None:
            raise head.failure
        is_new = index >= len(self._position.segments)
        if is_new:
            self._position.segments.append(SegmentPosition())
            if index:
                self._records.facts.begin_segment()
        segment = self._position.segments[index]
        if head.unusable is not None:
            yield from self._standing.met([head.unusable])
        content = head.content
        if content is None:
            return
        segment.check(content)
        if head.place.history is not None:
            yield from self._json_lines(head, segment)
        else:
            yield from self._database(head, segment)
        segment.sign(content)

    def _database(self, head: Head, segment: SegmentPosition) -> Iterator[chunks.Chunk]:
        database, records = head.place.database, self._records
        assert database is not None
        rows = self._rows_of(head, segment)
        scanner = _native.WandbScanner(
            str(database),
            offset=segment.offset,
            origin=segment.origin,
            seq=self._position.seq,
            rows=BATCH_ROWS,
        )
        told = reports(database.name, self._standing)
        while (batch := scanner.next()) is not None:
            yield from records.take(head.place, batch.records)
            yield from rows.rows_of(batch)
            yield from told.losses(batch.damage, scanner.offset)
            segment.has_console |= batch.console is not None
        yield from told.ending(scanner.offset, is_over=self._is_over(head))
        for path, text in () if records.own.uid else scanner.summary():
            records.assembly.summarise(path, text)
        if rows.shift and segment.shift is None:
            yield chunks.Lost(rebased(head, rows.shift))
        segment.offset, segment.origin = scanner.offset, scanner.origin
        segment.shift = rows.shift
        self._position.seq = scanner.seq
        steps = (self._position.last_step, rows.last_step)
        self._position.last_step = max((one for one in steps if one is not None), default=None)

    def _rows_of(self, head: Head, segment: SegmentPosition) -> SegmentRows:
        return SegmentRows(
            self._records.declared,
            head.place.files,
            self._claims(head),
            lambda first: self._rebased(head, first),
            segment.shift,
            self._records.own.key,
        )

    def _claims(self, head: Head) -> Callable[[Iterable[MediaItem]], None]:
        """What takes the media of rows of a file."""
        folder = spelled(head.place.folder.name)
        return lambda items: self._records.files.media.claim(items, folder)

    def _is_over(self, head: Head) -> bool:
        """Whether nobody writes to this file any more: its run ended, or went on in another."""
        states = (self._records.facts.state, head.facts.state)
        return head is not self._group.heads[-1] or any(state.get("exited") for state in states)

    def _rebased(self, head: Head, first: int) -> int:
        """What is added to the steps of a resumed file: offline clients begin each at step 0.

        A file that states where it starts, or begins at another step, has steps of its own.
        """
        last = self._position.last_step
        stated = head.facts.state.get("starting_step")
        if not head.is_resumed or last is None or stated or first != 0:
            return 0
        return last + 1

    def _json_lines(self, head: Head, segment: SegmentPosition) -> Iterator[chunks.Chunk]:
        history, records = head.place.history, self._records
        assert history is not None
        files, claim = head.place.files, self._claims(head)
        user = JsonLines(history, "user", records.declared, files, claim)
        user.offset, user.line = segment.offset, segment.lines
        yield from user.rows()
        segment.offset, segment.lines = user.offset, user.line
        yield from self._standing.met(cut_line(user, is_over=self._is_over(head)))
        events = history.with_name("wandb-events.jsonl")
        if not events.is_file():
            return
        system = JsonLines(events, "system", records.declared, files, claim)
        system.offset, system.line = segment.events_offset, segment.events_lines
        yield from system.rows()
        segment.events_offset, segment.events_lines = system.offset, system.line
        yield from self._standing.met(cut_line(system, is_over=self._is_over(head)))

    # --- the end ----------------------------------------------------------------------------------

    def _ending(self, loose: Loose) -> Iterator[chunks.Chunk]:
        records, position = self._records, self._position
        facts = records.facts.beside(loose, records.assembly.whole_summary(loose))
        if not records.own.uid:
            yield from records.assembly.news(loose, facts.attributes())
        yield from map(chunks.Lost, records.facts.losses)
        yield from self._standing.met([*loose.losses, *facts.losses])
        yield from self._standing.ending()
        records.store(position)
        position.standing = self._standing.tree()
        yield chunks.Header(records.own.header(self._group.run(facts)))
        yield chunks.Checkpoint(loads(dumps(position.tree())))

"""Reads one run: its files in order of time, what lies around them, and where it stopped."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runferry import _native, chunks
from runferry.errors import SourceChanged, SourceError, UnknownVersion
from runferry.model import Cursor, Tree
from runferry.readers.wandb import artifacts, attributes, surroundings, trees
from runferry.readers.wandb.attributes import Assembly
from runferry.readers.wandb.facts import Facts
from runferry.readers.wandb.files import RunFiles
from runferry.readers.wandb.heads import Head
from runferry.readers.wandb.history import JsonLines
from runferry.readers.wandb.identity import Group
from runferry.readers.wandb.metrics import Definitions
from runferry.readers.wandb.position import Position, SegmentPosition
from runferry.readers.wandb.rows import Declared, SegmentRows

if TYPE_CHECKING:
    from runferry._native import WandbBatch

_FRAMING = {"final", "footer"}  # marks of the file's end that say nothing


class RunReading:
    """One pass over one run, from its beginning or from a cursor."""

    def __init__(self, group: Group, after: Cursor | None) -> None:
        self._group = group
        self._is_first = after is None
        position = Position() if after is None else Position.restored(after.position)
        if len(position.segments) > len(group.heads):
            raise SourceChanged(
                "files of this run that were read before are gone",
                where=group.heads[0].place.label,
                hint="pull it into a new archive, or bring them back",
            )
        self._position = position
        self._facts = Facts(dict(position.facts))
        self._definitions = Definitions.restored(position.definitions)
        self._declared = Declared.after(after.series if after else (), self._definitions)
        self._files = RunFiles(dict(position.files), dict(position.media_until))
        self._assembly = Assembly()
        self._summary: dict[str, Tree] = {}

    def read(self) -> Iterator[chunks.Chunk]:
        """All chunks; the last two are the header as known now, and a checkpoint."""
        if self._is_first:
            yield chunks.Header(self._group.heads[0].facts.run(self._group.key))
            yield from map(chunks.Lost, self._group.losses)
        for index, head in enumerate(self._group.heads):
            yield from self._segment(index, head)
        yield from self._surroundings()
        yield from self._ending()

    # --- one file ---------------------------------------------------------------------------------

    def _segment(self, index: int, head: Head) -> Iterator[chunks.Chunk]:
        if head.failure is not None:
            raise refusal(head)
        is_new = index >= len(self._position.segments)
        if is_new:
            self._position.segments.append(SegmentPosition())
            if index:
                self._facts.begin_segment()
        segment = self._position.segments[index]
        content = head.content
        if content is None:
            if is_new and head.unusable is not None:
                yield chunks.Lost(head.unusable)
            return
        segment.check(content)
        if head.place.history is not None:
            if is_new and head.unusable is not None:
                yield chunks.Lost(head.unusable)
            yield from self._json_lines(head, segment)
        else:
            yield from self._database(head, segment)
        segment.sign(content)

    def _database(self, head: Head, segment: SegmentPosition) -> Iterator[chunks.Chunk]:
        database = head.place.database
        assert database is not None
        rows = SegmentRows(
            self._declared,
            head.place.files,
            self._files.claim,
            lambda first: self._rebased(head, first),
            segment.shift,
        )
        scanner = _native.WandbScanner(
            str(database), offset=segment.offset, origin=segment.origin, seq=self._position.seq
        )
        found: list[tuple[int, int, str]] = []
        while (batch := scanner.next()) is not None:
            yield from self._records(head, batch)
            yield from rows.rows_of(batch)
            found = [damage for damage in found if damage[0] >= scanner.offset]
            for damage in batch.damage:
                found.append(damage)
                if repr(damage) not in segment.reported:
                    is_over = self._is_over(head)
                    yield chunks.Lost(surroundings.damage(database, *damage, is_over=is_over))
            if batch.console is not None:
                self._position.has["console"] = True
        segment.reported = [repr(damage) for damage in found if damage[0] >= scanner.offset]
        for path, text in scanner.summary():
            self._take_summary(path, text)
        if rows.shift and segment.shift is None:
            yield chunks.Lost(surroundings.rebased(head, rows.shift))
        segment.offset, segment.origin = scanner.offset, scanner.origin
        segment.shift = rows.shift
        self._position.seq = scanner.seq
        if rows.last_step is not None:
            last = self._position.last_step
            self._position.last_step = max(rows.last_step, rows.last_step if last is None else last)

    def _is_over(self, head: Head) -> bool:
        """Whether nobody writes to this file any more: its run ended, or went on in another."""
        return head is not self._group.heads[-1] or bool(self._facts.state.get("exited"))

    def _rebased(self, head: Head, first: int) -> int:
        """What is added to the steps of a resumed file: offline clients begin each at step 0.

        A file that states where it starts, or begins at another step, has steps of its own.
        """
        last = self._position.last_step
        stated = head.facts.state.get("starting_step")
        if not head.is_resumed or last is None or stated or first != 0:
            return 0
        return last + 1

    def _records(self, head: Head, batch: WandbBatch) -> Iterator[chunks.Chunk]:
        for kind, offset, message in batch.records:
            yield from self._record(head, kind, offset, message)
        yield from self._assembly.drain()
        changed = self._declared.restated()
        if changed:
            yield chunks.SeriesFacts(changed)

    def _record(
        self, head: Head, kind: str, offset: int, message: dict[str, Any]
    ) -> Iterator[chunks.Chunk]:
        self._facts.absorb(kind, message)
        where = f"{head.place.label}@{offset}"
        if any(name.startswith("#") for name in message) and not kind.startswith("#"):
            yield surroundings.raw(kind, offset, message)  # fields that no schema has
        match kind:
            case "run":
                self._assembly.run(message, where)
                self._note_config(message.get("config") or {})
                for item in (message.get("summary") or {}).get("update") or ():
                    self._take_summary(trees.item_path(item), str(item.get("value_json", "")))
            case "config":
                self._assembly.update_config(message, where)
                self._note_config(message)
            case "environment":
                self._position.has["environment"] = True
                self._assembly.environ(message)
            case "telemetry":
                self._assembly.environ({"telemetry": message})
            case "header":
                self._assembly.environ({"_wandb": message})
            case "metric":
                self._metric(message)
            case "files":
                self._files.listed(message)
            case "artifact":
                yield artifacts.produced(message)
            case "use_artifact":
                yield artifacts.used(message)
            case "alert" | "tbrecord" | "preempting":
                self._assembly.note(("_wandb", kind, str(offset)), surroundings.plain(message))
            case "exit":
                pass
            case _ if kind in _FRAMING and not surroundings.plain(message):
                pass
            case _:
                yield surroundings.raw(kind, offset, message)

    def _metric(self, message: dict[str, Any]) -> None:
        self._definitions.absorb(message)
        if not message.get("expanded_from_glob"):
            name = str(message.get("name") or message.get("glob_name") or "")
            told = surroundings.plain(message)
            self._assembly.note(("_wandb", "define_metric", name), told)

    def _note_config(self, message: dict[str, Any]) -> None:
        if any(trees.item_path(item)[0] != "_wandb" for item in message.get("update") or ()):
            self._position.has["config"] = True

    def _take_summary(self, path: tuple[str, ...], text: str | None) -> None:
        self._position.has["summary"] = True
        if text is None:
            trees.remove(self._summary, path)
            return
        try:
            trees.put(self._summary, path, trees.parse_json(text))
        except ValueError:
            trees.put(self._summary, path, text)

    def _json_lines(self, head: Head, segment: SegmentPosition) -> Iterator[chunks.Chunk]:
        history = head.place.history
        assert history is not None
        user = JsonLines(history, "user", self._declared, head.place.files, self._files.claim)
        user.offset, user.line = segment.offset, segment.lines
        yield from user.rows()
        segment.offset, segment.lines = user.offset, user.line
        events = history.with_name("wandb-events.jsonl")
        if not events.is_file():
            return
        system = JsonLines(events, "system", self._declared, head.place.files, self._files.claim)
        system.offset, system.line = segment.events_offset, segment.events_lines
        yield from system.rows()
        segment.events_offset, segment.events_lines = system.offset, system.line

    # --- around the files -------------------------------------------------------------------------

    def _surroundings(self) -> Iterator[chunks.Chunk]:
        around = surroundings.Surroundings(
            self._group, self._position, self._facts, self._files, self._summary
        )
        yield from around.read()

    def _ending(self) -> Iterator[chunks.Chunk]:
        runtime = self._summary.get("_wandb")
        if isinstance(runtime, dict):
            self._facts.last_runtime(runtime.get("runtime"))
        self._facts.last_runtime(self._summary.get("_runtime"))
        found = attributes.summary_attributes(self._summary)
        if self._is_first:
            found = (*self._facts.attributes(), *found)
        if found:
            yield chunks.Attributes(found)
        position = self._position
        position.facts = dict(self._facts.state)
        position.definitions = self._definitions.position()
        position.files, position.media_until = self._files.seen, self._files.media_until
        yield chunks.Header(self._facts.run(self._group.key))
        yield chunks.Checkpoint(json.loads(json.dumps(position.tree())))


def refusal(head: Head) -> SourceError:
    """What reading this place fails with."""
    path = str(head.place.database or head.place.folder)
    failure = str(head.failure)
    if failure.startswith("format version"):
        return UnknownVersion(failure, where=path, hint="pip install --upgrade runferry")
    return SourceError(failure, where=path, hint=f"chmod -R u+rX {Path(path).parent}")

"""Reads sessions of ClearML that stand as replicas, and goes on where it ended.

What a task, an event or a printed line means is the reader's of all sessions (`readers.clearml`).
That one reads each session whole; here lines are whole and only added.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar, Final

from runferry.chunks import Attributes, Checkpoint, Chunk, Header
from runferry.dialects.clearml.header import header_of, key_of
from runferry.dialects.clearml.names import LOG_FILE, METRICS_FILE, TASK_FILE, Event, Task
from runferry.errors import SourceChanged
from runferry.live.replica_reader import ReplicaReader
from runferry.model import Attribute, Cursor, Run, RunKey, Tree
from runferry.readers.clearml.console import ConsoleRows
from runferry.readers.clearml.contents import FolderContents
from runferry.readers.clearml.events import EventRows
from runferry.readers.clearml.places import Places
from runferry.readers.clearml.reading import chunks_of
from runferry.readers.clearml.task_facts import artifacts_of, attributes_of, files_of

_WITH_FILES: Final = ("script", "execution", "models", "offline_output_models")


class SessionsReader(ReplicaReader):
    """Sessions in a folder."""

    name: ClassVar[str] = "sessions"
    takes: ClassVar[str] = "a folder of sessions"

    def look(self) -> Iterator[GrowingSession]:
        """By folder."""
        for path in sorted(self.root.glob(f"*/{TASK_FILE}")):
            yield GrowingSession(path.parent)


@dataclass(frozen=True, slots=True)
class GrowingSession:
    """The session of one task."""

    folder: Path

    @property
    def key(self) -> RunKey:
        """Of the task."""
        return key_of(str(self._task()["id"]))

    @property
    def sources(self) -> tuple[Path, ...]:
        """Its files."""
        return tuple(self.folder / name for name in (TASK_FILE, METRICS_FILE, LOG_FILE))

    def header(self) -> Run:
        """As the task has it."""
        contents = FolderContents(self.folder)
        return header_of(self._task(), self.key, is_closed=contents.is_closed)

    def read(self, run: Run, after: Cursor | None = None) -> Iterator[Chunk]:
        """Its chunks; `run` is this one. Raises SourceChanged."""
        at = _Place.of(after)
        task = self._task()
        contents = FolderContents(self.folder)
        places = Places(contents, str(task.get("offline_folder") or ""))
        known = after.series if after is not None else ()
        rows = EventRows(str(task["id"]), places.sample, known, at.seq)
        yield from chunks_of(at.new_events(self.folder / METRICS_FILE), rows)
        at.seq = rows.seq
        at.singles |= {one.path[0]: one.value for one in rows.singles}
        singles = (Attribute((name,), "summary", value) for name, value in at.singles.items())
        yield Attributes((*attributes_of(task), *singles), is_whole=True)
        yield from at.console(self.folder / LOG_FILE)
        digest = _digest([task.get(name) for name in _WITH_FILES])
        if digest != at.files:
            at.files = digest
            yield from files_of(task)
            yield from artifacts_of(task, places.artifact)
        header = replace(self.header(), key=run.key, origin_uid=run.origin_uid)
        yield Header(replace(header, host=header.host or at.worker))
        yield Checkpoint(dict(vars(at)))

    def _task(self) -> Task:
        found: Task = json.loads((self.folder / TASK_FILE).read_bytes())
        return found


@dataclass
class _Place:
    """How far a session was read."""

    offsets: dict[str, int] = field(default_factory=dict)
    seq: int = 0
    lines: int = 0  # of the console
    singles: dict[str, Tree] = field(default_factory=dict)  # values reported by themselves
    files: str = ""  # what the task said of files
    worker: str | None = None

    @classmethod
    def of(cls, after: Cursor | None) -> _Place:
        """Raises SourceChanged."""
        if after is None:
            return cls()
        try:
            found = cls(**after.position)  # type: ignore[arg-type]
        except TypeError as error:
            raise SourceChanged("no cursor of a session's replica") from error
        return replace(found, offsets={**found.offsets}, singles={**found.singles})

    def new_events(self, path: Path) -> Iterator[Event]:
        """Those behind the last one that was read."""
        if not path.exists():
            return
        with path.open("rb") as lines:
            lines.seek(self.offsets.get(path.name, 0))
            for line in lines:
                if not line.endswith(b"\n"):
                    return
                self.offsets[path.name] = self.offsets.get(path.name, 0) + len(line)
                yield from json.loads(line)

    def console(self, path: Path) -> Iterator[Chunk]:
        """What was printed since."""
        console = ConsoleRows(self.lines)
        for event in self.new_events(path):
            yield from console.add(event)
        yield from console.drain()
        yield from console.losses()
        self.lines = console.seq
        self.worker = self.worker or console.worker


def _digest(value: object) -> str:
    spelled = json.dumps(value, sort_keys=True).encode()
    return hashlib.blake2b(spelled, digest_size=8).hexdigest()

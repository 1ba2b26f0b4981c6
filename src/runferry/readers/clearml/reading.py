"""A task as chunks, wherever it comes from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from runferry.chunks import Artifact, Attributes, Chunk, File, Header, Lost
from runferry.dialects.clearml.names import Event, Task
from runferry.model import Run
from runferry.readers.clearml.console import ConsoleRows
from runferry.readers.clearml.events import EventRows
from runferry.readers.clearml.task_facts import attributes_of, files_of


@dataclass(frozen=True, slots=True)
class Reading:
    """What there is of a task, each part read when it is its turn."""

    task: Task
    events: Iterable[Event | Lost]
    log: Iterable[Event | Lost]
    artifacts: Iterable[Artifact]
    rest: Iterable[File]  # files that nothing names; asked last

    def chunks(self, run: Run, rows: EventRows) -> Iterator[Chunk]:
        """All of it, and the header at last."""
        attributes = attributes_of(self.task)
        if attributes:
            yield Attributes(attributes)
        for event in self.events:
            if isinstance(event, Lost):
                yield event
            elif not rows.take(event):
                yield from rows.add(event)
            elif rows.is_full:
                yield from rows.drain()
        yield from rows.drain()
        yield from rows.losses()
        if rows.singles:
            yield Attributes(rows.singles)
        console = ConsoleRows()
        for event in self.log:
            if isinstance(event, Lost):
                yield event
            else:
                yield from console.add(event)
        yield from console.finish()
        yield from console.losses()
        yield from files_of(self.task)
        yield from self.artifacts
        yield from self.rest
        yield Header(replace(run, host=run.host or console.worker))

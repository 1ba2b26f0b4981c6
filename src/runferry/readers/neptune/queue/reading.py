"""A container of `.neptune` folders as a run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import tzinfo
from pathlib import Path

from runferry import chunks
from runferry.dialects.neptune.header import header_of
from runferry.dialects.neptune.names import key_of
from runferry.model import Cursor, Run, RunKey, Tree
from runferry.readers.missing import MissingBytes
from runferry.readers.neptune.queue.containers import Queue
from runferry.readers.neptune.queue.header import assigned_sys, began_ns
from runferry.readers.neptune.queue.replay import Replay


@dataclass(frozen=True, slots=True)
class QueuedRun:
    """A container of `.neptune` folders."""

    queue: Queue
    zone: tzinfo

    @property
    def key(self) -> RunKey:
        """The id is unique everywhere; of which project it is, no file says."""
        return key_of("", self.queue.container_id)

    @property
    def sources(self) -> tuple[Path, ...]:
        """Its logs."""
        return tuple(log for one in self.queue.executions for log in one.logs)

    def header(self) -> Run:
        """What metadata and the first operations say."""
        return self.header_with(assigned_sys(self.queue))

    def header_with(self, sys: dict[str, Tree]) -> Run:
        """With these values below `sys`."""
        first = self.queue.executions[0]
        version = dict(first.metadata).get("neptuneClientVersion")
        client = f"neptune {version}" if version else "neptune"
        header = header_of(self.key, self.queue.kind, sys, client)
        began = began_ns(first, self.zone)
        if header.created_ns is None:
            header = replace(header, created_ns=began, started_ns=began)
        return header

    def read(self, run: Run, after: Cursor | None = None) -> Iterator[chunks.Chunk]:
        """See `runferry.ports.Reader`."""
        missing = MissingBytes()
        replay = Replay.begun(self.queue, after)
        if after is None:
            yield chunks.Header(self.header())
        yield from missing.watched(replay.read())
        yield from replay.position.news(map(chunks.Lost, missing.losses()))
        sys = {
            "/".join(path[1:]): held.value
            for path, held in replay.values.held.items()
            if path[0] == "sys" and len(path) > 1
        }
        yield chunks.Header(self.header_with(sys))
        yield chunks.Checkpoint(replay.tree())

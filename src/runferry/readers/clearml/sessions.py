"""An offline session as a run: anybody's, or one that runferry wrote."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from runferry.chunks import Chunk, File, Header, Lost
from runferry.dialects.clearml.header import header_of, key_of
from runferry.dialects.clearml.names import LOG_FILE, METRICS_FILE, OFFLINE, TASK_FILE
from runferry.dialects.clearml.own_copy import OWN, authored_in
from runferry.dialects.plain_folder.run_file import read_run_file
from runferry.errors import Damaged
from runferry.model import Cursor, Run, RunKey
from runferry.readers.clearml.contents import Contents, FolderContents
from runferry.readers.clearml.event_lines import events_in
from runferry.readers.clearml.events import EventRows
from runferry.readers.clearml.places import Places
from runferry.readers.clearml.reading import Reading
from runferry.readers.clearml.task_facts import artifacts_of
from runferry.readers.clearml.task_file import read_task
from runferry.readers.local_runs import LocalRun, refuse_cursor
from runferry.readers.missing import MissingBytes
from runferry.readers.plain_folder.own_folder import DamagedCopies, OwnFolder

_READ: Final = frozenset({TASK_FILE, METRICS_FILE, LOG_FILE})


@dataclass(frozen=True, slots=True)
class SessionRun:
    """A session of ClearML's own client."""

    contents: Contents
    key: RunKey

    @property
    def sources(self) -> tuple[Path, ...]:
        """The folder's files, or the zip."""
        path = self.contents.path
        return (path / TASK_FILE,) if isinstance(self.contents, FolderContents) else (path,)

    def header(self) -> Run:
        """As the task has it."""
        task, _ = read_task(self.contents)
        return header_of(task, self.key, is_closed=self.contents.is_closed)

    def read(self, run: Run, after: Cursor | None = None) -> Iterator[Chunk]:
        """All of the session: its task is written anew at every turn. Raises SourceChanged."""
        refuse_cursor(after, self.contents.path)
        task, losses = read_task(self.contents)
        yield from map(Lost, losses)
        places = Places(self.contents, str(task.get("offline_folder") or ""))
        task_id = str(task.get("id") or self.key.run_id)
        reading = Reading(
            task,
            events_in(self.contents, METRICS_FILE),
            events_in(self.contents, LOG_FILE),
            artifacts_of(task, places.artifact),
            self._rest(places),
        )
        header = replace(self.header(), key=run.key, origin_uid=run.origin_uid)
        missing = MissingBytes()
        yield from missing.watched(reading.chunks(header, EventRows(task_id, places.sample)))
        for gone in missing.losses():
            yield Lost(gone)

    def _rest(self, places: Places) -> Iterator[File]:
        """Files that no event and no artifact names."""
        for name in self.contents.names():
            if name not in places.found and name not in _READ:
                yield File(name, "other", self.contents.blob(name))


@dataclass(frozen=True, slots=True)
class DamagedZip:
    """A zip that cannot be read, as the run that it should be."""

    contents: Contents
    key: RunKey

    @property
    def sources(self) -> tuple[Path, ...]:
        """The zip."""
        return (self.contents.path,)

    def header(self) -> Run:
        """No more than its key, which the file's name has."""
        return Run(self.key)

    def read(self, run: Run, after: Cursor | None = None) -> Iterator[Chunk]:
        """Raises Damaged."""
        read_task(self.contents)
        yield Header(run)


def session_at(contents: Contents) -> LocalRun:
    """What reads a session."""
    name = contents.path.name.removesuffix(".zip")
    try:
        task, _ = read_task(contents)
    except Damaged:
        return DamagedZip(contents, key_of(name))
    task_id = task.get("id") or (name if name.startswith(OFFLINE) else None)
    session = SessionRun(contents, key_of(str(task_id or name)))
    if not isinstance(contents, FolderContents):
        return session
    damaged = DamagedCopies()
    own = _own(contents.path, damaged)
    return damaged.told_by(session, contents.path) if own is None else replace(own, made=session)


def _own(folder: Path, damaged: DamagedCopies) -> OwnFolder | None:
    """None for a session that is not ours, or was edited since."""
    said = damaged.read(authored_in, folder / OWN, folder)
    if said is None or not said.stands(folder):
        return None
    run = damaged.read(read_run_file, folder / OWN, folder)
    return None if run is None else OwnFolder(folder / OWN, (folder / TASK_FILE,), run.run)

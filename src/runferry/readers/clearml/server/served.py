"""A task of a server as a run: anybody's, or one that runferry brought there."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

from runferry.chunks import Checkpoint, Chunk, Lost
from runferry.dialects.clearml.header import header_of, key_of
from runferry.dialects.clearml.names import (
    LOG,
    MARK,
    PLOT,
    SAMPLE,
    SCALAR,
    VECTOR,
    Event,
    Task,
)
from runferry.dialects.clearml.own_copy import AUTHORED, BUNDLE, Authored, parsed
from runferry.dialects.clearml.service import Service
from runferry.dialects.plain_folder.layout import is_uid
from runferry.errors import SourceChanged
from runferry.model import Blob, Cursor, Run, RunKey, Tree, Uid
from runferry.readers.clearml.events import EventRows
from runferry.readers.clearml.reading import Reading
from runferry.readers.clearml.task_facts import artifacts_of
from runferry.readers.missing import MissingBytes
from runferry.readers.plain_folder.exact_copy import exactly, instead
from runferry.readers.zip_members import UNREADABLE_ZIP

_UNREADABLE: Final = (
    OSError, *UNREADABLE_ZIP, KeyError, TypeError, AttributeError,
)  # fmt: skip
_READER: Final = "clearml server"
_ENDED: Final = frozenset({"completed", "closed", "published", "failed", "stopped"})
_AGAIN: Final = "pull the run into a new archive"
_METRICS: Final = (SCALAR, VECTOR, PLOT, SAMPLE)


def uid_of(task: Task) -> Uid | None:
    """Whose copy a task is, by its system tag; None for anybody's."""
    for tag in task.get("system_tags") or []:
        word = str(tag).removeprefix(MARK)
        if word != tag and is_uid(word):
            return Uid(word)
    return None


def position_of(task: Task) -> dict[str, Tree] | None:
    """What stands for all that was done to a task; None while it has not ended.

    The API: `last_update` is when it "was created, edited, changed or events for this task were
    reported".
    """
    if task.get("status") not in _ENDED or not task.get("last_update"):
        return None
    told = ("id", "status", "last_update", "project_name")
    return {"reader": _READER, **{name: str(task.get(name)) for name in told}}


@dataclass(frozen=True, slots=True)
class ServedRun:
    """What the listing says of a task, and how to read the rest."""

    service: Service
    listed: Task

    @property
    def key(self) -> RunKey:
        """By the id that the server gave."""
        return key_of(str(self.listed["id"]))

    @property
    def sources(self) -> tuple[Path, ...]:
        """No file of this machine."""
        return ()

    def header(self) -> Run:
        """As the listing has it."""
        return self._header(self.listed)

    def _header(self, task: Task) -> Run:
        run = header_of(task, self.key)
        project, web = task.get("project") or "*", self.service.account.web_url
        url = f"{web}/projects/{project}/experiments/{task['id']}/output/log"
        return replace(run, source_url=url, origin_uid=uid_of(task))

    def read(self, run: Run, after: Cursor | None = None) -> Iterator[Chunk]:
        """All of the task; of one of ours what was sent, if it is still all there.

        With `after` nothing, where nothing was done to the task since: the API gives no events from
        some time on. Raises SourceChanged where something was.
        """
        task_id = str(self.listed["id"])
        task = self.service.ask("tasks.get_by_id", task=task_id)["task"]
        task["project_name"] = self.listed.get("project_name")
        position = position_of(task)
        if after is None:
            missing = MissingBytes()
            yield from missing.watched(self._whole(task, run))
            gone = tuple(missing.losses())
            yield from map(Lost, gone)
            is_all = not gone  # else what is gone is asked for again
        elif after.position != position:
            where = f"{self.service.where}: {task_id}"
            raise SourceChanged("the task has changed since", where=where, hint=_AGAIN)
        else:
            is_all = True
        if is_all and position is not None:
            yield Checkpoint(position)

    def _whole(self, task: Task, run: Run) -> Iterator[Chunk]:
        header = replace(self._header(task), key=run.key, origin_uid=run.origin_uid)
        if header.origin_uid is not None:
            with tempfile.TemporaryDirectory(prefix="runferry-clearml-") as folder:
                try:
                    is_own = self._own_copy(task, Path(folder))
                except _UNREADABLE as error:
                    native = self._native(task, header)
                    yield from instead(Path(folder), run, native, BUNDLE, error)
                    return
                if is_own:
                    made = partial(self._native, task, header)
                    yield from exactly(Path(folder), run, made, BUNDLE)
                    return
        yield from self._native(task, header)

    def _native(self, task: Task, header: Run) -> Iterator[Chunk]:
        reading = Reading(
            task,
            self._events(str(task["id"]), _METRICS),
            self._events(str(task["id"]), (LOG,)),
            artifacts_of(task, self._located),
            (),
        )
        yield from reading.chunks(header, EventRows(str(task["id"]), self._sample))

    def _events(self, task_id: str, kinds: tuple[str, ...]) -> Iterator[Event]:
        for kind in kinds:
            yield from self.service.events(task_id, kind)

    def _located(self, uri: str, media_type: str | None) -> tuple[str, Blob, str | None]:
        last = uri.rstrip("/").rsplit("/", 1)[-1] or uri
        if not self.service.is_ours(uri):
            return last, Blob(media_type=media_type), uri
        return last, self._blob(uri, media_type), None

    def _sample(self, key: str | None, url: str | None, media_type: str | None) -> Blob:
        if url is None or not self.service.is_ours(url):
            return Blob(media_type=media_type)
        return self._blob(url, media_type)

    def _blob(self, url: str, media_type: str | None) -> Blob:
        return Blob(None, media_type, None, lambda: self.service.opened(url))

    # --- what runferry brought there

    def _own_copy(self, task: Task, folder: Path) -> bool:
        """Whether the task is as it was sent, and then its copy in a folder. Raises _UNREADABLE."""
        url = next(
            (
                str(item.get("uri"))
                for item in (task.get("execution") or {}).get("artifacts") or []
                if item.get("key") == BUNDLE
            ),
            None,
        )
        if url is None or not self.service.is_ours(url):
            return False
        with self.service.opened(url) as packed, zipfile.ZipFile(packed) as archive:
            said = parsed(archive.read(AUTHORED))
            if not self._stands(str(task["id"]), said):
                return False
            _unpack(archive, folder)
        return True

    def _stands(self, task_id: str, said: Authored) -> bool:
        """Whether there are as many events as there were."""
        return all(
            fewest <= self.service.count(task_id, kind) <= most
            for kind, (fewest, most) in said.events.items()
        )


def _unpack(archive: zipfile.ZipFile, folder: Path) -> None:
    """Members whose names lead nowhere else: `extract` takes `..` and roots away."""
    for member in archive.infolist():
        archive.extract(member, folder)

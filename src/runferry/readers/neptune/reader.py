"""The readers `neptune` and `neptune-models`: files where there are any, else a server.

What is a run (or a project's own metadata) is of the one, what is a model or a version of it of the
other, whatever they lie in.
"""

from __future__ import annotations

import logging
import os
import shlex
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import ClassVar, Self

from runferry import settings
from runferry.dialects.neptune.names import MODELS, TRACKER, Container
from runferry.dialects.neptune.own_store import STORE, STORE_MARK
from runferry.dialects.neptune.places import ServerPlace
from runferry.dialects.plain_folder.layout import form_of
from runferry.errors import BadLocation, NotFound
from runferry.model import Kind, Run
from runferry.paths import Folder, folders_below, is_local
from runferry.ports import Location, ReadOptions
from runferry.readers.local_runs import LocalReader, LocalRun
from runferry.readers.neptune.export.parts import container_of, is_part, parts_below
from runferry.readers.neptune.export.reading import exported
from runferry.readers.neptune.own_export import own_exported, own_queued
from runferry.readers.neptune.queue.containers import METADATA, UPLOADS, is_queue, queues_below
from runferry.readers.neptune.queue.reading import QueuedRun
from runferry.readers.neptune.scale.database import NAME, facts_of
from runferry.readers.neptune.scale.reading import scale_runs
from runferry.readers.plain_folder.own_folder import DamagedCopies

_BESIDE = {"files": "data", "model_files": "model_data"}
"""Folders of an export that hold files, with those that hold Parquet."""
_log = logging.getLogger(__name__)


def _kind_of(run: Run) -> Container:
    return run.kind if run.kind in ("model", "model_version") else "run"


class NeptuneReader(LocalReader):
    """Runs of exports, of folders of the clients 0.9 to 1.x, of neptune-scale, and of a server.

    Only the server needs the vendor's package.
    """

    name: ClassVar[str] = TRACKER
    gives: ClassVar[frozenset[Kind]] = frozenset({
        "scalar", "text", "histogram", "image", "audio", "video", "html", "file", "other",
        "config", "environment", "console", "artifact", "raw"
    })  # fmt: skip
    takes: ClassVar[str] = (
        "an export of neptune-exporter, a .neptune folder, a folder that has one below it, "
        "or WORKSPACE/PROJECT"
    )
    containers: ClassVar[tuple[Container, ...]] = ("run", "project")
    others: ClassVar[str] = MODELS
    """The reader of what this one leaves out."""

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Whether names below this path are those of Neptune's files, and containers are ours."""
        if not path.is_dir():
            if is_part(path):
                return container_of(path.parent) in cls.containers
            return "run" in cls.containers and facts_of(path) is not None
        return any(kind in cls.containers for kind in _kinds(path))

    @classmethod
    def keeps(cls, folder: Folder) -> Collection[str]:
        """Files that were exported beside Parquet, and bytes that a queue saved."""
        kept = {UPLOADS} & {*folder.names} if METADATA in folder.names else set[str]()
        for files, parts in _BESIDE.items():
            if {files, parts}.issubset(folder.names) and next(
                parts_below(folder.path / parts), None
            ):
                kept.add(files)
        if STORE in folder.names and form_of(folder.path / STORE) == STORE_MARK:
            kept.add(STORE)
        return kept

    @classmethod
    def open(cls, where: Location, options: ReadOptions) -> Self:
        """Raises NotFound, BadLocation; of a server AuthFailed, Unreachable, MissingExtra."""
        if is_local(where.where):
            return super().open(where, options)
        text = where.where or os.environ.get("NEPTUNE_PROJECT", "")
        if not text:
            raise BadLocation(
                f"nothing stands behind `{cls.name}:`, and NEPTUNE_PROJECT is not set",
                hint=f"runferry ls {cls.name}:WORKSPACE/PROJECT",
            )
        reader = cls(Path(text), options)
        reader.listed()  # a wrong token or name is told before anything is begun
        return reader

    def check(self) -> None:
        """Raises NotFound for a file that is none of ours."""
        if not self.recognises(self.root):
            hint = f"runferry ls {shlex.quote(f'{self.others}:{self.root}')}"
            raise NotFound(f"no file of {self.name} runs", where=str(self.root), hint=hint)

    def look(self) -> Iterator[LocalRun]:
        """The runs, models or versions of a place, or of a server's project."""
        if not is_local(str(self.root)):
            yield from self._served()
            return
        left = 0
        for kind, run in self._every():
            if kind in self.containers:
                yield run
            else:
                left += 1
        if left:
            command = f"runferry ls {shlex.quote(f'{self.others}:{self.root}')}"
            _log.warning("%s: left out, and listed by `%s`: %d", self.root, command, left)

    def _served(self) -> Iterator[LocalRun]:
        """Of a server; runs of the queue that waits for it where nobody asks one.

        Models are never written to a queue: there the mode says nothing of where they are.
        """
        if settings.current().neptune_mode == "offline" and "run" in self.containers:
            yield from own_queued(ServerPlace.of(str(self.root)))
            return
        from runferry.readers.neptune.server.projects import served

        yield from served(str(self.root), self.containers, self.options)

    def _every(self) -> Iterator[tuple[Container, LocalRun]]:
        ours: set[Path] = set()
        damaged = DamagedCopies()
        for own in own_exported(self.root, damaged):
            ours.update(own.sources)
            # what was written to `neptune:` is read back from there, models too
            yield "run" if "run" in self.containers else _kind_of(own.run), own
        for run in exported(self.root, self.options.timezone):
            if ours.isdisjoint(run.parts.paths):
                places = [path.resolve() for path in run.parts.paths]
                folders = [path.parent.parent for path in places[:1]]
                yield run.parts.container, damaged.told_by(run, *places, *folders)
        if self.root.is_dir():
            for queue in queues_below(self.root):
                yield queue.kind, QueuedRun(queue, self.options.timezone)
        for scale in scale_runs(self.root):
            yield "run", scale


class NeptuneModelsReader(NeptuneReader):
    """Models and model versions, as runs of the kinds `model` and `model_version`."""

    name: ClassVar[str] = MODELS
    takes: ClassVar[str] = (
        "an export of neptune-exporter's export-models, a folder that has one below it, "
        "WORKSPACE or WORKSPACE/PROJECT"
    )
    containers: ClassVar[tuple[Container, ...]] = ("model", "model_version")
    others: ClassVar[str] = TRACKER


def _kinds(root: Path) -> Iterator[Container]:
    """What lies below a folder, one after the other; cheap, and not all where one is enough."""
    for folder in folders_below(root):
        if NAME in folder.names and facts_of(folder.path / NAME) is not None:
            yield "run"
        if is_queue(folder.path, folder.names):
            yield from (queue.kind for queue in queues_below(folder.path))
        if any(name.endswith((".parquet", ".parquet.tmp")) for name in folder.names):
            yield from (parts.container for parts in parts_below(folder.path))

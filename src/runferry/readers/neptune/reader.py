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
from runferry.dialects.neptune.places import ServerPlace
from runferry.errors import BadLocation, NotFound
from runferry.model import Kind
from runferry.paths import Folder, is_local
from runferry.ports import Location, ReadOptions
from runferry.readers.local_runs import LocalReader, LocalRun

_log = logging.getLogger(__name__)


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
        from runferry.readers.neptune.below import kinds_at

        return any(kind in cls.containers for kind in kinds_at(path))

    @classmethod
    def keeps(cls, folder: Folder) -> Collection[str]:
        """Files that were exported beside Parquet, and bytes that a queue saved."""
        from runferry.readers.neptune.below import kept_in

        return kept_in(folder)

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
        from runferry.readers.neptune.below import runs_below

        left = 0
        for kind, run in runs_below(self.root, self.options, is_of_runs="run" in self.containers):
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
            from runferry.readers.neptune.own_export import own_queued

            yield from own_queued(ServerPlace.of(str(self.root)))
            return
        from runferry.readers.neptune.server.projects import served

        yield from served(str(self.root), self.containers, self.options)


class NeptuneModelsReader(NeptuneReader):
    """Models and model versions, as runs of the kinds `model` and `model_version`."""

    name: ClassVar[str] = MODELS
    takes: ClassVar[str] = (
        "an export of neptune-exporter's export-models, a folder that has one below it, "
        "WORKSPACE or WORKSPACE/PROJECT"
    )
    containers: ClassVar[tuple[Container, ...]] = ("model", "model_version")
    others: ClassVar[str] = TRACKER

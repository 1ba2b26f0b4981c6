"""The reader of TensorBoard's event files, in folders and by themselves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Self

from runferry import _native
from runferry.chunks import Chunk
from runferry.errors import NotFound
from runferry.model import Cursor, Run, RunKey
from runferry.ports import Location, ReadOptions
from runferry.readers.local_runs import LocalReader, linked, unreadable
from runferry.readers.tensorboard.facts import header
from runferry.readers.tensorboard.folders import event_folders, holds_events
from runferry.readers.tensorboard.heads import unusable
from runferry.readers.tensorboard.identity import TRACKER, Group, grouped
from runferry.readers.tensorboard.reading import RunReading


class TensorboardReader(LocalReader):
    """Runs below a folder, or the one of an event file. Needs neither tensorboard nor TensorFlow.

    A run is a folder with event files. Nothing that is read is ever written to.
    """

    name: ClassVar[str] = TRACKER

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Whether names below this path are those of event files."""
        return holds_events(path)

    @classmethod
    def open(cls, where: Location, options: ReadOptions) -> Self:
        """Raises NotFound; for a single file also Damaged, SourceError."""
        path = where.path
        if not path.exists():
            hint = "name an event file, or a folder that has event files below it"
            raise NotFound("no such file or folder", where=str(path), hint=hint)
        if not path.is_dir():
            _check(path)
        return cls(path)

    def look(self) -> Iterator[RunFiles]:
        """Headers are from the first records of each run."""
        for group in grouped(event_folders(self._root), self._root):
            losses = linked(self._root, (group.home.path,))
            yield RunFiles(replace(group, losses=(*group.losses, *losses)))


@dataclass(frozen=True, slots=True)
class RunFiles:
    """The files of one run."""

    group: Group

    @property
    def key(self) -> RunKey:
        """Of the run."""
        return self.group.key

    def header(self) -> Run:
        """What the first records tell."""
        return header(self.group)

    def read(self, run: Run, after: Cursor | None = None) -> Iterator[Chunk]:
        """Their chunks; `run` is theirs."""
        try:
            yield from RunReading(self.group, after).read()
        except OSError as error:
            raise unreadable(error, self.group.home.path, self.group.home.path) from error


def _check(path: Path) -> None:
    """A file that was asked for by name must be one. Raises Damaged where it is something else."""
    try:
        loss = unusable(path)
        if loss is not None and loss.code == "git-lfs-pointer":
            raise NotFound(
                "a Git LFS pointer, not the file itself", where=str(path), hint="git lfs pull"
            )
        if loss is None:
            _native.EventScanner(str(path), rows=1).next()
    except OSError as error:
        raise unreadable(error, path.parent, path) from error

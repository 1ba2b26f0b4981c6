"""The reader of TensorBoard's event files, in folders and by themselves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from runferry import _native
from runferry.chunks import Chunk
from runferry.dialects.tensorboard.names import TRACKER
from runferry.model import Cursor, Kind, Run, RunKey
from runferry.readers.lfs import LFS_CODE, lfs_error
from runferry.readers.local_runs import LocalReader, linked
from runferry.readers.tensorboard.facts import header
from runferry.readers.tensorboard.folders import event_folders, holds_events
from runferry.readers.tensorboard.heads import unusable
from runferry.readers.tensorboard.identity import Group, grouped
from runferry.readers.tensorboard.reading import RunReading


class TensorboardReader(LocalReader):
    """Runs below a folder, or the one of an event file. Needs neither tensorboard nor TensorFlow.

    A run is a folder with event files. Nothing that is read is ever written to.
    """

    name: ClassVar[str] = TRACKER
    gives: ClassVar[frozenset[Kind]] = frozenset({
        "scalar", "text", "histogram", "image", "audio", "plot", "object3d", "file", "other",
        "config", "environment", "document", "raw"
    })  # fmt: skip
    takes: ClassVar[str] = "an event file, or a folder that has event files below it"

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Whether names below this path are those of event files."""
        return holds_events(path)

    def check(self) -> None:
        """A file that was asked for by name must be one. Raises NotFound, Damaged, OSError."""
        loss = unusable(self.root)
        if loss is None:
            _native.EventScanner(str(self.root), rows=1).next()
        elif loss.code == LFS_CODE:
            raise lfs_error(self.root)

    def look(self) -> Iterator[RunFiles]:
        """Headers are from the first records of each run."""
        for group in grouped(event_folders(self.root), self.root):
            losses = linked(self.root, (group.home.path,))
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

    @property
    def sources(self) -> tuple[Path, ...]:
        """Its event files."""
        return tuple(file.path for file in self.group.files) or (self.group.home.path,)

    def read(self, run: Run, after: Cursor | None = None) -> Iterator[Chunk]:
        """Their chunks; `run` is theirs."""
        yield from RunReading(self.group, after).read()

"""The reader of TensorBoard's event files, in folders and by themselves."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Self

from runferry import _native
from runferry.chunks import Chunk
from runferry.errors import NotFound, SourceError
from runferry.losses import Fate, Loss
from runferry.model import Cursor, Run, RunKey
from runferry.paths import spelled
from runferry.ports import Location, ReadOptions
from runferry.readers.tensorboard.facts import header
from runferry.readers.tensorboard.folders import event_folders, holds_events
from runferry.readers.tensorboard.heads import unusable
from runferry.readers.tensorboard.identity import TRACKER, Group, grouped
from runferry.readers.tensorboard.reading import RunReading


class TensorboardReader:
    """Runs below a folder, or the one of an event file. Needs neither tensorboard nor TensorFlow.

    A run is a folder with event files. Nothing that is read is ever written to.
    """

    name: ClassVar[str] = TRACKER

    def __init__(self, root: Path, found: Found | None = None) -> None:
        self._root = root
        self._found = found or Found(root)

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

    def runs(self) -> Iterator[Run]:
        """Headers from the first records of each run, in the order of their folders."""
        for group in self._found.groups().values():
            yield header(group)

    def read(self, run: Run, after: Cursor | None = None) -> Iterator[Chunk]:
        """The run's chunks; see `runferry.ports.Reader`."""
        return self.alone(run).read(run, after)

    def alone(self, run: Run) -> RunFiles:
        """See `runferry.ports.PortableReader`."""
        group = self._found.groups().get(run.key)
        if group is None:
            hint = f"runferry ls 'tensorboard:{self._root}'"
            raise NotFound("no such run here", where=f"{self._root}: {run.key}", hint=hint)
        return RunFiles(group)

    def close(self) -> None:
        """Nothing is held open between calls."""
        self._found = Found(self._root)

    def beside(self) -> Self:
        """See `runferry.ports.SharingReader`."""
        return type(self)(self._root, self._found)


@dataclass(frozen=True, slots=True)
class RunFiles:
    """The files of one run."""

    group: Group

    def read(self, run: Run, after: Cursor | None = None) -> Iterator[Chunk]:
        """Their chunks; `run` is theirs."""
        try:
            yield from RunReading(self.group, after).read()
        except OSError as error:
            raise _closed(error, self.group.home.path) from error


class Found:
    """The runs below a folder, looked for once, by whichever reader asks first."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._lock = threading.Lock()
        self._groups: dict[RunKey, Group] | None = None

    def groups(self) -> dict[RunKey, Group]:
        """The files of each run."""
        with self._lock:
            if self._groups is None:
                found = grouped(event_folders(self._root), self._root)
                self._groups = {group.key: self._named(group) for group in found}
            return self._groups

    def _named(self, group: Group) -> Group:
        """With the folder named that only a link leads to."""
        target = group.home.path.resolve()
        if not self._root.is_dir() or target.is_relative_to(self._root.resolve()):
            return group
        detail = f"behind a link; the folder is {spelled(str(target))}"
        loss = Loss("linked-folder", Fate.KEPT, group.home.below, 1, detail)
        return replace(group, losses=(*group.losses, loss))


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
        raise _closed(error, path.parent) from error


def _closed(error: OSError, folder: Path) -> SourceError:
    return SourceError(
        f"cannot be read: {error.strerror}",
        where=str(error.filename or folder),
        hint=f"ls -l '{folder}'",
    )

"""The reader of W&B's own files: `.wandb` databases, run folders and trees of them, old and new."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Self

from runferry.chunks import Chunk
from runferry.errors import Damaged, NotFound, SourceError
from runferry.losses import Fate, Loss
from runferry.model import Cursor, Run, RunKey
from runferry.paths import spelled
from runferry.ports import Location, ReadOptions
from runferry.readers.wandb.folders import holds_runs, places
from runferry.readers.wandb.heads import Head, head_of
from runferry.readers.wandb.identity import Group, grouped
from runferry.readers.wandb.reading import RunReading


class WandbFilesReader:
    """Runs below a folder, or the one of a `.wandb` file. Needs no wandb package.

    Clients 0.10 to 0.31 and the JSON lines before them; nothing that is read is ever written to.
    """

    name: ClassVar[str] = "wandb"

    def __init__(self, root: Path, found: Found | None = None) -> None:
        self._root = root
        self._found = found or Found(root)

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Whether names below this path are those of W&B runs."""
        return holds_runs(path)

    @classmethod
    def open(cls, where: Location, options: ReadOptions) -> Self:
        """Raises NotFound; for a single file also Damaged, UnknownVersion."""
        path = where.path
        if not path.exists():
            hint = "name a .wandb file, or a folder that has W&B runs below it"
            raise NotFound("no such file or folder", where=str(path), hint=hint)
        reader = cls(path)
        if path.is_file():
            _check(head_of(next(places(path))), path)
        return reader

    def runs(self) -> Iterator[Run]:
        """Headers from both ends of each run's records, in the order of their folders."""
        for group in self._found.groups().values():
            yield group.header()

    def read(self, run: Run, after: Cursor | None = None) -> Iterator[Chunk]:
        """The run's chunks; see `runferry.ports.Reader`."""
        return self.alone(run).read(run, after)

    def alone(self, run: Run) -> RunFiles:
        """See `runferry.ports.PortableReader`."""
        group = self._found.groups().get(run.key)
        if group is None:
            hint = f"runferry ls 'wandb:{self._root}'"
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
            folder = self.group.heads[-1].place.folder
            raise SourceError(
                f"cannot be read: {error.strerror}",
                where=str(error.filename or self.group.heads[0].place.folder),
                hint=f"ls -l '{folder}'",
            ) from error


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
                heads = (head_of(place) for place in places(self._root))
                self._groups = {group.key: self._named(group) for group in grouped(heads)}
            return self._groups

    def _named(self, group: Group) -> Group:
        """With the folders named that only links lead to."""
        home = self._root.resolve()
        losses = list(group.losses)
        for folder in (head.place.folder for head in group.heads):
            target = folder.resolve()
            if self._root.is_dir() and not target.is_relative_to(home):
                detail = f"behind a link; the folder is {spelled(str(target))}"
                losses.append(Loss("linked-folder", Fate.KEPT, spelled(folder.name), 1, detail))
        return replace(group, losses=tuple(losses))


def _check(head: Head, path: Path) -> None:
    """A file that was asked for by name must be one."""
    if head.failure is not None:
        raise head.failure
    if (
        head.unusable is None
        or head.place.files is not None
        or head.unusable.code == "empty-database"
    ):
        return
    if head.unusable.code == "git-lfs-pointer":
        raise NotFound(
            "a Git LFS pointer, not the file itself", where=str(path), hint="git lfs pull"
        )
    raise Damaged(head.unusable.detail, where=str(path))

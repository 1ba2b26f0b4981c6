"""The reader of W&B's own files: `.wandb` databases, run folders and trees of them, old and new."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Self

from runferry.chunks import Chunk
from runferry.errors import Damaged, NotFound
from runferry.model import Cursor, Run, RunKey
from runferry.ports import Location, ReadOptions
from runferry.readers.local_runs import LocalReader, linked, unreadable
from runferry.readers.wandb.folders import holds_runs, places
from runferry.readers.wandb.heads import Head, head_of
from runferry.readers.wandb.identity import Group, grouped
from runferry.readers.wandb.reading import RunReading


class WandbFilesReader(LocalReader):
    """Runs below a folder, or the one of a `.wandb` file. Needs no wandb package.

    Clients 0.10 to 0.31 and the JSON lines before them; nothing that is read is ever written to.
    """

    name: ClassVar[str] = "wandb"

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

    def look(self) -> Iterator[RunFiles]:
        """Headers are from both ends of each run's records."""
        heads = (head_of(place) for place in places(self._root))
        for group in grouped(heads):
            losses = linked(self._root, (head.place.folder for head in group.heads))
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
        """What both ends of the records tell."""
        return self.group.header()

    def read(self, run: Run, after: Cursor | None = None) -> Iterator[Chunk]:
        """Their chunks; `run` is theirs."""
        try:
            yield from RunReading(self.group, after).read()
        except OSError as error:
            heads = self.group.heads
            raise unreadable(error, heads[-1].place.folder, heads[0].place.folder) from error


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

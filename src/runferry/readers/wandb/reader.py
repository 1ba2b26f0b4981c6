"""The reader of W&B: of its own files, old and new, or of its service."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Self, cast

from runferry.chunks import Chunk
from runferry.dialects.wandb.addresses import is_path
from runferry.errors import Damaged
from runferry.model import KINDS, Cursor, Kind, Run, RunKey
from runferry.paths import Folder
from runferry.ports import Location, ReadOptions
from runferry.readers.lfs import LFS_CODE, lfs_error
from runferry.readers.local_runs import LocalReader, linked
from runferry.readers.wandb.folders import folders_of_run, holds_runs, places
from runferry.readers.wandb.heads import Head, head_of
from runferry.readers.wandb.identity import Group, grouped
from runferry.readers.wandb.reading import RunReading


class WandbFilesReader(LocalReader):
    """Runs below a folder, or the one of a `.wandb` file. Needs no wandb package.

    Clients 0.10 to 0.31 and the JSON lines before them; nothing that is read is ever written to.
    """

    name: ClassVar[str] = "wandb"
    gives: ClassVar[frozenset[Kind]] = frozenset(KINDS)
    takes: ClassVar[str] = "a .wandb file, or a folder that has W&B runs below it"

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Whether names below this path are those of W&B runs."""
        return holds_runs(path)

    @classmethod
    def keeps(cls, folder: Folder) -> Collection[str]:
        """What a run's `files` hold was saved with it, also what looks like a run of another."""
        return folders_of_run(folder)

    def check(self) -> None:
        """Raises Damaged, UnknownVersion, NotFound."""
        if self.root.is_file():
            _check(head_of(next(places(self.root))), self.root)

    def look(self) -> Iterator[RunFiles]:
        """Headers are from both ends of each run's records."""
        heads = (head_of(place) for place in places(self.root))
        if self.options.is_growing:
            heads = (head for head in heads if not head.is_nameless)
        for group in grouped(heads):
            losses = linked(self.root, (head.place.folder for head in group.heads))
            whole = replace(group, losses=(*group.losses, *losses))
            yield RunFiles(whole, is_growing=self.options.is_growing)


class WandbReader(WandbFilesReader):
    """Opens what a location means: files, or the service, which is a reader of its own kind."""

    @classmethod
    def open(cls, where: Location, options: ReadOptions) -> Self:
        """Raises what opening files or the service raises."""
        if is_path(where.where):
            return super().open(where, options)
        from runferry.readers.wandb.service.reader import WandbServiceReader

        # callers know it by the protocol of readers only, and this is one
        return cast("Self", WandbServiceReader.open(where, options))


@dataclass(frozen=True, slots=True)
class RunFiles:
    """The files of one run."""

    group: Group
    is_growing: bool

    @property
    def key(self) -> RunKey:
        """Of the run."""
        return self.group.key

    @property
    def sources(self) -> tuple[Path, ...]:
        """Its records; of a run without records its folders."""
        return tuple(head.content or head.place.folder for head in self.group.heads)

    def header(self) -> Run:
        """What both ends of the records tell."""
        return self.group.header()

    def read(self, run: Run, after: Cursor | None = None) -> Iterator[Chunk]:
        """Their chunks; `run` is theirs."""
        yield from RunReading(self.group, after, is_growing=self.is_growing).read()


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
    if head.unusable.code == LFS_CODE:
        raise lfs_error(path)
    raise Damaged(head.unusable.detail, where=str(path))

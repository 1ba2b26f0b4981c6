"""A reader of runs that are folders: a subclass says which are, and what reads one."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from runferry.chunks import Chunk
from runferry.errors import NotFound
from runferry.model import Cursor, Run, RunKey
from runferry.paths import Folder, folders_below, looked_into
from runferry.readers.finding import key_of, label_of, signature_of
from runferry.readers.local_runs import LocalReader, LocalRun, unreadable

_log = logging.getLogger(__name__)


class FolderReader(LocalReader):
    """What readers of run folders share."""

    what: ClassVar[str]
    """What lies in a run's folder, for messages."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.takes = f"a folder that has {cls.what} in it or below it"

    @classmethod
    def is_run(cls, folder: Path, names: Collection[str]) -> bool:
        """Whether a run lies in this folder, whose entries have these names."""
        raise NotImplementedError

    @classmethod
    def is_closed_run(cls, names: Collection[str]) -> bool:
        """Whether these names tell a run by themselves, where `is_run` may not look at files.

        `runs_in` then raises OSError, so that it is a run that failed, and not one left out.
        """
        return False

    @classmethod
    def passed_over(cls, names: Collection[str], *, is_run: bool) -> Collection[str]:
        """The folders that hold no runs, in a folder which has these names and may be a run's."""
        return ()

    def runs_in(self, folder: Path, name: str) -> Iterator[LocalRun]:
        """The run, or runs, of a folder that lies at `name` below the root."""
        raise NotImplementedError

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Whether a run's folder lies here, judged by names and a few bytes."""
        return path.is_dir() and next(cls.folders(path), None) is not None

    @classmethod
    def folders(cls, root: Path) -> Iterator[Folder]:
        """The folders below a root, or itself, in which runs of ours lie."""
        is_run = False

        def skipped(folder: Folder) -> Collection[str]:
            return cls.passed_over(folder.names, is_run=is_run)

        for folder in folders_below(root, skipped):
            is_run = cls._holds_run(folder)
            if is_run:
                yield folder

    @classmethod
    def _holds_run(cls, folder: Folder) -> bool:
        try:
            return cls.is_run(folder.path, folder.names)
        except OSError as error:
            if cls.is_closed_run(folder.names):
                return True
            _log.warning("%s was not looked into: %s", error.filename, error.strerror)
            return False

    def check(self) -> None:
        """A file is no run of ours. Raises NotFound."""
        raise NotFound(
            f"{self.name} runs are folders with {self.what}",
            where=str(self.root),
            hint=f"name the folder: {self.name}:{self.root.parent}",
        )

    def look(self) -> Iterator[LocalRun]:
        """The runs of each folder, in the order of folders."""
        for folder in self.folders(self.root):
            label = label_of(self.root, folder.path)
            try:
                yield from self.runs_in(folder.path, label)
            except OSError as error:
                yield Closed(key_of(self.name, label, signature_of(b"")), folder.path, error)


@dataclass(frozen=True, slots=True)
class Closed:
    """A run whose files do not open: reading it says why, and the others are read."""

    key: RunKey
    home: Path
    error: OSError

    @property
    def sources(self) -> tuple[Path, ...]:
        """Its folder."""
        return (self.home,)

    def header(self) -> Run:
        """Nothing is known of it."""
        return Run(self.key)

    def read(self, run: Run, after: Cursor | None = None) -> Iterator[Chunk]:
        """Raises SourceError."""
        raise unreadable(self.error, self.sources)


def names_in(folder: Path) -> list[str]:
    """The names of what a folder holds, sorted; none if it cannot be looked into."""
    return list(looked_into(folder).names)

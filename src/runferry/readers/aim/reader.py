"""Which runs lie in the Aim repositories of a place."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import ClassVar

from runferry.model import Kind
from runferry.paths import Folder
from runferry.readers.aim.own_copies import runs_with_copies
from runferry.readers.aim.repository import is_repository, repositories, runs_of
from runferry.readers.local_runs import LocalReader, LocalRun


class AimReader(LocalReader):
    """Runs that Aim keeps in `.aim` folders."""

    name: ClassVar[str] = "aim"
    gives: ClassVar[frozenset[Kind]] = frozenset({
        "scalar", "text", "histogram", "image", "audio", "plot", "config", "environment",
        "other", "console", "artifact"
    })  # fmt: skip
    takes: ClassVar[str] = "a folder with a `.aim` folder at or below it"

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Whether a repository lies here or below."""
        return next(repositories(path), None) is not None

    @classmethod
    def keeps(cls, folder: Folder) -> Collection[str]:
        """Nothing in a repository is a run of anybody else's."""
        if not is_repository(folder.names):
            return ()
        return tuple(entry.name for entry, _ in folder.within())

    def check(self) -> None:
        """Raises NotFound: a file is no repository."""
        raise self.nothing()

    def look(self) -> Iterator[LocalRun]:
        """Every run of every repository, as its database lists them."""
        for home in repositories(self.root):
            yield from runs_with_copies(home, runs_of(home))

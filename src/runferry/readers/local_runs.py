"""What readers of runs that lie in files do alike: look for them once, and hand each to others."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import ClassVar, Protocol, Self

from runferry.chunks import Chunk
from runferry.errors import NotFound, SourceError
from runferry.losses import Fate, Loss
from runferry.model import Cursor, Run, RunKey
from runferry.paths import spelled
from runferry.ports import RunReader


class LocalRun(RunReader, Protocol):
    """The files of one run: small, and made to be pickled."""

    @property
    def key(self) -> RunKey:
        """Of the run."""
        ...

    def header(self) -> Run:
        """What is known of it without reading its rows."""
        ...


class Found:
    """The runs below a folder, looked for once, by whichever reader asks first."""

    def __init__(self, look: Callable[[], Iterator[LocalRun]]) -> None:
        self._look = look
        self._lock = threading.Lock()
        self._runs: dict[RunKey, LocalRun] | None = None

    def runs(self) -> dict[RunKey, LocalRun]:
        """By their keys, in the order in which they were found."""
        with self._lock:
            if self._runs is None:
                self._runs = {run.key: run for run in self._look()}
            return self._runs


class LocalReader:
    """Lists the runs below a place once, and reads each. A subclass says which there are."""

    name: ClassVar[str]

    def __init__(self, root: Path, found: Found | None = None) -> None:
        self._root = root
        self._found = found or Found(self.look)

    def look(self) -> Iterator[LocalRun]:
        """Every run below the root, in a stable order, each key once."""
        raise NotImplementedError

    def runs(self) -> Iterator[Run]:
        """Headers, in the order of their folders."""
        for run in self._found.runs().values():
            yield run.header()

    def read(self, run: Run, after: Cursor | None = None) -> Iterator[Chunk]:
        """The run's chunks; see `runferry.ports.Reader`."""
        return self.alone(run).read(run, after)

    def alone(self, run: Run) -> LocalRun:
        """See `runferry.ports.PortableReader`."""
        found = self._found.runs().get(run.key)
        if found is None:
            hint = f"runferry ls '{self.name}:{self._root}'"
            raise NotFound("no such run here", where=f"{self._root}: {run.key}", hint=hint)
        return found

    def close(self) -> None:
        """Nothing is held open between calls."""
        self._found = Found(self.look)

    def beside(self) -> Self:
        """See `runferry.ports.SharingReader`."""
        return type(self)(self._root, self._found)


def linked(root: Path, folders: Iterable[Path]) -> Iterator[Loss]:
    """Names the folders that only a link leads to from the root."""
    home = root.resolve()
    for folder in folders:
        target = folder.resolve()
        if root.is_dir() and not target.is_relative_to(home):
            detail = f"behind a link; the folder is {spelled(str(target))}"
            yield Loss("linked-folder", Fate.KEPT, spelled(folder.name), 1, detail)


def unreadable(error: OSError, folder: Path, place: Path) -> SourceError:
    """What the system said of a file, with a command that shows its folder."""
    return SourceError(
        f"cannot be read: {error.strerror}",
        where=str(error.filename or place),
        hint=f"ls -l '{folder}'",
    )

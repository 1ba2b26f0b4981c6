"""A reader of runs that are folders: finds them, names them, and hands each to what reads it."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import ClassVar, Protocol, Self

from runferry.chunks import Chunk
from runferry.errors import NotFound, SourceError
from runferry.model import Cursor, Run, RunKey
from runferry.paths import Entries, folders_below, listing
from runferry.ports import Location, ReadOptions
from runferry.readers.finding import label_of

_RECOGNISE_AT_MOST = 20_000  # folder entries that are looked at before giving up


class RunFolder(Protocol):
    """One run at rest: small, and made to be pickled."""

    @property
    def key(self) -> RunKey:
        """Of the run."""
        ...

    def header(self) -> Run:
        """What is known of it without reading its rows."""
        ...

    def read(self, run: Run, after: Cursor | None = None) -> Iterator[Chunk]:
        """Its chunks; see `runferry.ports.Reader`."""
        ...


class FolderReader:
    """What readers of run folders share. A subclass says which folders are runs."""

    name: ClassVar[str]
    what: ClassVar[str]
    """What lies in a run's folder, for messages."""

    def __init__(self, root: Path, options: ReadOptions, found: Found | None = None) -> None:
        self._root = root
        self._options = options
        self._found = found or Found()

    @classmethod
    def is_run(cls, folder: Path, names: Collection[str]) -> bool:
        """Whether a run lies in this folder, whose entries have these names."""
        raise NotImplementedError

    @classmethod
    def passed_over(cls, folder: Path, names: Collection[str]) -> Collection[str]:
        """Folders of a run that hold no other runs."""
        return ()

    def runs_in(self, folder: Path, name: str) -> Iterator[RunFolder]:
        """The run, or runs, of a folder that lies at `name` below the root."""
        raise NotImplementedError

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Whether names below this path are those of runs, within a bounded number of them."""
        if not path.is_dir():
            return False
        seen = 0
        for folder, entries in cls._walk(path):
            if cls.is_run(folder, {entry.name for entry in entries}):
                return True
            seen += len(entries)
            if seen > _RECOGNISE_AT_MOST:
                return False
        return False

    @classmethod
    def open(cls, where: Location, options: ReadOptions) -> Self:
        """Raises NotFound."""
        path = where.path
        if not path.exists():
            hint = f"name a folder that has {cls.what} in it or below it"
            raise NotFound("no such file or folder", where=str(path), hint=hint)
        if not path.is_dir():
            hint = f"name the folder: {cls.name}:{path.parent}"
            raise NotFound(
                f"{cls.name} runs are folders with {cls.what}", where=str(path), hint=hint
            )
        return cls(path, options)

    @classmethod
    def _walk(cls, root: Path) -> Iterator[tuple[Path, Entries]]:
        def skipped(folder: Path, entries: Entries) -> Collection[str]:
            return cls.passed_over(folder, {entry.name for entry in entries})

        return folders_below(root, skipped)

    def runs(self) -> Iterator[Run]:
        """Headers, in the order of their folders."""
        for folder in self._folders().values():
            yield folder.header()

    def read(self, run: Run, after: Cursor | None = None) -> Iterator[Chunk]:
        """The run's chunks; see `runferry.ports.Reader`."""
        folder = self.alone(run)
        try:
            yield from folder.read(run, after)
        except OSError as error:
            raise SourceError(
                f"cannot be read: {error.strerror}",
                where=str(error.filename or self._root),
                hint=f"ls -l '{error.filename or self._root}'",
            ) from error

    def alone(self, run: Run) -> RunFolder:
        """See `runferry.ports.PortableReader`."""
        found = self._folders().get(run.key)
        if found is None:
            hint = f"runferry ls '{self.name}:{self._root}'"
            raise NotFound("no such run here", where=f"{self._root}: {run.key}", hint=hint)
        return found

    def close(self) -> None:
        """Nothing is held open between calls."""
        self._found = Found()

    def beside(self) -> Self:
        """See `runferry.ports.SharingReader`."""
        return type(self)(self._root, self._options, self._found)

    def _folders(self) -> dict[RunKey, RunFolder]:
        with self._found.lock:
            if self._found.folders is None:
                self._found.folders = {found.key: found for found in self._look()}
            return self._found.folders

    def _look(self) -> Iterator[RunFolder]:
        for folder, entries in self._walk(self._root):
            if self.is_run(folder, {entry.name for entry in entries}):
                yield from self.runs_in(folder, label_of(self._root, folder))


class Found:
    """The runs below a folder, looked for once, by whichever reader asks first."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.folders: dict[RunKey, RunFolder] | None = None


def names_in(folder: Path) -> list[str]:
    """The names of what a folder holds, sorted; none if it cannot be looked into."""
    return [entry.name for entry in listing(folder)]

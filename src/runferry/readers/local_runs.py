"""What readers of runs that lie in files do alike.

A reader looks for its runs once and hands them to the readers beside it. Each is given under a key
of its own, and what the system says of its files is told with a command that shows them.
"""

from __future__ import annotations

import shlex
import threading
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import ClassVar, Protocol, Self

from runferry.chunks import Chunk, Header, Lost
from runferry.errors import NotFound, SourceChanged, SourceError
from runferry.losses import Fate, Loss
from runferry.model import Cursor, Kind, Run, RunKey
from runferry.paths import Folder, regular, spelled
from runferry.ports import Location, ReadOptions, RunReader


class LocalRun(RunReader, Protocol):
    """The files of one run: small, and made to be pickled."""

    @property
    def key(self) -> RunKey:
        """Of the run, as its files tell it."""
        ...

    @property
    def sources(self) -> tuple[Path, ...]:
        """The files whose records it is made of."""
        ...

    def header(self) -> Run:
        """What is known of it without reading its rows."""
        ...


@dataclass(frozen=True, slots=True)
class RunAround(RunReader):
    """A run that is read with something more; whoever adds it says what in `read`."""

    run: LocalRun

    @property
    def key(self) -> RunKey:
        """See `LocalRun`."""
        return self.run.key

    @property
    def sources(self) -> tuple[Path, ...]:
        """See `LocalRun`."""
        return self.run.sources

    def header(self) -> Run:
        """See `LocalRun`."""
        return self.run.header()


@dataclass(frozen=True, slots=True)
class Listed:
    """A run as its reader lists it: under a key that no other run of the place has."""

    run: LocalRun
    key: RunKey

    @property
    def sources(self) -> tuple[Path, ...]:
        """See `LocalRun`."""
        return self.run.sources

    def header(self) -> Run:
        """See `LocalRun`."""
        try:
            found = self.run.header()
        except OSError:
            return Run(self.key)  # reading it says what is wrong
        return found if self.key == self.run.key else replace(found, key=self.key)

    def read(self, run: Run, after: Cursor | None = None) -> Iterator[Chunk]:
        """See `runferry.ports.Reader`; `run` is this one."""
        read = renamed(self.run, self.run.key, run, after) if run.key != self.run.key else None
        try:
            yield from read or self.run.read(run, after)
        except OSError as error:
            raise unreadable(error, self.run.sources) from error


def renamed(reader: RunReader, original: RunKey, run: Run, after: Cursor | None) -> Iterator[Chunk]:
    """A run's chunks, where another has its key too: `run` is given the one that it has here."""
    if after is None:
        detail = f"another run has the key {original} too; this is {run.key}"
        yield Lost(Loss("same-run-id", Fate.RENAMED, "", 1, detail))
    for chunk in reader.read(replace(run, key=original), after):
        if isinstance(chunk, Header):
            yield Header(replace(chunk.run, key=run.key))
        else:
            yield chunk


def refuse_cursor(after: Cursor | None, where: Path | str) -> None:
    """Of what is read as a whole and gives no cursors. Raises SourceChanged for one: it is of
    another source that has a run of the same key, and what it stands for is not known here."""
    if after is not None:
        raise SourceChanged(
            "the cursor is one of another source",
            where=str(where),
            hint="pull the run into a new archive",
        )


def free_key(key: RunKey, taken: Collection[RunKey]) -> RunKey:
    """The key, with a number where another run has it already."""
    found, copies = key, count(2)
    while found in taken:
        found = replace(key, run_id=f"{key.run_id}~{next(copies)}")
    return found


class Found:
    """The runs below a place, looked for once, by whichever reader asks first."""

    def __init__(self, look: Callable[[], Iterator[LocalRun]]) -> None:
        self._look = look
        self._lock = threading.Lock()
        self._runs: dict[RunKey, Listed] | None = None

    def runs(self) -> dict[RunKey, Listed]:
        """By their keys, in the order in which they were found."""
        with self._lock:
            if self._runs is None:
                runs: dict[RunKey, Listed] = {}
                for run in self._look():
                    key = free_key(run.key, runs)
                    runs[key] = Listed(run, key)
                self._runs = runs
            return self._runs


class LocalReader:
    """Lists the runs below a place once, and reads each. A subclass says which there are."""

    name: ClassVar[str]
    gives: ClassVar[frozenset[Kind]]
    takes: ClassVar[str]
    """What a location may be, for hints: "a file that …, or a folder with …"."""

    def __init__(self, root: Path, options: ReadOptions, found: Found | None = None) -> None:
        self.root = root
        self.options = options
        self._found = found or Found(self.look)

    @classmethod
    def open(cls, where: Location, options: ReadOptions) -> Self:
        """Raises NotFound; for a single file whatever is wrong with it."""
        if not where.path.exists():
            hint = f"name {cls.takes}"
            raise NotFound("no such file or folder", where=str(where.path), hint=hint)
        reader = cls(where.path, options)
        if not where.path.is_dir():
            if regular(where.path) is None:
                what = "neither a folder nor a regular file"
                raise NotFound(what, where=str(where.path), hint=f"name {cls.takes}")
            try:
                reader.check()
            except OSError as error:
                raise unreadable(error, (where.path,)) from error
        return reader

    @classmethod
    def keeps(cls, folder: Folder) -> Collection[str]:
        """Folders in this one where nothing is a run: they hold files of a run of ours."""
        return ()

    def check(self) -> None:
        """Raises what is wrong with a file that was named."""

    def look(self) -> Iterator[LocalRun]:
        """Every run at or below the root, in a stable order."""
        raise NotImplementedError

    def listed(self) -> dict[RunKey, Listed]:
        """The runs by their keys, looked for once."""
        return self._found.runs()

    def runs(self) -> Iterator[Run]:
        """See `runferry.ports.Reader`."""
        for run in self.listed().values():
            yield run.header()

    def read(self, run: Run, after: Cursor | None = None) -> Iterator[Chunk]:
        """See `runferry.ports.Reader`."""
        return self.alone(run).read(run, after)

    def alone(self, run: Run) -> Listed:
        """See `runferry.ports.PortableReader`."""
        found = self.listed().get(run.key)
        if found is None:
            hint = f"runferry ls {shlex.quote(f'{self.name}:{self.root}')}"
            raise NotFound("no such run here", where=f"{self.root}: {run.key}", hint=hint)
        return found

    def close(self) -> None:
        """Nothing is held open between calls."""
        self._found = Found(self.look)

    def beside(self) -> Self:
        """See `runferry.ports.SharingReader`."""
        return type(self)(self.root, self.options, self._found)

    def nothing(self) -> NotFound:
        """The error for a place without a run of ours."""
        return NotFound(f"no {self.name} run here", where=str(self.root), hint=f"name {self.takes}")


def linked(root: Path, folders: Iterable[Path]) -> Iterator[Loss]:
    """Names the folders that only a link leads to from the root."""
    home = root.resolve()
    for folder in folders:
        target = folder.resolve()
        if root.is_dir() and not target.is_relative_to(home):
            detail = f"behind a link; the folder is {spelled(str(target))}"
            yield Loss("linked-folder", Fate.KEPT, spelled(folder.name), 1, detail)


def unreadable(error: OSError, sources: tuple[Path, ...]) -> SourceError:
    """What the system said of a file, with a command that shows it."""
    place = Path(error.filename) if error.filename else next(iter(sources), Path())
    seen = place.parent if _is_folder(place.parent) and not _is_folder(place) else place
    return SourceError(
        f"cannot be read: {error.strerror}",
        where=spelled(str(place)),
        hint=f"ls -l {shlex.quote(spelled(str(seen)))}",
    )


def _is_folder(path: Path) -> bool:
    """False for what cannot be looked at, too: it may lie in a folder that is closed."""
    try:
        return path.is_dir()
    except OSError:
        return False

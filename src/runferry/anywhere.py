"""Every run of every kind below a folder: the source `any`."""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import ClassVar, Self

from runferry import registry
from runferry.chunks import Chunk, Header, Lost
from runferry.errors import NotFound
from runferry.losses import Fate, Loss
from runferry.model import Cursor, Run, RunKey
from runferry.paths import Entries, folders_below, listed_once
from runferry.ports import (
    Location,
    PortableReader,
    Reader,
    ReadOptions,
    RunReader,
    SharingReader,
)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Homes:
    """The sources below a folder, and the folders in which nothing loose is looked for."""

    places: tuple[Location, ...]
    closed: frozenset[Path]


def homes(root: Path) -> Homes:
    """Stores at their places, and the kinds whose runs lie loose somewhere below `root`.

    Archives are left out: what they hold was read from somewhere.
    """
    stores, closed = _stores(root)
    with listed_once(without=closed):
        loose = [name for name in registry.loose_names() if recognises(name, root)]
    return Homes((*stores, *(Location(name, str(root)) for name in loose)), closed)


def recognises(name: str, path: Path) -> bool:
    """Whether a reader says that a path is its own; what is closed to us is nobody's."""
    try:
        return registry.reader(name).recognises(path)
    except PermissionError as error:
        _log.warning("%s was not looked into: %s", error.filename or path, error.strerror)
        return False


def _stores(root: Path) -> tuple[list[Location], frozenset[Path]]:
    """Stores below a folder, and the folders in which nothing else is looked for."""
    found: list[Location] = []
    closed: set[Path] = set()

    def inside(folder: Path, entries: Entries) -> Collection[str]:
        return [entry.name for entry in entries] if folder in closed else ()

    with listed_once():
        for folder, entries in folders_below(root, inside):
            if recognises(registry.ARCHIVE, folder):
                _log.info("%s is left out: an archive, which can be listed by itself", folder)
                closed.add(folder)
                continue
            for name, suffixes in registry.STORES.items():
                if recognises(name, folder):
                    found.append(Location(name, str(folder)))
                    closed.add(folder)
                for entry in entries:
                    path = Path(entry.path)
                    if entry.name.endswith(suffixes) and recognises(name, path):
                        found.append(Location(name, str(path)))
    return found, frozenset(closed)


class Index:
    """Which run is in which source; found out once, by whoever asks first."""

    def __init__(self, homes: Homes) -> None:
        self.homes = homes
        self._lock = threading.Lock()
        self._runs: list[Run] | None = None
        self._found: dict[RunKey, tuple[int, RunKey]] = {}

    def runs(self, readers: list[Reader]) -> list[Run]:
        """Headers, source by source; a key that another source has too is given a number."""
        with self._lock:
            if self._runs is None:
                self._found.clear()
                with listed_once(without=self.homes.closed):
                    self._runs = [
                        self._entered(number, run)
                        for number, reader in enumerate(readers)
                        for run in reader.runs()
                    ]
            return self._runs

    def _entered(self, number: int, run: Run) -> Run:
        key = run.key
        copies = (replace(key, run_id=f"{key.run_id}~{copy}") for copy in count(2))
        while key in self._found:
            key = next(copies)
        self._found[key] = (number, run.key)
        return run if key == run.key else replace(run, key=key)

    def home(self, run: Run) -> tuple[int, Run]:
        """The number of the run's source, and the run as that source names it."""
        found = self._found.get(run.key)
        if found is None:
            places = ", ".join(map(str, self.homes.places))
            raise NotFound("no such run here", where=f"{run.key} in {places}", hint="runferry ls .")
        return found[0], replace(run, key=found[1])


class AnyReader:
    """The runs of all sources below a folder, each read by its own reader."""

    name: ClassVar[str] = registry.ANY

    def __init__(self, index: Index, options: ReadOptions, readers: list[Reader]) -> None:
        self._index = index
        self._options = options
        self._readers = readers

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Whether any run lies below this folder."""
        return path.is_dir() and bool(homes(path).places)

    @classmethod
    def open(cls, where: Location, options: ReadOptions) -> Self:
        """Raises NotFound, and what opening a source that was found raises."""
        if not where.path.is_dir():
            hint = "name a folder that has runs somewhere below it"
            raise NotFound("no such folder", where=where.where, hint=hint)
        found = homes(where.path)
        if not found.places:
            hint = "runferry formats  # what can be read"
            raise NotFound(
                "no run of any kind lies below this folder", where=where.where, hint=hint
            )
        readers = [registry.reader(p.tracker).open(p, options) for p in found.places]
        return cls(Index(found), options, readers)

    def runs(self) -> Iterator[Run]:
        """Headers, source by source."""
        yield from self._index.runs(self._readers)

    def read(self, run: Run, after: Cursor | None = None) -> Iterator[Chunk]:
        """The run's chunks, from the source that it was found in."""
        number, original = self._home(run)
        reader: RunReader = self._readers[number]
        return _as(run, original, reader).read(run, after)

    def alone(self, run: Run) -> RunReader:
        """See `runferry.ports.PortableReader`."""
        number, original = self._home(run)
        reader = self._readers[number]
        if isinstance(reader, PortableReader):
            return _as(run, original, reader.alone(original))
        return _as(run, original, Reopened(self._index.homes.places[number], self._options))

    def beside(self) -> Self:
        """See `runferry.ports.SharingReader`."""
        return type(self)(self._index, self._options, [self._another(r) for r in self._readers])

    def _another(self, reader: Reader) -> Reader:
        if isinstance(reader, SharingReader):
            return reader.beside()
        place = self._index.homes.places[self._readers.index(reader)]
        return registry.reader(place.tracker).open(place, self._options)

    def close(self) -> None:
        """Let go of every source."""
        for reader in self._readers:
            reader.close()

    def _home(self, run: Run) -> tuple[int, Run]:
        self._index.runs(self._readers)
        return self._index.home(run)


@dataclass(frozen=True, slots=True)
class Reopened:
    """Reads a run of a source that has to be opened for it: small enough for a pickle."""

    where: Location
    options: ReadOptions

    def read(self, run: Run, after: Cursor | None = None) -> Iterator[Chunk]:
        """See `runferry.ports.Reader`."""
        reader = registry.reader(self.where.tracker).open(self.where, self.options)
        try:
            yield from reader.read(run, after)
        finally:
            reader.close()


def _as(run: Run, original: Run, reader: RunReader) -> RunReader:
    return reader if run.key == original.key else Renamed(original, reader)


@dataclass(frozen=True, slots=True)
class Renamed:
    """A run whose key another source has too, under the key that it was given here."""

    original: Run
    reader: RunReader

    def read(self, run: Run, after: Cursor | None = None) -> Iterator[Chunk]:
        """See `runferry.ports.Reader`."""
        if after is None:
            detail = f"another source has a run {self.original.key} too; this is {run.key}"
            yield Lost(Loss("same-run-id", Fate.RENAMED, "", 1, detail))
        for chunk in self.reader.read(self.original, after):
            if isinstance(chunk, Header):
                yield Header(replace(chunk.run, key=run.key))
            else:
                yield chunk

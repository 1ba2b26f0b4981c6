"""Every run of every kind below a folder: the source `any`."""

from __future__ import annotations

import hashlib
import logging
import os
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Self, TypeGuard

from runferry import registry
from runferry.chunks import Chunk, Lost
from runferry.errors import BadPlugin, NotFound
from runferry.losses import Fate, Loss
from runferry.model import KINDS, Cursor, Kind, Run, RunKey
from runferry.paths import Folder, folders_below, listed_once, none_comes_into, spelled
from runferry.ports import (
    Location,
    PortableReader,
    Reader,
    ReadOptions,
    RunReader,
    SharingReader,
)
from runferry.readers.local_runs import LocalReader, free_key, renamed
from runferry.untaken import told, untaken

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Homes:
    """The sources below a folder, and the folders in which nothing loose is looked for."""

    places: tuple[Location, ...]
    closed: frozenset[Path]
    untaken: str = ""
    """What is to be said of tables that no reader takes for runs, where there are any."""


_known: ContextVar[dict[Path, Homes] | None] = ContextVar("known", default=None)


@contextmanager
def looked_once() -> Iterator[None]:
    """Within this a tree is looked through once, by whoever asks what lies in it, and listed once.

    For what is over soon: what is written meanwhile may not be seen.
    """
    token = _known.set({})
    try:
        with listed_once():
            yield
    finally:
        _known.reset(token)


def homes(root: Path) -> Homes:
    """Stores at their places, and the kinds whose runs lie loose somewhere below `root`.

    Archives are left out: what they hold was read from somewhere.
    """
    known = _known.get()
    if known is not None and root in known:
        return known[root]
    found = _homes(root)
    if known is not None:
        known[root] = found
    return found


def _homes(root: Path) -> Homes:
    with listed_once():
        stores, closed = _stores(root)
        with none_comes_into(closed):
            loose = [name for name in registry.loose_names() if recognises(name, root)]
        left = told(untaken(root, loose, closed), str(root))
    return Homes((*stores, *(Location(name, str(root)) for name in loose)), closed, left)


def recognises(name: str, path: Path) -> bool:
    """Whether a reader says that a path is its own; what is closed to us is nobody's."""
    try:
        return registry.recognises(name, path)
    except OSError as error:
        _log.warning("%s was not looked into: %s", error.filename or path, error.strerror)
        return False


def _stores(root: Path) -> tuple[list[Location], frozenset[Path]]:
    """Stores below a folder, and the folders in which nothing else is looked for."""
    found: list[Location] = []
    closed: set[Path] = set()
    local = [one for one in map(registry.reader, registry.loose_names()) if _is_local(one)]

    def skipped(folder: Folder) -> Collection[str]:
        if folder.path in closed:
            return folder.names
        kept = {name for reader in local for name in _kept(reader, folder)}
        closed.update(folder.path / name for name in kept)
        return kept

    for folder in folders_below(root, skipped):
        if _has_mark(registry.ARCHIVE, folder) and recognises(registry.ARCHIVE, folder.path):
            _log.info("%s is left out: an archive, which can be listed by itself", folder.path)
            closed.add(folder.path)
            continue
        for place in _stores_at(folder):
            found.append(place)
            if place.path == folder.path:
                closed.add(folder.path)
    return found, frozenset(closed)


def _kept(reader: type[LocalReader], folder: Folder) -> Collection[str]:
    """What a reader keeps of a folder; one of a plugin that fails at that keeps nothing."""
    try:
        with registry.blamed(reader.name, f"cannot tell what it keeps in {folder.path}"):
            return reader.keeps(folder)
    except BadPlugin as error:
        registry.pass_over(reader.name, error)
        return ()


def _stores_at(folder: Folder) -> Iterator[Location]:
    """What is a store: the folder itself, and files in it."""
    for name, suffixes in registry.STORES.items():
        if _has_mark(name, folder) and recognises(name, folder.path):
            yield Location(name, str(folder.path))
        for file in folder.names:
            if file.endswith(suffixes) and recognises(name, folder.path / file):
                yield Location(name, str(folder.path / file))


def _has_mark(store: str, folder: Folder) -> bool:
    mark = registry.MARKS.get(store)
    return mark is None or mark in folder.names


def _is_local(reader: type[Reader]) -> TypeGuard[type[LocalReader]]:
    return issubclass(reader, LocalReader)


def _until_it_fails(reader: Reader) -> Iterator[Run]:
    """Headers; of a plugin that fails in the middle, those before."""
    try:
        yield from registry.headers(reader.name, reader.runs)
    except BadPlugin as error:
        registry.pass_over(reader.name, error)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a run was found."""

    number: int  # of its source
    key: RunKey  # that it has there
    shares: tuple[tuple[Path, RunKey], ...] = ()  # files that a run of another source is made of


class Index:
    """Which run is in which source; found out once, by whoever asks first."""

    def __init__(self, homes: Homes, root: Path) -> None:
        self.homes = homes
        self._root = root
        self._lock = threading.Lock()
        self._runs: list[Run] | None = None
        self._found: dict[RunKey, Place] = {}
        self._taken: dict[Path, tuple[int, RunKey]] = {}

    def runs(self, readers: list[Reader]) -> list[Run]:
        """Headers, source by source; a key that an earlier one has too is told apart by place."""
        with self._lock:
            if self._runs is None:
                self._found.clear()
                self._taken.clear()
                with listed_once(), none_comes_into(self.homes.closed):
                    self._runs = [
                        self._entered(number, run, reader)
                        for number, reader in enumerate(readers)
                        for run in _until_it_fails(reader)
                    ]
            return self._runs

    def _entered(self, number: int, run: Run, reader: Reader) -> Run:
        key = run.key
        if key in self._found:
            key = free_key(self._copy_of(key, number), self._found)
        sources = reader.listed()[run.key].sources if isinstance(reader, LocalReader) else ()
        shares = []
        for path in sources:
            source, other = self._taken.setdefault(path, (number, key))
            if source != number:
                shares.append((path, other))
        self._found[key] = Place(number, run.key, tuple(shares))
        return run if key == run.key else replace(run, key=key)

    def _copy_of(self, key: RunKey, number: int) -> RunKey:
        """What a run of this source is called whose key another source has too.

        Its place tells it from others, and not how many there are: one more renames no other copy.
        Only one that comes before all others takes their plain keys: each store has these when it
        is read by itself, so whose they are among several cannot be told by what lies there now.
        """
        below = spelled(os.path.relpath(self.homes.places[number].path, self._root)).replace(
            os.sep, "/"
        )
        place = hashlib.blake2b(below.encode(), digest_size=4).hexdigest()
        return replace(key, run_id=f"{key.run_id}~{place}")

    def home(self, run: Run) -> Place:
        """The run's source, and the run's key there."""
        found = self._found.get(run.key)
        if found is None:
            places = ", ".join(map(str, self.homes.places))
            raise NotFound("no such run here", where=f"{run.key} in {places}", hint="runferry ls .")
        return found


def _opened(
    places: Collection[Location], options: ReadOptions
) -> Iterator[tuple[Location, Reader]]:
    """Those that open: a plugin that fails at it is passed over."""
    for place in places:
        try:
            yield place, registry.opened(place, options)
        except BadPlugin as error:
            registry.pass_over(place.tracker, error)


class AnyReader:
    """The runs of all sources below a folder, each read by its own reader."""

    name: ClassVar[str] = registry.ANY
    gives: ClassVar[frozenset[Kind]] = frozenset(KINDS)

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
            hint = found.untaken or "runferry formats  # what can be read"
            raise NotFound(
                "no run of any kind lies below this folder", where=where.where, hint=hint
            )
        if found.untaken:
            _log.warning("%s", found.untaken)
        readers = list(_opened(found.places, options))
        places = tuple(place for place, _ in readers)
        index = Index(replace(found, places=places), where.path)
        return cls(index, options, [reader for _, reader in readers])

    def runs(self) -> Iterator[Run]:
        """Headers, source by source."""
        yield from self._index.runs(self._readers)

    def read(self, run: Run, after: Cursor | None = None) -> Iterator[Chunk]:
        """The run's chunks, from the source that it was found in."""
        place = self._home(run)
        yield from Entered(place, self._readers[place.number]).read(run, after)

    def alone(self, run: Run) -> RunReader:
        """See `runferry.ports.PortableReader`."""
        place = self._home(run)
        reader = self._readers[place.number]
        if isinstance(reader, PortableReader):
            return Entered(place, reader.alone(replace(run, key=place.key)))
        return Entered(place, Reopened(self._index.homes.places[place.number], self._options))

    def beside(self) -> Self:
        """See `runferry.ports.SharingReader`."""
        return type(self)(self._index, self._options, [self._another(r) for r in self._readers])

    def _another(self, reader: Reader) -> Reader:
        if isinstance(reader, SharingReader):
            return reader.beside()
        place = self._index.homes.places[self._readers.index(reader)]
        return registry.opened(place, self._options)

    def close(self) -> None:
        """Let go of every source."""
        for reader in self._readers:
            reader.close()

    def _home(self, run: Run) -> Place:
        self._index.runs(self._readers)
        return self._index.home(run)


@dataclass(frozen=True, slots=True)
class Reopened:
    """Reads a run of a source that has to be opened for it: small enough for a pickle."""

    where: Location
    options: ReadOptions

    def read(self, run: Run, after: Cursor | None = None) -> Iterator[Chunk]:
        """See `runferry.ports.Reader`."""
        reader = registry.opened(self.where, self.options)
        try:
            yield from reader.read(run, after)
        finally:
            reader.close()


@dataclass(frozen=True, slots=True)
class Entered:
    """A run as `any` lists it: its key may be another here, and its files another run's too."""

    place: Place
    reader: RunReader

    def read(self, run: Run, after: Cursor | None = None) -> Iterator[Chunk]:
        """See `runferry.ports.Reader`."""
        if after is None:
            for path, other in self.place.shares:
                detail = f"read as the run {other} too"
                yield Lost(Loss("shared-file", Fate.KEPT, spelled(path.name), 1, detail))
        if run.key == self.place.key:
            yield from self.reader.read(run, after)
        else:
            yield from renamed(self.reader, self.place.key, run, after)

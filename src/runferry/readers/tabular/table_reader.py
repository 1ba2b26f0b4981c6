"""A reader of runs that lie in tables: what all of them do alike."""

from __future__ import annotations

import logging
import shlex
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import ClassVar, Self

from runferry.chunks import Chunk
from runferry.errors import NotFound
from runferry.model import Cursor, Run, RunKey
from runferry.ports import Location, ReadOptions
from runferry.readers.finding import check_there
from runferry.readers.tabular.reading import TableRun

NO_ROW = "a header, and no whole row below it"

_log = logging.getLogger(__name__)


@dataclass
class Found:
    """The runs of a place, looked for once, by whichever reader asks first."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    runs: dict[RunKey, TableRun] | None = None


def _enter(runs: dict[RunKey, TableRun], one: TableRun) -> None:
    """Two of one key are two runs: names that a file system tells apart may be spelled alike."""
    key, copies = one.run.key, count(2)
    while key in runs:
        key = replace(one.run.key, run_id=f"{one.run.key.run_id}~{next(copies)}")
    runs[key] = one if key == one.run.key else replace(one, run=replace(one.run, key=key))


class TableReader:
    """Lists the runs below a place once, and reads each. A subclass says which there are."""

    name: ClassVar[str]
    takes: ClassVar[str]  # what a location may be, for hints

    def __init__(self, root: Path, options: ReadOptions, found: Found | None = None) -> None:
        self.root = root
        self.options = options
        self._found = found or Found()

    @classmethod
    def open(cls, where: Location, options: ReadOptions) -> Self:
        """Raises NotFound; for a single file whatever is wrong with it."""
        check_there(where.path, cls.takes)
        reader = cls(where.path, options)
        if not where.path.is_dir():
            reader.check()
        return reader

    def found(self) -> Iterator[TableRun]:
        """Every run, in a stable order."""
        raise NotImplementedError

    def pass_over(self, path: Path, what: str) -> None:
        """Tells why a file is no run: raises NotFound where it was named, else warns."""
        if not self.root.is_dir():
            raise NotFound(what, where=str(path), hint=f"wc -l {shlex.quote(str(path))}")
        _log.warning("%s is passed over: %s", path, what)

    def check(self) -> None:
        """Raises what is wrong with a file that was named."""
        found = self._runs()
        for run in found.values():
            if run.failure is not None:
                raise run.failure
        if not found:
            raise self._nothing()

    def runs(self) -> Iterator[Run]:
        """See `runferry.ports.Reader`."""
        if not self._runs():
            raise self._nothing()
        for found in self._runs().values():
            yield found.run

    def read(self, run: Run, after: Cursor | None = None) -> Iterator[Chunk]:
        """See `runferry.ports.Reader`."""
        return self.alone(run).read(run, after)

    def alone(self, run: Run) -> TableRun:
        """See `runferry.ports.PortableReader`: the tables of this run."""
        found = self._runs().get(run.key)
        if found is None:
            hint = f"runferry ls '{self.name}:{self.root}'"
            raise NotFound("no such run here", where=f"{self.root}: {run.key}", hint=hint)
        return found

    def close(self) -> None:
        """Nothing is held open between calls."""
        self._found = Found()

    def beside(self) -> Self:
        """See `runferry.ports.SharingReader`."""
        return type(self)(self.root, self.options, self._found)

    def _runs(self) -> dict[RunKey, TableRun]:
        with self._found.lock:
            if self._found.runs is None:
                runs: dict[RunKey, TableRun] = {}
                for one in self.found():
                    _enter(runs, one)
                self._found.runs = runs
            return self._found.runs

    def _nothing(self) -> NotFound:
        return NotFound(f"no {self.name} run here", where=str(self.root), hint=f"name {self.takes}")

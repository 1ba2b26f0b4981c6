"""A reader of runs that lie in tables: what all of them do alike."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Self

from runferry.chunks import Chunk
from runferry.errors import NotFound
from runferry.model import Cursor, Run, RunKey
from runferry.ports import Location, ReadOptions
from runferry.readers.plain.finding import check_there
from runferry.readers.plain.reading import TableRun


class TableReader:
    """Lists the runs below a place once, and reads each. A subclass says which there are."""

    name: ClassVar[str]
    takes: ClassVar[str]  # what a location may be, for hints

    def __init__(self, root: Path, options: ReadOptions) -> None:
        self.root = root
        self.options = options
        self._lock = threading.Lock()
        self._found: dict[RunKey, TableRun] | None = None

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
        return self.alone(run).read(after)

    def alone(self, run: Run) -> TableRun:
        """The tables of this run."""
        found = self._runs().get(run.key)
        if found is None:
            hint = f"runferry ls '{self.name}:{self.root}'"
            raise NotFound("no such run here", where=f"{self.root}: {run.key}", hint=hint)
        return found

    def close(self) -> None:
        """Nothing is held open between calls."""
        self._found = None

    def _runs(self) -> dict[RunKey, TableRun]:
        with self._lock:
            if self._found is None:
                self._found = {}
                for found in self.found():
                    self._found.setdefault(found.run.key, found)
            return self._found

    def _nothing(self) -> NotFound:
        return NotFound(f"no {self.name} run here", where=str(self.root), hint=f"name {self.takes}")

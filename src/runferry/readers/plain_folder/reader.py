"""Which runs a folder of plain files holds, and their headers.

The long tables and the listings are what counts. `history`, `system` and `runs` are made from them
for people, and are not read. A file that is gone or has lost rows is told as a loss.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Self

from runferry.chunks import Chunk, Header
from runferry.dialects.plain_folder import layout
from runferry.dialects.plain_folder.csv_form import CsvForm
from runferry.dialects.plain_folder.folders import Folders
from runferry.dialects.plain_folder.forms import Form
from runferry.dialects.plain_folder.jsonl_form import JsonLinesForm
from runferry.dialects.plain_folder.parquet_form import ParquetForm
from runferry.dialects.plain_folder.run_file import read_run_file
from runferry.errors import Damaged, NotFound
from runferry.model import KINDS, Cursor, Kind, Run, RunKey
from runferry.ports import Location, ReadOptions
from runferry.readers.local_runs import free_key, refuse_cursor
from runferry.readers.plain_folder.run_folder import RunFolder


class PlainFolderReader:
    """Reads the runs of a folder; which form they have is the subclass's."""

    name: ClassVar[str]
    gives: ClassVar[frozenset[Kind]] = frozenset(KINDS)
    form: ClassVar[Form]

    def __init__(self, root: Path) -> None:
        self._root = root
        self._places: dict[RunKey, Path] = {}

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """A folder with our mark that names this form."""
        return layout.form_of(path) == cls.marked_as()

    @classmethod
    def marked_as(cls) -> str:
        """What the mark of such a folder says that it is."""
        return cls.form.name

    @classmethod
    def open(cls, where: Location, options: ReadOptions) -> Self:
        """Raises NotFound, UnknownVersion."""
        if not cls.recognises(where.path):
            raise NotFound(
                f"no folder that runferry wrote as {cls.name}",
                where=str(where),
                hint=f"runferry convert SOURCE {cls.name}:{where.where}",
            )
        return cls(where.path)

    def runs(self) -> Iterator[Run]:
        """Headers, by the names of the runs' folders.

        A copy of a run's folder is a run of its own; one that cannot be read has a stand-in, whose
        reading tells why.
        """
        places: dict[RunKey, Path] = {}
        for folder in self.folders():
            try:
                run = read_run_file(folder).run
            except Damaged:
                run = Run(RunKey(self.name, "damaged", folder.name), name="(damaged)")
            run = _unlike(run, places)
            places[run.key] = folder
            yield run
        self._places.update(places)  # also of readers beside this one

    def folders(self) -> Iterator[Path]:
        """The runs' folders."""
        return Folders(self._root).complete()

    def read(self, run: Run, after: Cursor | None = None) -> Iterator[Chunk]:
        """All of a run: what is edited by hand may have changed anywhere."""
        return self.alone(run).read(run, after)

    def alone(self, run: Run) -> WrittenRun:
        """See `runferry.ports.PortableReader`."""
        if run.key not in self._places:
            for _ in self.runs():
                pass
        folder = self._places.get(run.key)
        if folder is None:
            raise NotFound("no such run", where=f"{self._root} ({run.key})", hint="runferry ls")
        return WrittenRun(folder, self.form)

    def beside(self) -> Self:
        """See `runferry.ports.SharingReader`."""
        another = type(self)(self._root)
        another._places = self._places
        return another

    def close(self) -> None:
        """Nothing is held open."""


@dataclass(frozen=True, slots=True)
class WrittenRun:
    """One run's folder."""

    folder: Path
    form: Form

    def read(self, run: Run, after: Cursor | None = None) -> Iterator[Chunk]:
        """See `runferry.ports.Reader`."""
        refuse_cursor(after, self.folder)
        said = read_run_file(self.folder)
        yield from RunFolder(self.folder, self.form, said).chunks()
        yield Header(replace(said.run, key=run.key, origin_uid=run.origin_uid))


def _unlike(run: Run, others: dict[RunKey, Path]) -> Run:
    key = free_key(run.key, others)
    return run if key == run.key else replace(run, key=key, origin_uid=None)


class CsvFolderReader(PlainFolderReader):
    """Reads what was written as CSV."""

    name: ClassVar[str] = "csv"
    form: ClassVar[Form] = CsvForm()


class JsonLinesFolderReader(PlainFolderReader):
    """Reads what was written as JSON lines."""

    name: ClassVar[str] = "jsonl"
    form: ClassVar[Form] = JsonLinesForm()


class ParquetFolderReader(PlainFolderReader):
    """Reads what was written as Parquet."""

    name: ClassVar[str] = "parquet"
    form: ClassVar[Form] = ParquetForm()

"""The sources `csv`, `jsonl` and `parquet`: a folder that runferry wrote, else any table."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Self

from runferry.chunks import Chunk
from runferry.model import Cursor, Kind, Run
from runferry.ports import Location, ReadOptions, RunReader
from runferry.readers.csv_tables import CsvReader
from runferry.readers.jsonl_tables import JsonLinesReader
from runferry.readers.parquet_tables import ParquetReader
from runferry.readers.plain_folder import (
    CsvFolderReader,
    JsonLinesFolderReader,
    ParquetFolderReader,
    PlainFolderReader,
)
from runferry.readers.tabular.any_table import AnyTableReader


class PlainFilesReader:
    """The reader of what stands at the place: the mark of a folder of ours decides."""

    name: ClassVar[str]
    gives: ClassVar[frozenset[Kind]] = frozenset({"scalar", "text", "raw"})
    ours: ClassVar[type[PlainFolderReader]]
    tables: ClassVar[type[AnyTableReader]]

    def __init__(self, reader: PlainFolderReader | AnyTableReader) -> None:
        self._reader = reader

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """A folder that runferry wrote in this form, or a file with its suffix."""
        return cls.ours.recognises(path) or cls.tables.recognises(path)

    @classmethod
    def open(cls, where: Location, options: ReadOptions) -> Self:
        """Raises NotFound, UnknownVersion; for a single table whatever is wrong with it."""
        chosen = cls.ours if cls.ours.recognises(where.path) else cls.tables
        return cls(chosen.open(where, options))

    def runs(self) -> Iterator[Run]:
        """See `runferry.ports.Reader`."""
        return self._reader.runs()

    def read(self, run: Run, after: Cursor | None = None) -> Iterator[Chunk]:
        """See `runferry.ports.Reader`."""
        return self._reader.read(run, after)

    def alone(self, run: Run) -> RunReader:
        """See `runferry.ports.PortableReader`."""
        return self._reader.alone(run)

    def beside(self) -> Self:
        """See `runferry.ports.SharingReader`."""
        return type(self)(self._reader.beside())

    def close(self) -> None:
        """See `runferry.ports.Reader`."""
        self._reader.close()


class CsvFiles(PlainFilesReader):
    """CSV."""

    name: ClassVar[str] = "csv"
    ours = CsvFolderReader
    tables = CsvReader


class JsonLinesFiles(PlainFilesReader):
    """JSON lines."""

    name: ClassVar[str] = "jsonl"
    ours = JsonLinesFolderReader
    tables = JsonLinesReader


class ParquetFiles(PlainFilesReader):
    """Parquet."""

    name: ClassVar[str] = "parquet"
    ours = ParquetFolderReader
    tables = ParquetReader

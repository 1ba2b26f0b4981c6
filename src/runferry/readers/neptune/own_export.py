"""Reads back, exactly, the archives of the exporter's format that runferry wrote."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

from runferry import settings
from runferry.chunks import Chunk
from runferry.dialects.neptune.export_files import DATA
from runferry.dialects.neptune.own_store import STORE, STORE_MARK, exported_in, offline_store
from runferry.dialects.neptune.places import ServerPlace, is_folder
from runferry.dialects.plain_folder.folders import Folders
from runferry.dialects.plain_folder.forms import Form
from runferry.dialects.plain_folder.layout import form_of
from runferry.dialects.plain_folder.parquet_form import ParquetForm
from runferry.dialects.plain_folder.run_file import read_run_file
from runferry.errors import Damaged, NotFound
from runferry.model import Cursor, Run, RunKey
from runferry.paths import folders_below
from runferry.ports import Location, ReadOptions
from runferry.readers.plain_folder import PlainFolderReader
from runferry.readers.plain_folder.reader import WrittenRun


@dataclass(frozen=True, slots=True)
class OwnRun:
    """A run of our own store."""

    folder: Path
    sources: tuple[Path, ...]
    """The parts of an export that were made of it, which are not read as anybody's then."""
    run: Run

    @property
    def key(self) -> RunKey:
        """Its own, whatever tracker it comes from."""
        return self.run.key

    def header(self) -> Run:
        """As it was sealed."""
        return self.run

    def read(self, run: Run, after: Cursor | None = None) -> Iterator[Chunk]:
        """All of the run."""
        return WrittenRun(self.folder, ParquetForm()).read(run, after)


def own_exported(root: Path) -> Iterator[OwnRun]:
    """Those of the archives at or below a folder, or around it where it is their `data`.

    One whose account of itself cannot be read is left to who reads anybody's.
    """
    homes = [root.parent] if root.name == DATA else []
    homes += [folder.path for folder in folders_below(root) if STORE in folder.names]
    for home in homes:
        if form_of(home / STORE) != STORE_MARK:
            continue
        for folder in Folders(home / STORE).complete():
            with suppress(FileNotFoundError, Damaged):  # then the exporter's own files count
                exported = exported_in(folder)
                if exported.stands(home / DATA):
                    parts = home / DATA / exported.project_folder
                    sources = tuple(parts / name for name, _ in exported.parts)
                    yield OwnRun(folder, sources, read_run_file(folder).run)


def own_queued(place: ServerPlace) -> Iterator[OwnRun]:
    """Those that wait in the client's offline queue to be sent to a place."""
    for folder in Folders(offline_store(place)).complete():
        with suppress(FileNotFoundError, Damaged):
            yield OwnRun(folder, (), read_run_file(folder).run)


class OwnExportReader(PlainFolderReader):
    """The runs of our own store whose parts are there as they were written.

    What else lies in `data` is read as anybody's export.
    """

    name: ClassVar[str] = "neptune"
    form: ClassVar[Form] = ParquetForm()

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """An archive with our own store in it."""
        return super().recognises(path / STORE)

    @classmethod
    def marked_as(cls) -> str:
        """See `runferry.dialects.neptune.own_store`."""
        return STORE_MARK

    @classmethod
    def open(cls, where: Location, options: ReadOptions) -> Self:
        """Raises NotFound, UnknownVersion."""
        if not cls.recognises(where.path):
            raise NotFound(
                "no export of Neptune that runferry wrote",
                where=str(where),
                hint=f"runferry convert SOURCE neptune:{where.where}",
            )
        return cls(where.path / STORE)

    def folders(self) -> Iterator[Path]:
        """Of runs whose parts nobody took away or wrote anew."""
        return (run.folder for run in own_exported(self._root.parent))


class OwnQueueReader(PlainFolderReader):
    """The runs that wait in the client's offline queue for a project.

    The queue itself names files by where they lay, and cuts what Neptune does not take.
    """

    name: ClassVar[str] = "neptune"
    form: ClassVar[Form] = ParquetForm()

    @classmethod
    def marked_as(cls) -> str:
        """See `runferry.dialects.neptune.own_store`."""
        return STORE_MARK

    @classmethod
    def open(cls, where: Location, options: ReadOptions) -> Self:
        """Raises NotFound, BadLocation."""
        root = offline_store(ServerPlace.of(where.where))
        if not cls.recognises(root):
            raise NotFound(
                "nothing that runferry queued for this project",
                where=f"{where}, {root}",
                hint=f"RUNFERRY_NEPTUNE_MODE=offline runferry convert SOURCE {where}",
            )
        return cls(root)


class OwnNeptuneReader(PlainFolderReader):
    """What runferry wrote for Neptune, on this machine."""

    name: ClassVar[str] = "neptune"

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """An archive with our own store in it."""
        return OwnExportReader.recognises(path)

    @classmethod
    def open(cls, where: Location, options: ReadOptions) -> Self:
        """Raises NotFound, BadLocation."""
        if is_folder(where.where):
            return OwnExportReader.open(where, options)  # type: ignore[return-value]
        if settings.current().neptune_mode == "offline":
            return OwnQueueReader.open(where, options)  # type: ignore[return-value]
        from runferry.readers.neptune.own_server import OwnServerReader

        return OwnServerReader.open(where, options)  # type: ignore[return-value]

"""Which runs of trackio lie at a place: those of its databases, and ours as they were."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, Self

from runferry.dialects.plain_folder.folders import Folders
from runferry.dialects.plain_folder.layout import form_of
from runferry.dialects.plain_folder.run_file import read_run_file
from runferry.dialects.trackio.own_store import Logged, logged_of
from runferry.dialects.trackio.places import (
    ARTIFACTS,
    DATABASE,
    MEDIA,
    STORE,
    STORE_MARK,
    TRACKER,
    Place,
    own_folder,
)
from runferry.errors import BadLocation
from runferry.model import Kind
from runferry.paths import Folder
from runferry.ports import Location, ReadOptions
from runferry.readers.local_runs import LocalReader, LocalRun
from runferry.readers.plain_folder.own_folder import DamagedCopies, OwnFolder
from runferry.readers.sqlite_files import failing_as_ours, opened
from runferry.readers.trackio.databases import (
    Schema,
    config_of,
    databases_below,
    header_of,
    is_database,
    owners,
)
from runferry.readers.trackio.reading import TrackioRun
from runferry.readers.trackio.saved_files import WithSaved, saved_folder


class TrackioReader(LocalReader):
    """Runs in the databases of trackio."""

    name: ClassVar[str] = TRACKER
    gives: ClassVar[frozenset[Kind]] = frozenset({
        "scalar", "text", "histogram", "image", "audio", "video", "table", "html", "object3d",
        "file", "other", "config", "artifact", "raw"
    })  # fmt: skip
    takes: ClassVar[str] = f"a project, its {DATABASE} file, or a folder with some below it"

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Whether there is a database of trackio's here."""
        return next(databases_below(path), None) is not None

    @classmethod
    def keeps(cls, folder: Folder) -> Collection[str]:
        """Media, artifacts and exact runs beside databases."""
        beside = {MEDIA, ARTIFACTS, STORE} & {*folder.names}
        if not beside:
            return ()
        names = (name for name in folder.names if name.endswith(DATABASE))
        return beside if any(is_database(folder.path / name) for name in names) else ()

    @classmethod
    def open(cls, where: Location, options: ReadOptions) -> Self:
        """Raises NotFound. Nothing behind the name means the folder that trackio itself uses."""
        if not where.where:
            return super().open(Location(where.tracker, str(own_folder())), options)
        if not where.path.exists():
            with suppress(BadLocation):
                database = Place.of(where.where).database
                if database.is_file():
                    return super().open(Location(where.tracker, str(database)), options)
        return super().open(where, options)

    def check(self) -> None:
        """Raises NotFound for a file that is no database of trackio's."""
        if not is_database(self.root):
            raise self.nothing()

    def look(self) -> Iterator[LocalRun]:
        """The runs of every database, by the time when they began."""
        for path in databases_below(self.root):
            with failing_as_ours(path), opened(path) as connection:
                yield from _with_saved(path, list(_runs(path, connection)))


def _with_saved(path: Path, runs: list[LocalRun]) -> list[LocalRun]:
    folder = saved_folder(path)
    if folder is None or not runs:
        return runs
    return [WithSaved(runs[0], path, folder), *runs[1:]]


def _runs(path: Path, connection: sqlite3.Connection) -> Iterator[LocalRun]:
    schema, damaged = Schema.of(connection), DamagedCopies()
    ours = {run.run_id: own for run, own in _own(path, connection, damaged)}
    for owner, first in owners(connection, schema).items():
        try:
            config = config_of(connection, schema, owner)
        except ValueError:
            config = {}  # reading the run tells it
        run = TrackioRun(path, owner, header_of(path.stem, owner, first, config))
        if owner.run_id in ours:
            yield replace(ours[owner.run_id], made=run)
            continue
        yield damaged.told_by(run, owner.run_id, path)


def _own(
    path: Path, connection: sqlite3.Connection, damaged: DamagedCopies
) -> Iterator[tuple[Logged, OwnFolder]]:
    """Exact runs whose rows stand as they were written."""
    store = path.parent / STORE / path.stem
    if form_of(store) != STORE_MARK:
        return
    for folder in Folders(store).copies():
        logged = damaged.read(logged_of, folder, path)
        with suppress(sqlite3.Error):  # then trackio's rows count
            if logged is None or not logged.stands(connection):
                continue
            said = damaged.read(read_run_file, folder, logged.run_id)
            if said is not None:
                yield logged, OwnFolder(folder, (path,), said.run)

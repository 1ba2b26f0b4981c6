"""Puts runs into a project of trackio, with the exact run beside it."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import ClassVar, Self

from runferry.dialects.plain_folder.forms import Form
from runferry.dialects.plain_folder.parquet_form import ParquetForm
from runferry.dialects.trackio.own_store import LOGGED, logged_of
from runferry.dialects.trackio.places import DATABASE, STORE_MARK, TRACKER, Place
from runferry.errors import Damaged, Refused
from runferry.losses import Loss
from runferry.model import Run, Uid
from runferry.paths import regular
from runferry.ports import Limits, Location, Progress, RemoteId
from runferry.writers.disk import disk_errors
from runferry.writers.plain_folder import PlainFolderWriter
from runferry.writers.plain_folder.draft import Draft
from runferry.writers.trackio.limits import LIMITS
from runferry.writers.trackio.showing import Showing


class TrackioWriter(PlainFolderWriter):
    """A run is staged in our own store, its rows are made of that in one transaction, and then it
    is complete in the store: who is killed in between has made rows that the next push replaces.
    """

    name: ClassVar[str] = TRACKER
    form: ClassVar[Form] = ParquetForm()
    limits: ClassVar[Limits] = LIMITS
    has_tables_for_people: ClassVar[bool] = False

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self._place = Place(root.parent.parent, root.name)
        self._losses: dict[RemoteId, tuple[Loss, ...]] = {}

    @classmethod
    def open(cls, where: Location) -> Self:
        """Raises Refused, BadLocation."""
        place = Place.of(where.where)
        with disk_errors(place.folder):
            place.folder.mkdir(parents=True, exist_ok=True)
            if place.database.exists() and regular(place.database) is None:
                raise Refused(
                    "this is no file",
                    where=str(place.database),
                    hint=f"name another project: {TRACKER}:{place.folder}/PROJECT",
                )
        return super().open(Location(where.tracker, str(place.store)))

    @classmethod
    def is_path(cls, where: Location) -> bool:
        """A project without a path is one of the user's own folder, from wherever it is named."""
        return "/" in where.where or where.where.startswith((".", "~"))

    @classmethod
    def marked_as(cls) -> str:
        """No source by itself."""
        return STORE_MARK

    def find(self, uid: Uid) -> RemoteId | None:
        """The run that carries this mark; one whose rows were changed or deleted is gone."""
        found = super().find(uid)
        return found if found is None or self._attempts(uid) or self._stands([uid]) else None

    def present(self) -> Mapping[Uid, RemoteId] | None:
        """The complete runs whose rows are there."""
        found = super().present() or {}
        standing = self._stands([*found])
        return {uid: remote for uid, remote in found.items() if uid in standing}

    def stored(self, remote: RemoteId) -> Progress | None:
        """Whether it is complete; raises RunMissing."""
        progress = super().stored(remote)
        if progress is not None and progress.is_sealed and not self._stands([Uid(remote)]):
            raise self._missing(remote)
        return progress

    def _stands(self, uids: list[Uid]) -> set[Uid]:
        """Those of these runs whose rows are in the database as they were written."""
        if not uids or regular(self._place.database) is None:
            return set()
        try:
            with closing(sqlite3.connect(self._place.database)) as connection:
                return {uid for uid in uids if self._is_as_written(uid, connection)}
        except sqlite3.Error as error:
            raise Refused(
                f"sqlite says: {error}",
                where=str(self._place.database),
                hint=f"sqlite3 {self._place.project}{DATABASE} 'PRAGMA integrity_check'",
            ) from error

    def _is_as_written(self, uid: Uid, connection: sqlite3.Connection) -> bool:
        folder = self._folders.find(uid)
        if folder is None:
            return False
        try:
            return logged_of(folder).stands(connection)
        except (FileNotFoundError, Damaged):
            return False

    def show(self, draft: Draft, run: Run) -> None:
        """The rows and media that trackio shows."""
        showing = Showing(self._place, draft, run)
        (draft.home / LOGGED).write_text(showing.go().text(), encoding="utf-8")
        self._losses[RemoteId(draft.uid)] = tuple(showing.losses)

    def losses(self, remote: RemoteId) -> tuple[Loss, ...]:
        """What has another name there than it should."""
        return self._losses.get(remote, ())

"""Puts runs into a project of trackio, with the exact run beside it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection
from contextlib import closing
from pathlib import Path
from typing import ClassVar, Self

from runferry.dialects.trackio.own_store import LOGGED, Logged, logged_of
from runferry.dialects.trackio.places import DATABASE, STORE_MARK, TRACKER, Place
from runferry.errors import Refused
from runferry.model import Run, Uid
from runferry.paths import regular
from runferry.ports import Limits, Location, RemoteId
from runferry.writers.disk import disk_errors
from runferry.writers.plain_folder.draft import Draft
from runferry.writers.plain_folder.shown import ShownWriter
from runferry.writers.trackio.limits import LIMITS
from runferry.writers.trackio.showing import Showing


class TrackioWriter(ShownWriter):
    """A run is staged in our own store, its rows are made of that in one transaction, and then it
    is complete in the store: who is killed in between has made rows that the next push replaces.
    """

    name: ClassVar[str] = TRACKER
    limits: ClassVar[Limits] = LIMITS

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self._place = Place(root.parent.parent, root.name)

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
    def meant_by_name(cls) -> str:
        """Nothing: a project has to be named."""
        return ""

    @classmethod
    def marked_as(cls) -> str:
        """No source by itself."""
        return STORE_MARK

    def _standing(self, uids: Collection[Uid]) -> set[Uid]:
        """Those of these runs whose rows are in the database as they were written."""
        return self._of_which(uids, Logged.stands)

    def _has_others_rows(self, uid: Uid) -> bool:
        """Whoever resumes a run adds rows behind ours."""
        return bool(self._of_which([uid], Logged.is_logged_on_to))

    def _of_which(
        self, uids: Collection[Uid], is_so: Callable[[Logged, sqlite3.Connection], bool]
    ) -> set[Uid]:
        """Those of these runs whose rows are so. Raises Refused."""
        if not uids or regular(self._place.database) is None:
            return set()
        try:
            with closing(sqlite3.connect(self._place.database)) as connection:
                return self._those(uids, lambda home: is_so(logged_of(home), connection))
        except sqlite3.Error as error:
            raise Refused(
                f"sqlite says: {error}",
                where=str(self._place.database),
                hint=f"sqlite3 {self._place.project}{DATABASE} 'PRAGMA integrity_check'",
            ) from error

    def show(self, draft: Draft, run: Run) -> None:
        """The rows and media that trackio shows."""
        showing = Showing(self._place, draft, run)
        (draft.home / LOGGED).write_text(showing.go().text(), encoding="utf-8")
        self._losses[RemoteId(draft.uid)] = tuple(showing.losses)

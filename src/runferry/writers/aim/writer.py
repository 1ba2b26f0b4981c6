"""Puts runs into a repository of Aim's, with the exact run beside it."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import ClassVar, Self

from runferry.dialects.aim.own_store import LOGGED, Logged, logged_of
from runferry.dialects.aim.places import HOME, STORE, STORE_MARK, TRACKER, root_of
from runferry.dialects.aim.process import interpreter
from runferry.errors import Damaged
from runferry.model import Run, Uid
from runferry.ports import Limits, Location, RemoteId
from runferry.writers.aim.limits import LIMITS
from runferry.writers.aim.published import Published
from runferry.writers.aim.showing import Showing
from runferry.writers.plain_folder.draft import Draft
from runferry.writers.plain_folder.shown import ShownWriter


class AimWriter(ShownWriter):
    """A run is staged in our own store, a process of Aim's writes it aside and moves it into the
    repository, and then it is complete in the store: who is killed in between has made a run that
    the next push replaces, as long as nobody has logged on to it.
    """

    name: ClassVar[str] = TRACKER
    limits: ClassVar[Limits] = LIMITS

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self._published = Published(root)

    @classmethod
    def open(cls, where: Location) -> Self:
        """Raises Refused, BadLocation, and MissingExtra before anything is staged for Aim."""
        store = root_of(where.where) / HOME / STORE
        interpreter()
        return super().open(Location(where.tracker, str(store)))

    @classmethod
    def marked_as(cls) -> str:
        """No source by itself."""
        return STORE_MARK

    def _standing(self, uids: Collection[Uid]) -> set[Uid]:
        """Those of these runs whose databases are in the repository as they were written."""
        return self._those(uids, lambda folder: logged_of(folder).stands(self._root.parent))

    def _has_others_rows(self, uid: Uid) -> bool:
        """Whoever opens a run in Aim to log more changes the databases that we made of it."""
        before = self._before(uid)
        made = [*self._published.of(uid), *([] if before is None else [before])]
        return any(one.is_logged_on_to(self._root.parent) for one in made)

    def show(self, draft: Draft, run: Run) -> None:
        """The run that Aim shows."""
        showing = Showing(self._root.parent.parent, draft, run, self._before(draft.uid))
        logged = showing.go(partial(self._published.expect, draft.uid))
        (draft.home / LOGGED).write_text(logged.text(), encoding="utf-8")
        self._losses[RemoteId(draft.uid)] = tuple(showing.losses)

    def _publish(self, draft: Draft, run: Run) -> None:
        super()._publish(draft, run)
        self._published.forget(draft.uid)

    def _before(self, uid: Uid) -> Logged | None:
        """What was written of a run earlier."""
        folder = self._folders.find(uid)
        with suppress(FileNotFoundError, Damaged):
            return None if folder is None else logged_of(folder)
        return None

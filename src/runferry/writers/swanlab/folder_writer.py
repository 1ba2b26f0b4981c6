"""The writer of run folders, with our own store of exact runs beside them."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final, Self

from runferry import settings
from runferry.dialects.swanlab.names import STORE, STORE_MARK
from runferry.dialects.swanlab.own_store import SHOWN, Shown, folder_in, shown_in
from runferry.durable import sync, sync_tree
from runferry.errors import Damaged
from runferry.model import Run, Uid
from runferry.ports import Limits, Location, RemoteId
from runferry.writers.disk import disk_errors
from runferry.writers.plain_folder.draft import Draft
from runferry.writers.plain_folder.shown import ShownWriter
from runferry.writers.room import in_the_way, room_at
from runferry.writers.swanlab.authoring import Authoring
from runferry.writers.swanlab.header import fitted, is_as_asked
from runferry.writers.swanlab.limits import LIMITS
from runferry.writers.swanlab.place import Place, place_of

if TYPE_CHECKING:
    from runferry.writers.swanlab.dashboard import Tag

_MADE: Final = "swanlab"
"""Where a run folder is made, within what is staged of the run."""


class FolderWriter(ShownWriter):
    """Puts runs into a folder that `swanlab sync` and SwanLab's dashboard read.

    A run is staged in our own store, its folder is made of that, and moved into sight last: until
    then the run does not count as complete.
    """

    name: ClassVar[str] = "swanlab"
    limits: ClassVar[Limits] = LIMITS

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self._swanlog = root.parent
        self._listed: dict[Uid, list[Tag]] = {}

    @classmethod
    def open(cls, where: Location) -> Self:
        """Raises Refused where no folder can be."""
        with disk_errors(where.path):
            where.path.mkdir(parents=True, exist_ok=True)
        return super().open(Location(where.tracker, str(where.path / STORE)))

    @classmethod
    def marked_as(cls) -> str:
        """No source by itself."""
        return STORE_MARK

    def _standing(self, uids: Collection[Uid]) -> set[Uid]:
        """Where a project is asked for, those that are shown in that one."""

        def stands(home: Path) -> bool:
            shown = shown_in(home)
            return shown.stands(self._swanlog) and is_as_asked(shown.project, shown.workspace)

        return self._those(uids, stands)

    def shown(self, uid: Uid) -> Path | None:
        """The run folder that was made of a run."""
        folder = self._folders.find(uid)
        if folder is None:
            return None
        with suppress(FileNotFoundError, Damaged):
            return self._swanlog / folder_in(folder)
        return None

    def show(self, draft: Draft, run: Run) -> None:
        """The folder for SwanLab, where nobody sees it yet."""
        place = self._place(draft, run)
        is_over = self._shows_all(run)
        authoring = Authoring(draft.home / _MADE, place, draft, draft.header(run), is_over=is_over)
        size = authoring.go()
        if settings.current().swanlab_dashboard:
            from runferry.writers.swanlab.dashboard import DashboardLogs

            made = draft.home / _MADE
            self._listed[draft.uid] = DashboardLogs(made, made / authoring.log_name).write()
        there = fitted(run)
        shown = Shown(place.folder.name, authoring.log_name, size, there.project, there.workspace)
        (draft.home / SHOWN).write_text(shown.text(), encoding="utf-8")
        self._losses[RemoteId(draft.uid)] = authoring.losses()

    def _shows_all(self, run: Run) -> bool:
        """Whether also a printed line that has no end: in a folder, which is written anew."""
        del run
        return True

    def _place(self, draft: Draft, run: Run) -> Place:
        return place_of(self._swanlog, run, draft.uid, self.shown(draft.uid))

    def _publish(self, draft: Draft, run: Run) -> None:
        """Move it into sight: what it replaces is out of sight for a moment."""
        shown, before = shown_in(draft.home), self.shown(draft.uid)
        target = self._swanlog / shown.folder
        if target.exists() and before != target:
            raise in_the_way(target)
        super()._publish(draft, run)
        home = self._folders.home(run, draft.uid)
        with room_at(target, self._out_of_sight(), lambda there: there == before):
            sync_tree(home / _MADE)
            (home / _MADE).rename(target)
            sync([self._swanlog, home])
            tags = self._listed.pop(draft.uid, None)
            if tags is not None:
                from runferry.writers.swanlab.dashboard_database import list_in_dashboard

                project = fitted(run).project
                list_in_dashboard(self._swanlog, shown.folder, draft.header(run), project, tags)

"""Projects on a server: which run goes where, making those that are missing, runs of ours there."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from runferry import settings
from runferry.dialects.neptune.attribute_paths import CLAIM, SEALED, SYS, UID, project_name
from runferry.dialects.neptune.client import cell, in_our_words, open_project, to_read
from runferry.dialects.neptune.names import TRACKER
from runferry.dialects.neptune.places import ServerPlace
from runferry.model import Run, Uid
from runferry.writers.neptune.queues import SHARED_QUEUES

_VISIBILITY: Final = {"workspace": "workspace", "private": "priv", "public": "pub"}
_CUSTOM_ID: Final = f"{SYS}/custom_run_id"
_OF_OURS: Final = f'(`{UID}`:string != "")'


@dataclass(frozen=True, slots=True)
class Found:
    """A run of ours on the server."""

    project: str
    is_sealed: bool
    claim: str | None = None
    run_id: str | None = None


def project_of(place: ServerPlace, run: Run) -> str:
    """`WORKSPACE/PROJECT` for a run."""
    if place.project is not None:
        return str(place)
    if run.key.tracker == TRACKER:
        name = run.key.scope.rpartition("/")[2]
    else:
        name = project_name(run.project or run.key.scope or run.key.tracker)
    return f"{place.workspace}/{name}"


def url_of(run: Run) -> str | None:
    """The address of the project that a run came from, as far as its own tells."""
    if run.source_url is None:
        return None
    return run.source_url.partition("/runs/")[0]


class Projects:
    """What is on the server; asked once, and kept up to date by what is done here.

    The writers of one push share it: with one each, twenty would all list a whole workspace.
    """

    def __init__(self, neptune: ModuleType, place: ServerPlace, queues: Path) -> None:
        """`queues` is where the client keeps what is not sent yet."""
        self.queues = queues
        self._neptune = neptune
        self._place = place
        self._known: set[str] = set()  # projects that are there; there may be more
        self._runs: dict[Uid, Found] | None = None
        self._searching = threading.Lock()
        self._opened: dict[str, Any] = {}  # to read from
        self._locks: dict[str, threading.Lock] = {}  # by project
        self._reserved: dict[tuple[str, str], Uid] = {}  # ids of runs, by project

    def runs(self) -> Mapping[Uid, Found]:
        """Runs of ours in the project, or in all of the workspace."""
        with self._searching:
            if self._runs is None:
                found: dict[Uid, Found] = {}
                for project in self._names():
                    found.update(self._of(project, _OF_OURS))
                self._runs = found  # of a search that was broken off nothing is believed
            return self._runs

    def note(self, uid: Uid, found: Found) -> None:
        """A run of ours is there from now on."""
        if self._runs is not None:
            self._runs[uid] = found

    def look(self, uid: Uid, project: str | None) -> Found | None:
        """One run as it is now; `project` is where it goes, if anybody knows."""
        if project is None:
            known = self.runs().get(uid)
            if known is None:
                return None
            project = known.project
        elif project not in self._known and project not in self._names():
            return None
        found = self._of(project, f'(`{UID}`:string = "{uid}")').get(uid)
        if found is not None:
            self.note(uid, found)
        return found

    def reserve(self, project: str, run_id: str, uid: Uid) -> Uid:
        """Whose an id is among the runs of this push: the first that asks has it."""
        return self._reserved.setdefault((project, run_id), uid)

    def close(self) -> None:
        """Let go of the projects."""
        while self._opened:
            self._opened.popitem()[1].stop()

    def make(self, project: str, run: Run) -> None:
        """Make the project if there is none; one that is there is used as it is."""
        if project in self._known:
            return
        with self._lock_of(project):  # nobody makes it twice
            if project not in self._known and project not in self._names():
                with in_our_words(f"neptune:{project}"):
                    self._create(project, run)
        self._known.add(project)

    def _create(self, project: str, run: Run) -> None:
        chosen = settings.current()
        workspace, _, name = project.partition("/")
        came_from = url_of(run)
        origin = came_from or f"{run.key.tracker} {run.project or run.key.scope}".strip()
        self._neptune.management.create_project(
            name=name,
            workspace=workspace,
            visibility=_VISIBILITY[chosen.neptune_visibility],
            description=chosen.neptune_description or f"Exported from {origin}",
        )
        if came_from is not None:
            opened = open_project(self._neptune, project, self.queues)
            opened[f"{run.key.tracker}_url"].assign(came_from)
            opened.stop()

    def _lock_of(self, project: str) -> threading.Lock:
        return self._locks.setdefault(project, threading.Lock())

    def _names(self) -> list[str]:
        with in_our_words(f"neptune:{self._place}"):
            listed = self._neptune.management.get_project_list()
        names = [name for name in listed if self._place.has(name)]
        self._known.update(names)
        return names

    def _of(self, project: str, query: str) -> dict[Uid, Found]:
        found: dict[Uid, Found] = {}
        columns = [UID, SEALED, CLAIM, _CUSTOM_ID]
        with in_our_words(f"neptune:{project}"):
            with self._lock_of(project):
                if project not in self._opened:
                    self._opened[project] = to_read(self._neptune, project)
            table = self._opened[project].fetch_runs_table(
                query=query, columns=columns, progress_bar=False
            )
            for entry in table:
                uid, is_sealed, *texts = (cell(entry, column) for column in columns)
                if isinstance(uid, str):
                    words = (text if isinstance(text, str) else None for text in texts)
                    found[Uid(uid)] = Found(project, is_sealed is True, *words)
        return found


class SharedProjects:
    """One `Projects` for all writers of this process to one place, while there are any."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users: dict[ServerPlace, int] = {}
        self._projects: dict[ServerPlace, Projects] = {}

    def enter(self, neptune: ModuleType, place: ServerPlace) -> Projects:
        """What they share, which is there until `leave` was called as often."""
        with self._lock:
            if place not in self._projects:
                self._projects[place] = Projects(neptune, place, SHARED_QUEUES.enter())
            self._users[place] = self._users.get(place, 0) + 1
            return self._projects[place]

    def leave(self, place: ServerPlace) -> None:
        """Nobody of ours asks any more, unless others do: the last one lets go."""
        with self._lock:
            self._users[place] -= 1
            if self._users[place]:
                return
            projects = self._projects.pop(place)
        try:
            projects.close()
        finally:
            SHARED_QUEUES.leave()


SHARED_PROJECTS: Final = SharedProjects()

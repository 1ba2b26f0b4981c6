"""What stands behind `neptune:`: a folder, or a workspace's projects on a server."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from runferry.errors import BadLocation

PROJECT_VARIABLE: Final = "NEPTUNE_PROJECT"
FOLDER_VARIABLE: Final = "NEPTUNE_DATA_DIRECTORY"
"""Where the client keeps its queues, which is `.neptune` otherwise."""

_NAMED: Final = re.compile(r"(?P<workspace>[^/\s]+)(?:/(?P<project>[^/\s]+))?")


@dataclass(frozen=True, slots=True)
class ServerPlace:
    """Projects of a workspace; without a name each run goes into the one of its own project."""

    workspace: str
    project: str | None = None

    @classmethod
    def of(cls, where: str) -> ServerPlace:
        """`WORKSPACE/PROJECT`, `WORKSPACE`, or nothing: then `NEPTUNE_PROJECT` says it.

        Raises BadLocation.
        """
        text = where or os.environ.get(PROJECT_VARIABLE, "")
        named = _NAMED.fullmatch(text.strip())
        if named is None:
            raise BadLocation(
                f"{text} is no project" if text else "no project is named",
                where="neptune:",
                hint=f"neptune:WORKSPACE/PROJECT, or set {PROJECT_VARIABLE}",
            )
        return cls(named["workspace"], named["project"])

    def has(self, project: str) -> bool:
        """Whether this means a project, `WORKSPACE/NAME`."""
        if self.project is None:
            return project.startswith(f"{self.workspace}/")
        return project == str(self)

    def __str__(self) -> str:
        return f"{self.workspace}/{self.project}" if self.project else self.workspace


class _FolderVariable:
    """Who has set the variable, so that it can be put back."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._users = 0
        self._set = ""
        self._before: str | None = None

    def enter(self, folder: str) -> None:
        with self._changed:
            self._changed.wait_for(lambda: not self._users or self._set == folder)
            if not self._users:
                self._before = os.environ.get(FOLDER_VARIABLE)
                self._set = os.environ[FOLDER_VARIABLE] = folder
            self._users += 1

    def leave(self) -> None:
        with self._changed:
            self._users -= 1
            if self._users:
                return
            if self._before is None:
                del os.environ[FOLDER_VARIABLE]
            else:
                os.environ[FOLDER_VARIABLE] = self._before
            self._changed.notify_all()

    def before(self) -> str | None:
        with self._changed:
            return self._before if self._users else os.environ.get(FOLDER_VARIABLE)


_variable: Final = _FolderVariable()


def queue_folder() -> Path:
    """Where the client keeps what is not sent yet, if it is not told otherwise."""
    return Path(_variable.before() or ".neptune")


@contextmanager
def queues_in(folder: Path) -> Iterator[None]:
    """Within this a run that the client makes has its queue there.

    The client takes the folder from the environment and from nowhere else, when a run is made and
    never again. Threads that name the same folder do not wait for each other.
    """
    _variable.enter(str(folder.absolute()))
    try:
        yield
    finally:
        _variable.leave()

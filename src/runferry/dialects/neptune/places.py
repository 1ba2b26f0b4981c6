"""What stands behind `neptune:`: a folder, or a workspace's projects on a server."""

from __future__ import annotations

import os
import re
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
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


@dataclass(eq=False)
class _Level:
    folder: str
    before: str | None  # what the variable was
    users: Counter[int] = field(default_factory=Counter)  # how often each thread is in it


class _FolderVariable:
    """Who has set the variable, so that it can be put back."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._levels: list[_Level] = []  # the innermost last

    def enter(self, folder: str) -> None:
        """Waits for others that have set another folder; a thread goes further in by itself."""
        me = threading.get_ident()
        with self._changed:
            self._changed.wait_for(lambda: self._is_free(folder, me))
            if not self._levels or self._levels[-1].folder != folder:
                self._levels.append(_Level(folder, os.environ.get(FOLDER_VARIABLE)))
                os.environ[FOLDER_VARIABLE] = folder
            self._levels[-1].users[me] += 1

    def _is_free(self, folder: str, me: int) -> bool:
        if not self._levels or self._levels[-1].folder == folder:
            return True
        return all(level.users.keys() == {me} for level in self._levels)

    def leave(self) -> None:
        """Whoever goes back to a folder further out waits until that is the one again."""
        me = threading.get_ident()
        with self._changed:
            level = self._levels[-1]
            level.users -= Counter([me])
            if level.users:
                is_further_out = any(outer.users[me] for outer in self._levels[:-1])
                if is_further_out and not level.users[me]:
                    self._changed.wait_for(lambda: level not in self._levels)
                return
            self._levels.pop()
            if level.before is None:
                del os.environ[FOLDER_VARIABLE]
            else:
                os.environ[FOLDER_VARIABLE] = level.before
            self._changed.notify_all()

    def before(self) -> str | None:
        with self._changed:
            return self._levels[0].before if self._levels else os.environ.get(FOLDER_VARIABLE)


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

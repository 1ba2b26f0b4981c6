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


_environment: Final = threading.RLock()


def queue_folder() -> Path:
    """Where the client keeps what is not sent yet."""
    with _environment:
        return Path(os.environ.get(FOLDER_VARIABLE) or ".neptune")


@contextmanager
def queues_in(folder: Path) -> Iterator[None]:
    """Within this a run that the client makes has its queue there.

    The client takes the folder from the environment, when a run is made and never again; all that
    asks for it waits meanwhile.
    """
    with _environment:
        before = os.environ.get(FOLDER_VARIABLE)
        os.environ[FOLDER_VARIABLE] = str(folder.absolute())
        try:
            yield
        finally:
            if before is None:
                del os.environ[FOLDER_VARIABLE]
            else:
                os.environ[FOLDER_VARIABLE] = before

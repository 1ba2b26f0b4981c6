"""The `files` of a W&B run in its replica: media when their row is there, all else at the end.

A reader that met a file before the row it belongs to would take it for a file of the run.
"""

from __future__ import annotations

import os
from pathlib import Path

from runferry.dialects.protobuf import values
from runferry.live.replicas.beside import bring
from runferry.paths import inside


class RunFiles:
    """Brings files from where the client puts them."""

    def __init__(self, home: Path | None, replica: Path) -> None:
        """`home` is the client's `files`, if that is known."""
        self._home = home
        self._replica = replica
        self._named: list[str] = []  # media since the last values
        self._of_row: list[str] = []  # media of the row that gathers
        self._ready: list[str] = []  # media of rows that are whole

    def listed(self, message: bytes) -> None:
        """A `FilesRecord`: media come before the values that name them."""
        for _, item in values(message):
            path = dict(values(item)).get(1) if isinstance(item, bytes) else None
            if isinstance(path, bytes) and path.startswith(b"media/"):
                self._named.append(path.decode("utf-8", "replace"))

    def valued(self) -> None:
        """The values that name them came."""
        self._of_row += self._named
        self._named = []

    def whole(self) -> None:
        """The row that gathered is whole."""
        self._ready += self._of_row
        self._of_row = []

    def bring(self, *, is_over: bool) -> None:
        """Bring what may be brought: all of it once nobody writes there any more.

        What a run goes on writing (`output.log`) would be another file every time.
        Raises OSError where the replica cannot take it.
        """
        home = self._home
        if home is None or not home.is_dir():
            return
        ready, self._ready = self._ready, []
        for name in ready:
            found = inside(home, name)
            if found is not None:
                bring(found, self._replica / name)
        for folder, _, names in os.walk(home) if is_over else ():
            for name in names:
                path = Path(folder, name)
                if path.is_file():
                    bring(path, self._replica / path.relative_to(home))

"""The reader `clearml`: offline sessions where there is a path, else a server."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import ClassVar, Self, cast

from runferry.dialects.clearml.names import TRACKER
from runferry.errors import NotFound
from runferry.model import Kind
from runferry.paths import Folder, is_local
from runferry.ports import Location, ReadOptions
from runferry.readers.clearml.finding import (
    WITHIN,
    is_session,
    is_session_zip,
    session_around,
    sessions_below,
)
from runferry.readers.clearml.sessions import session_at
from runferry.readers.local_runs import LocalReader, LocalRun


class ClearmlReader(LocalReader):
    """Sessions at or below a place; a location that is no path opens a server."""

    name: ClassVar[str] = TRACKER
    gives: ClassVar[frozenset[Kind]] = frozenset({
        "scalar", "text", "image", "audio", "video", "plot", "html", "file", "other", "config",
        "summary", "environment", "console", "artifact", "raw"
    })  # fmt: skip
    takes: ClassVar[str] = (
        "an offline session (offline-…, or its zip), a folder that has some below it, "
        "or PROJECT, or the address of a server"
    )

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Whether a session lies here or below."""
        if not path.is_dir():
            return session_around(path) is not None or is_session_zip(path)
        return next(sessions_below(path), None) is not None

    @classmethod
    def keeps(cls, folder: Folder) -> Collection[str]:
        """The folders of a session."""
        if not is_session(folder.path.name, folder.names):
            return ()
        return WITHIN & {*folder.names}

    @classmethod
    def open(cls, where: Location, options: ReadOptions) -> Self:
        """Raises NotFound; of a server AuthFailed, BadLocation, Unreachable."""
        if is_local(where.where):
            return super().open(where, options)
        from runferry.readers.clearml.server.reader import ServerReader

        # callers know it by the protocol of readers only, and this is one
        return cast("Self", ServerReader.open(where, options))

    def check(self) -> None:
        """Raises NotFound for a file that is no session."""
        if not self.recognises(self.root):
            hint = f"unzip -l {shlex.quote(str(self.root))}  # a session has task.json at its top"
            raise NotFound("no zip of an offline session", where=str(self.root), hint=hint)

    def look(self) -> Iterator[LocalRun]:
        """See `LocalReader`."""
        for contents in sessions_below(self.root):
            yield session_at(contents)

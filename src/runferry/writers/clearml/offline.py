"""Writes offline sessions: each is made in a private place, and moved into sight whole."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import ClassVar, Self

from runferry.dialects.clearml.names import TRACKER
from runferry.durable import replace_file, sync
from runferry.errors import Conflict
from runferry.model import Run, Uid
from runferry.ports import Limits, Location, RemoteId
from runferry.writers.attempts import AttemptWriter, clear_gone
from runferry.writers.clearml.draft import SessionDraft
from runferry.writers.clearml.limits import LIMITS
from runferry.writers.clearml.sessions import Sessions, is_ours, zip_of
from runferry.writers.disk import disk_errors


class OfflineWriter(AttemptWriter[SessionDraft]):
    """Sessions below a folder, for `Task.import_offline_session`. A run's id there is its mark.

    A run that grew is written anew: an import makes a new task anyway.
    """

    name: ClassVar[str] = TRACKER
    limits: ClassVar[Limits] = LIMITS

    def __init__(self, sessions: Sessions) -> None:
        super().__init__(sessions.root, sessions.hidden)
        self._sessions = sessions

    @classmethod
    def open(cls, where: Location) -> Self:
        """Raises Refused where no folder can be."""
        root = where.path.absolute()
        with disk_errors(root):
            root.mkdir(parents=True, exist_ok=True)
        return cls(Sessions(root))

    def present(self) -> Mapping[Uid, RemoteId] | None:
        """The sessions that have our mark, which is written last, and their zips."""
        return {uid: RemoteId(uid) for uid, _ in self._sessions.complete()}

    def folder(self, remote: RemoteId) -> Path | None:
        """Where a complete session lies."""
        return self._sessions.find(Uid(remote))

    def _begin(self, home: Path, run: Run, uid: Uid) -> SessionDraft:
        return SessionDraft(home, run, uid, self._sessions.place(run, uid))

    def _is_complete(self, uid: Uid) -> bool:
        return self._sessions.find(uid) is not None

    def _tidy(self) -> None:
        clear_gone(self._hidden)
        with suppress(OSError):  # there is none, or others are at work
            self._hidden.rmdir()

    def _publish(self, draft: SessionDraft, run: Run) -> None:
        """Move the session to where it is seen, and then its zip: without that it does not count.

        What it replaces goes away.
        """
        target, replaced = draft.place, None
        if target.exists():
            if not is_ours(target, draft.uid):
                raise Conflict(
                    "something else stands where this run should go",
                    where=str(target),
                    hint="move it away, then run the command again",
                )
            replaced = self._out_of_sight()
            target.rename(replaced)
        draft.session.rename(target)
        replace_file(draft.zip, zip_of(target))
        sync([self._root, self._hidden])
        self._sessions.settled(draft.uid, target)
        shutil.rmtree(draft.home, ignore_errors=True)
        if replaced is not None:
            shutil.rmtree(replaced, ignore_errors=True)

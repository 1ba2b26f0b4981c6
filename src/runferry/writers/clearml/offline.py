"""Writes offline sessions: each is made in a private place, and moved into sight whole."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from runferry.dialects.clearml.names import TRACKER
from runferry.durable import replace_file, sync
from runferry.model import Run, Uid
from runferry.ports import Limits, RemoteId
from runferry.writers.clearml.draft import SessionDraft
from runferry.writers.clearml.limits import LIMITS
from runferry.writers.clearml.sessions import Sessions, is_ours, zip_of
from runferry.writers.offline_folders import OfflineFoldersWriter
from runferry.writers.room import room_at


class OfflineWriter(OfflineFoldersWriter[SessionDraft, Sessions]):
    """Sessions below a folder, for `Task.import_offline_session`. A run's id there is its mark.

    A run that grew is written anew: an import makes a new task anyway.
    """

    name: ClassVar[str] = TRACKER
    limits: ClassVar[Limits] = LIMITS

    @classmethod
    def _below(cls, root: Path) -> Sessions:
        return Sessions(root)

    def present(self) -> Mapping[Uid, RemoteId] | None:
        """The sessions that have our mark, which is written last, and their zips."""
        return {uid: RemoteId(uid) for uid, _ in self._folders.complete()}

    def _begin(self, home: Path, run: Run, uid: Uid) -> SessionDraft:
        return SessionDraft(home, run, uid, self._folders.place(run, uid))

    def _publish(self, draft: SessionDraft, run: Run) -> None:
        """Move the session to where it is seen, and then its zip: without that it does not count.

        What it replaces goes away.
        """
        target = draft.place
        with room_at(target, self._out_of_sight(), lambda there: is_ours(there, draft.uid)):
            draft.session.rename(target)
            replace_file(draft.zip, zip_of(target))
            sync([self._root, self._hidden])
            self._folders.settled(draft.uid, target)
            shutil.rmtree(draft.home, ignore_errors=True)

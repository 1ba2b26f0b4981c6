"""Writes offline run folders: each is made in a private place, and moved into sight whole."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from runferry.dialects.wandb.own_files import uid_of
from runferry.model import Run, Uid
from runferry.ports import Limits, RemoteId
from runferry.writers.offline_folders import OfflineFoldersWriter
from runferry.writers.room import room_at
from runferry.writers.wandb.draft import Draft
from runferry.writers.wandb.folders import RunFolders
from runferry.writers.wandb.limits import LIMITS


class OfflineWriter(OfflineFoldersWriter[Draft, RunFolders]):
    """Run folders below a folder, for `wandb sync` and `wandb leet`. A run's id there is its mark.

    A run that grew is written anew: `wandb sync` reads a log from its beginning anyway.
    """

    name: ClassVar[str] = "wandb"
    limits: ClassVar[Limits] = LIMITS

    @classmethod
    def _below(cls, root: Path) -> RunFolders:
        return RunFolders(root)

    def present(self) -> Mapping[Uid, RemoteId] | None:
        """The folders that have our mark, which is written last."""
        return {uid: RemoteId(uid) for uid in self._folders.complete()}

    def _begin(self, home: Path, run: Run, uid: Uid) -> Draft:
        return Draft(home, self._folders.place(run, uid), run, uid)

    def _publish(self, draft: Draft, run: Run) -> None:
        """Move a complete run to where it is seen, and what it replaces away.

        Marks of an upload (`*.wandb.synced`) go with the old log: what is new is not uploaded yet.
        """
        target = draft.place.folder
        with room_at(target, self._out_of_sight(), lambda there: uid_of(there) == draft.uid):
            self._move(draft.home, target)
            self._folders.settled(draft.uid, target)

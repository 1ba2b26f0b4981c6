"""Writes offline run folders: each is made in a private place, and moved into sight whole."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import ClassVar, Self

from runferry.dialects.wandb.own_files import uid_of
from runferry.model import Run, Uid
from runferry.ports import Limits, Location, RemoteId
from runferry.writers.attempts import AttemptWriter, clear_gone
from runferry.writers.disk import disk_errors
from runferry.writers.wandb.draft import Draft
from runferry.writers.wandb.folders import RunFolders
from runferry.writers.wandb.limits import LIMITS


class OfflineWriter(AttemptWriter[Draft]):
    """Run folders below a folder, for `wandb sync` and `wandb leet`. A run's id there is its mark.

    A run that grew is written anew: `wandb sync` reads a log from its beginning anyway.
    """

    name: ClassVar[str] = "wandb"
    limits: ClassVar[Limits] = LIMITS

    def __init__(self, folders: RunFolders) -> None:
        super().__init__(folders.root, folders.hidden)
        self._folders = folders

    @classmethod
    def open(cls, where: Location) -> Self:
        """Raises Refused where no folder can be."""
        root = where.path.absolute()
        with disk_errors(root):
            root.mkdir(parents=True, exist_ok=True)
        return cls(RunFolders(root))

    def present(self) -> Mapping[Uid, RemoteId] | None:
        """The folders that have our mark, which is written last."""
        return {uid: RemoteId(uid) for uid in self._folders.complete()}

    def folder(self, remote: RemoteId) -> Path | None:
        """Where a complete run lies."""
        return self._folders.find(Uid(remote))

    def _begin(self, home: Path, run: Run, uid: Uid) -> Draft:
        return Draft(home, self._folders.place(run, uid), run, uid)

    def _is_complete(self, uid: Uid) -> bool:
        return self._folders.find(uid) is not None

    def _tidy(self) -> None:
        clear_gone(self._hidden)
        with suppress(OSError):  # there is none, or others are at work
            self._hidden.rmdir()

    def _publish(self, draft: Draft, run: Run) -> None:
        """Move a complete run to where it is seen, and what it replaces away.

        Marks of an upload (`*.wandb.synced`) go with the old log: what is new is not uploaded yet.
        """
        self._put_in_place(draft, draft.place.folder, uid_of)
        self._folders.settled(draft.uid, draft.place.folder)

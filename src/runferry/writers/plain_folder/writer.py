"""The writer of plain files, but for the form: private folders that are moved into sight whole."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import ClassVar, Self

from runferry.dialects.plain_folder.folders import Folders
from runferry.dialects.plain_folder.forms import Form
from runferry.dialects.plain_folder.layout import (
    HIDDEN,
    MARK,
    RUNS,
    form_of,
    mark_text,
)
from runferry.dialects.plain_folder.run_file import read_run_file
from runferry.durable import sync, write_atomically
from runferry.errors import Damaged, Refused
from runferry.losses import Fate
from runferry.model import Run, Uid
from runferry.ports import Limits, Location, RemoteId
from runferry.writers.attempts import AttemptWriter
from runferry.writers.disk import disk_errors
from runferry.writers.plain_folder import index
from runferry.writers.plain_folder.draft import Draft
from runferry.writers.plain_folder.kinds import KINDS
from runferry.writers.plain_folder.leftovers import clear_leftovers
from runferry.writers.room import room_at


class PlainFolderWriter(AttemptWriter[Draft]):
    """Puts runs into a folder, which holds everything. A run's id there is its mark."""

    form: ClassVar[Form]
    limits: ClassVar[Limits] = Limits(holds=dict.fromkeys(KINDS, Fate.KEPT), resend="atomic")
    is_beside: ClassVar[bool] = False
    """Whether runs are kept here as exact copies, beside what others read of them: without the
    tables for people, which follow from the others."""

    def __init__(self, root: Path) -> None:
        super().__init__(root, root / HIDDEN)
        self._folders = Folders(root)

    @classmethod
    def open(cls, where: Location) -> Self:
        """Raises Refused for a folder with other things in it, UnknownVersion for a later one's."""
        root = where.path
        with disk_errors(root):
            root.mkdir(parents=True, exist_ok=True)
            form = form_of(root)
            if form is None:
                _refuse_strangers(root, cls.name)
                (root / HIDDEN).mkdir(exist_ok=True)
                (root / RUNS).mkdir(exist_ok=True)
                mark = mark_text(cls.marked_as()).encode()
                write_atomically(root / MARK, mark, scratch=secrets.token_hex(6))
                sync([root.absolute().parent])
            elif form != cls.marked_as():
                raise Refused(
                    f"this folder holds runs as {form}, not as {cls.marked_as()}",
                    where=str(root),
                    hint=f"name another folder, or write {form}:{root}",
                )
        return cls(root)

    @classmethod
    def marked_as(cls) -> str:
        """What the folder's mark says that it is."""
        return cls.form.name

    def present(self) -> Mapping[Uid, RemoteId] | None:
        """The runs whose run.json is there."""
        found: dict[Uid, RemoteId] = {}
        for folder in self._folders.complete():
            with suppress(Damaged, FileNotFoundError):  # then it is sent again
                uid = read_run_file(folder).uid
                found[uid] = RemoteId(uid)
        return found

    def _begin(self, home: Path, run: Run, uid: Uid) -> Draft:
        return Draft(home, self.form, run, uid, is_beside=self.is_beside)

    def _is_complete(self, uid: Uid) -> bool:
        return self._folders.find(uid) is not None

    def _complete(self, draft: Draft, run: Run) -> None:
        draft.settle()
        self.show(draft, run)
        draft.complete(run)

    def show(self, draft: Draft, run: Run) -> None:
        """Make what others are to see of a run, before it counts as complete."""

    def _tidy(self) -> None:
        """Bring the index of the runs up to date."""
        clear_leftovers(self._root)
        if not self.is_beside:
            index.refresh(self._root, self.form, secrets.token_hex(6))

    def _publish(self, draft: Draft, run: Run) -> None:
        """Move a complete run to where it is seen, and what it replaces away."""
        home = self._folders.home(run, draft.uid)
        with room_at(home, self._out_of_sight(), lambda it: read_run_file(it).uid == draft.uid):
            self._move(draft.home, home)
            self._folders.settled(home)


def _refuse_strangers(root: Path, name: str) -> None:
    """A folder of somebody else's stays as it is; what we had begun to make there is ours."""
    ours = (MARK, HIDDEN, RUNS, f".{MARK}")
    stranger = next((p.name for p in root.iterdir() if not p.name.startswith(ours)), None)
    if stranger is not None or any((root / RUNS).glob("*")):
        raise Refused(
            "this folder holds other things",
            where=str(root),
            hint=f"name a folder that does not exist yet: {name}:{root}/runs",
        )

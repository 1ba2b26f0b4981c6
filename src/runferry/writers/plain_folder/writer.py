"""The writer of plain files, but for the form: private folders that are moved into sight whole."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, Final, Self, get_args

from runferry.chunks import Chunk
from runferry.dialects.plain_folder.folders import Folders
from runferry.dialects.plain_folder.forms import Form
from runferry.dialects.plain_folder.layout import (
    HIDDEN,
    MARK,
    RUNS,
    form_of,
    is_uid,
    mark_text,
)
from runferry.dialects.plain_folder.run_file import read_run_file
from runferry.durable import sync, write_atomically
from runferry.errors import Conflict, Damaged, Refused, RunMissing
from runferry.losses import Fate, Loss
from runferry.model import MediaType, Run, Uid
from runferry.ports import Limits, Location, Progress, RemoteId
from runferry.writers.disk import disk_errors
from runferry.writers.plain_folder import index
from runferry.writers.plain_folder.draft import Draft
from runferry.writers.plain_folder.leftovers import CLAIM, GONE, clear_leftovers

_KINDS: Final = (
    "scalar", "text", "histogram", *get_args(MediaType), "config", "summary", "environment",
    "other", "console", "file", "artifact", "document", "raw",
)  # fmt: skip


class PlainFolderWriter:
    """Puts runs into a folder, which holds everything. A run's id there is its mark.

    A run that is there already is written anew and takes its place: a push that was broken off
    leaves nothing behind that could be taken for a run.
    """

    name: ClassVar[str]
    form: ClassVar[Form]
    limits: ClassVar[Limits] = Limits(holds=dict.fromkeys(_KINDS, Fate.KEPT), resend="atomic")
    has_tables_for_people: ClassVar[bool] = True
    """`history`, `system` and `runs`, which follow from the others."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._folders = Folders(root)
        self._drafts: dict[str, Draft] = {}
        self._told: dict[RemoteId, tuple[Loss, ...]] = {}
        self._is_open = True

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

    def find(self, uid: Uid) -> RemoteId | None:
        """The run that carries this mark, complete or begun."""
        if self._attempts(uid) or self._folders.find(uid) is not None:
            return RemoteId(uid)
        return None

    def present(self) -> Mapping[Uid, RemoteId] | None:
        """The runs whose run.json is there."""
        found: dict[Uid, RemoteId] = {}
        for folder in self._folders.complete():
            with suppress(Damaged, FileNotFoundError):  # then it is sent again
                uid = read_run_file(folder).uid
                found[uid] = RemoteId(uid)
        return found

    def create(self, run: Run, uid: Uid) -> RemoteId:
        """Begin a run in a folder of its own; other attempts are left alone."""
        if run.uid != uid and run.origin_uid is None:
            run = replace(run, origin_uid=uid)
        self._forget(uid)
        home = self._folders.attempts(uid) / secrets.token_hex(6)
        with disk_errors(self._root):
            self._drafts[uid] = Draft(
                home, self.form, run, uid, has_wide_tables=self.has_tables_for_people
            )
        return RemoteId(uid)

    def claim(self, remote: RemoteId, words: str) -> None:
        """A file beside the attempts; a complete run needs none."""
        if self._attempts(remote):
            with disk_errors(self._root):
                (self._folders.attempts(Uid(remote)) / CLAIM).write_text(words)

    def stored(self, remote: RemoteId) -> Progress | None:
        """Whether it is complete; raises RunMissing."""
        if self._attempts(remote):
            claim = self._folders.attempts(Uid(remote)) / CLAIM
            words = claim.read_text() if claim.is_file() else None
            return Progress(claim=words)
        if self._folders.find(Uid(remote)) is None:
            raise self._missing(remote)
        return Progress(is_sealed=True)

    def append(self, remote: RemoteId, number: int, chunk: Chunk) -> None:
        """Add to what this writer has begun: whatever is broken off is begun anew."""
        with self._at_work(remote) as draft:
            draft.put(chunk)

    def seal(self, remote: RemoteId, run: Run) -> None:
        """Complete the run and move it to its place; harmless when repeated."""
        if remote not in self._drafts and not self._attempts(remote):
            self.stored(remote)
            return
        with self._at_work(remote) as draft:
            draft.settle()
            self.show(draft, run)
            draft.complete(run)
            self._publish(draft, run)
        self._told[remote] = tuple(draft.told)
        del self._drafts[remote]
        self._clear(Uid(remote))

    def show(self, draft: Draft, run: Run) -> None:
        """Make what others are to see of a run, before it counts as complete."""

    def losses(self, remote: RemoteId) -> tuple[Loss, ...]:
        """Which tables for people were not made; nothing of the run is missing."""
        return self._told.get(remote, ())

    def discard(self, remote: RemoteId) -> None:
        """Remove what was begun; a complete run stays."""
        self._forget(remote)
        if is_uid(remote):
            with disk_errors(self._root):
                self._clear(Uid(remote))

    def close(self) -> None:
        """Give up what was begun, and bring the index of the runs up to date."""
        if not self._is_open:
            return
        self._is_open = False
        for remote, draft in list(self._drafts.items()):
            self._forget(remote)
            shutil.rmtree(draft.home, ignore_errors=True)
            with suppress(OSError):  # others are at it
                draft.home.parent.rmdir()
        if self._root.is_dir():
            with disk_errors(self._root):
                clear_leftovers(self._root)
                if self.has_tables_for_people:
                    index.refresh(self._root, self.form, secrets.token_hex(6))

    # --- attempts ---------------------------------------------------------------------------------

    def _attempts(self, remote: str) -> list[Path]:
        """The folders in which this run is being written, or was until it was broken off."""
        if not is_uid(remote):
            return []
        try:
            found = list(self._folders.attempts(Uid(remote)).iterdir())
        except FileNotFoundError:
            return []
        return [path for path in found if path.name != CLAIM]

    @contextmanager
    def _at_work(self, remote: RemoteId) -> Iterator[Draft]:
        """The draft of this run. Raises RunMissing when somebody took it away."""
        draft = self._drafts.get(remote)
        if draft is None:
            raise self._missing(remote)
        try:
            with disk_errors(self._root):
                yield draft
        except Refused as error:
            if not draft.is_there:
                raise self._missing(remote) from error
            raise

    def _missing(self, remote: str) -> RunMissing:
        return RunMissing(
            f"no run {remote[:80]} is here, or another push has taken it over",
            where=str(self._root),
            hint="run the command again",
        )

    def _forget(self, remote: str) -> None:
        draft = self._drafts.pop(remote, None)
        if draft is not None:
            draft.close()

    def _clear(self, uid: Uid) -> None:
        """Take all attempts away, each out of sight in one step."""
        attempts = self._folders.attempts(uid)
        for path in self._attempts(uid):
            self._remove(path)
        (attempts / CLAIM).unlink(missing_ok=True)
        with suppress(OSError):  # it is not there, or others are at it
            attempts.rmdir()

    def _remove(self, folder: Path) -> None:
        gone = self._root / HIDDEN / f"{GONE}{secrets.token_hex(6)}"
        with suppress(FileNotFoundError):
            folder.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)

    def _publish(self, draft: Draft, run: Run) -> None:
        """Move a complete run to where it is seen, and what it replaces away."""
        home = self._folders.home(run, draft.uid)
        replaced = None
        if home.exists():
            if read_run_file(home).uid != draft.uid:
                raise Conflict(
                    "something else stands where this run should go",
                    where=str(home),
                    hint="move it away, then run the command again",
                )
            replaced = self._root / HIDDEN / f"{GONE}{secrets.token_hex(6)}"
            home.rename(replaced)
        draft.home.rename(home)
        sync([home.parent, self._root / HIDDEN])
        with suppress(FileNotFoundError):  # empty by now, and perhaps cleared up by another
            sync([draft.home.parent])
        self._folders.settled(home)
        if replaced is not None:
            shutil.rmtree(replaced, ignore_errors=True)


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

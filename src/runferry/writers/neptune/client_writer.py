"""The writer that hands runs to the vendor's client: to a server, or into its offline queue.

A run is staged on this disk, and sent when it is sealed. What an earlier sending of it left on the
server, which was broken off, is taken away first, so nothing is there twice.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import ClassVar, Final, Self

from runferry import settings
from runferry.dialects.neptune import client as vendor
from runferry.dialects.neptune.attribute_paths import CLAIM, UID
from runferry.dialects.neptune.client import RemoteRun
from runferry.dialects.neptune.own_store import STORE, STORE_MARK, offline_store
from runferry.dialects.neptune.places import ServerPlace
from runferry.dialects.plain_folder.forms import Form
from runferry.dialects.plain_folder.parquet_form import ParquetForm
from runferry.errors import Conflict
from runferry.losses import Fate, Loss
from runferry.model import Run, Uid
from runferry.ports import Limits, Location, Progress, RemoteId
from runferry.settings import NeptuneMode
from runferry.writers.disk import disk_errors
from runferry.writers.neptune.client_run import ClientRun
from runferry.writers.neptune.client_standing import owner_of
from runferry.writers.neptune.limits import LIMITS
from runferry.writers.neptune.projects import SHARED_PROJECTS, Found, Projects, project_of
from runferry.writers.neptune.queued import (
    note_queue,
    queue_of,
    queues,
    take_back,
    tell_what_was_sent,
    was_sent,
)
from runferry.writers.plain_folder import PlainFolderWriter
from runferry.writers.plain_folder.draft import Draft
from runferry.writers.work_folder import WorkFolder

_UPLOADS: Final = "uploads"
_LONGEST_ID: Final = 36
"""Characters of a custom_run_id; the client ignores longer ones."""


class ClientWriter(PlainFolderWriter):
    """Sends runs to a project of a server."""

    name: ClassVar[str] = "neptune"
    form: ClassVar[Form] = ParquetForm()
    limits: ClassVar[Limits] = LIMITS
    is_beside: ClassVar[bool] = True

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self._mode: NeptuneMode = settings.current().neptune_mode
        self._neptune = vendor.client()
        self._place = ServerPlace("")
        self._work: WorkFolder | None = None  # where runs are staged for a server
        self._projects: Projects | None = None  # on a server that can be asked
        self._remotes: dict[Uid, RemoteRun] = {}
        self._run_ids: dict[Uid, str] = {}  # as they are there
        self._losses: dict[RemoteId, tuple[Loss, ...]] = {}

    @classmethod
    def open(cls, where: Location) -> Self:
        """Raises BadLocation, MissingExtra."""
        place = ServerPlace.of(where.where)
        vendor.client()
        if settings.current().neptune_mode == "offline":
            work, root = None, offline_store(place)
        else:
            work = WorkFolder.made(cls.name)
            root = work.path / STORE
        writer = super().open(Location(where.tracker, str(root)))
        writer._work = work
        writer._place = place
        if writer._mode in ("async", "sync"):
            writer._projects = SHARED_PROJECTS.enter(writer._neptune, place)
        return writer

    @classmethod
    def marked_as(cls) -> str:
        """No source by itself."""
        return STORE_MARK

    def find(self, uid: Uid) -> RemoteId | None:
        """The run that carries this mark, on the server where there is one."""
        found = super().find(uid)
        if found is None and self._projects is not None and uid in self._projects.runs():
            return RemoteId(uid)
        return found

    def present(self) -> Mapping[Uid, RemoteId] | None:
        """The sealed runs of ours."""
        if self._projects is None:
            tell_what_was_sent(self._folders.complete())
            return super().present()
        found = self._projects.runs().items()
        return {uid: RemoteId(uid) for uid, run in found if run.is_sealed}

    def stored(self, remote: RemoteId) -> Progress | None:
        """Whether it is complete, and who is sending it; raises RunMissing."""
        if self._projects is None:
            return super().stored(remote)
        draft = self._drafts.get(remote)
        project = None if draft is None else project_of(self._place, draft.run)
        found = self._projects.look(Uid(remote), project)
        if found is not None:
            return Progress(is_sealed=found.is_sealed, claim=found.claim)
        if draft is None:
            raise self._missing(remote)
        return Progress()

    def claim(self, remote: RemoteId, words: str) -> None:
        """On a server an attribute of the run, which is made for it."""
        draft = self._drafts.get(remote)
        if self._projects is None or draft is None:
            super().claim(remote, words)
            return
        with disk_errors(self._root), vendor.in_our_words(f"neptune ({draft.run.key})"):
            opened = self._remote(draft, draft.run)
            opened[UID].assign(draft.uid)
            opened[CLAIM].assign(words)
            opened.wait()
        project = project_of(self._place, draft.run)
        run_id = self._run_ids[draft.uid]
        self._projects.note(draft.uid, Found(project, False, claim=words, run_id=run_id))

    # --- sending

    def show(self, draft: Draft, run: Run) -> None:
        """Send it."""
        uploads = self._root / _UPLOADS / f"{draft.uid}-{draft.home.name}"
        shutil.rmtree(uploads, ignore_errors=True)  # of a try that the server did not answer
        remote = self._remote(draft, run)
        run_id = self._run_ids[draft.uid]
        sending = ClientRun(draft, run, run_id, uploads)
        try:
            with vendor.in_our_words(f"neptune ({run.key})"):
                sending.send(remote, self._mode)
            self._stop(draft.uid)
            if self._projects is not None:
                there = Found(project_of(self._place, run), is_sealed=True, run_id=run_id)
                self._projects.note(draft.uid, there)
            if self._mode == "offline":
                self._enqueue(draft, project_of(self._place, run), run_id)
            else:
                shutil.rmtree(uploads, ignore_errors=True)
        finally:
            self._give_up(draft.uid)
            shutil.rmtree(_queue_of(draft), ignore_errors=True)
        told = list(sending.losses())
        if run_id != run.key.run_id or self._mode == "offline":
            told.append(_renamed(run_id, self._mode))
        self._losses[RemoteId(draft.uid)] = tuple(told)

    def _remote(self, draft: Draft, run: Run) -> RemoteRun:
        """The run, open; on a server it is there from now on. Raises Conflict."""
        opened = self._remotes.get(draft.uid)
        if opened is None:
            opened = self._remotes[draft.uid] = self._opened(draft, run)
        return opened

    def _opened(self, draft: Draft, run: Run) -> RemoteRun:
        """Under the run's own id, unless another run of ours has that in this project."""
        uid, stated, project = draft.uid, run.key.run_id, project_of(self._place, run)
        run_id = stated if len(stated) <= _LONGEST_ID else uid
        if self._projects is None:
            self._run_ids[uid] = run_id
            return vendor.open_run(self._neptune, self._mode, project, run_id, _queue_of(draft))
        self._projects.make(project, run)
        known = self._projects.runs().get(uid)
        beside = f"{stated[: _LONGEST_ID - 9]}~{uid[:8]}"
        if known is not None and known.project == project and known.run_id is not None:
            run_id = known.run_id
        for wanted in dict.fromkeys((run_id, beside)):
            if self._projects.reserve(project, wanted, uid) != uid:
                continue
            opened = vendor.open_run(
                self._neptune, self._mode, project, wanted, self._projects.queues
            )
            self._run_ids[uid] = wanted
            self._remotes[uid] = opened
            try:
                if owner_of(opened, run) in (None, uid):
                    return opened
            except Conflict:
                self._give_up(uid)
                raise
            self._give_up(uid)
        raise Conflict(
            f"the ids {run_id} and {beside} are those of other runs",
            where=f"neptune ({run.key})",
            hint="rename them in Neptune, or name another project",
        )

    def _stop(self, uid: Uid) -> None:
        """Wait until the run has all that was sent."""
        opened = self._remotes.pop(uid, None)
        if opened is not None:
            with vendor.in_our_words(f"neptune:{self._place}"):
                opened.stop()

    def _give_up(self, uid: Uid) -> None:
        """Wait for nothing: of a queue that a full disk cut, the client would wait for ever."""
        opened = self._remotes.pop(uid, None)
        if opened is not None:
            with vendor.in_our_words(f"neptune:{self._place}"), suppress(OSError):
                opened.stop(seconds=0)

    def discard(self, remote: RemoteId) -> None:
        """Remove what was staged; what is on a server is cleared by the next sending."""
        self._give_up(Uid(remote))
        super().discard(remote)

    def _enqueue(self, draft: Draft, project: str, run_id: str) -> None:
        """Put the queue where `neptune sync` finds it, in place of the one of an older sending."""
        home = queues()
        home.mkdir(parents=True, exist_ok=True)
        (made,) = (_queue_of(draft) / home.name).iterdir()
        self._take_back(draft.uid, project)
        note_queue(draft.home, made.name, project, run_id)
        made.rename(home / made.name)
        for older in (self._root / _UPLOADS).glob(f"{draft.uid}-*"):
            if not older.name.endswith(draft.home.name):
                shutil.rmtree(older, ignore_errors=True)

    def _remove(self, folder: Path) -> None:
        """With the queue of an attempt that was killed when that was in sight already.

        Raises Refused where that cannot be removed: it would be sent a second time.
        """
        queued = queue_of(folder)
        if queued is not None and folder.is_relative_to(self._hidden):
            with disk_errors(queued), suppress(FileNotFoundError):
                shutil.rmtree(queued)
        super()._remove(folder)

    def _take_back(self, uid: Uid, project: str) -> None:
        """Remove the queue of an older sending. Raises Conflict when it was sent."""
        older = self._folders.find(uid)
        if older is None:
            return
        if was_sent(older):
            raise Conflict(
                "this run was queued before, and its queue is gone: `neptune sync` sent it, and"
                " would make a second run",
                where=str(queue_of(older)),
                hint=f"RUNFERRY_NEPTUNE_MODE=async runferry push ARCHIVE neptune:{project}",
            )
        take_back(older)

    def losses(self, remote: RemoteId) -> tuple[Loss, ...]:
        """What is shown otherwise there than it was."""
        return self._losses.get(remote, ())

    def close(self) -> None:
        """Give up what was begun; what was staged for a server goes."""
        with ExitStack() as last:  # backwards, and all of it whatever the server says
            if self._work is not None:
                last.callback(self._work.remove)
            last.callback(super().close)
            if self._projects is not None:
                self._projects = None
                last.callback(SHARED_PROJECTS.leave, self._place)
            for uid in list(self._remotes):
                last.callback(self._give_up, uid)


def _queue_of(draft: Draft) -> Path:
    """Where the client keeps what is for no server now: of an attempt that was killed, nobody sends
    the rest."""
    return draft.home.parent / f".queue-{draft.home.name}"


def _renamed(run_id: str, mode: NeptuneMode) -> Loss:
    if mode == "offline":
        detail = "`neptune sync` gives it an id of its own; runferry/run_id has this one"
        return Loss("run-id", Fate.RENAMED, "", 1, detail)
    return Loss("run-id", Fate.RENAMED, "", 1, f"as {run_id}")

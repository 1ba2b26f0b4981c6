"""Writes runs into a ClearML server: authored in a working folder, then imported by the vendor."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import ClassVar, Final, Self

from runferry.dialects.clearml.account import account
from runferry.dialects.clearml.addresses import parsed
from runferry.dialects.clearml.names import MARK, SAMPLE, TASK_FILE, Task
from runferry.dialects.clearml.service import Service
from runferry.dialects.plain_folder.layout import is_uid
from runferry.errors import BadLocation, Declined, NotFound
from runferry.model import Run, Uid
from runferry.ports import Limits, Location, RemoteId
from runferry.writers.clearml.draft import SessionDraft
from runferry.writers.clearml.importing import check_for_vendor, import_session
from runferry.writers.clearml.limits import SERVER_LIMITS
from runferry.writers.clearml.offline import OfflineWriter
from runferry.writers.clearml.sessions import Sessions
from runferry.writers.clearml.task_json import project_of
from runferry.writers.disk import disk_errors
from runferry.writers.work_folder import WorkFolder

SEALED: Final = "runferry-sealed"
"""The system tag of a task of which all has arrived."""


class ServiceWriter(OfflineWriter):
    """Puts runs into one project, or each into its own. A run's id here is its mark.

    It is a system tag of the task. A run that grew is imported anew, and the task before it goes.
    """

    limits: ClassVar[Limits] = SERVER_LIMITS

    def __init__(self, service: Service, project: str | None, home: WorkFolder) -> None:
        super().__init__(Sessions(home.path))
        self._work = home
        self._service = service
        self._project = project
        self._project_ids: dict[str, str] = {}

    @classmethod
    def open(cls, where: Location) -> Self:
        """Raises AuthFailed, BadLocation, BadSetting, MissingExtra, NotFound, Unreachable."""
        address = parsed(where.where)
        if address.task_id is not None:
            raise BadLocation(
                "runs are imported into a project, not into a task",
                where=str(where),
                hint="clearml:PROJECT, or clearml:./FOLDER for offline sessions",
            )
        check_for_vendor()
        service = Service(account(address.origin))
        project = address.project
        if address.project_id is not None:
            found = service.ask("projects.get_by_id", project=address.project_id)
            project = str(found["project"]["name"])
        return cls(service, project, WorkFolder.made(cls.name))

    def present(self) -> Mapping[Uid, RemoteId] | None:
        """The tasks that carry a mark, and of which all has arrived."""
        marked = ((_uid_of(task), task) for task in self._tasks())
        return {
            uid: RemoteId(uid)
            for uid, task in marked
            if uid is not None and self._is_all_there(task)
        }

    def close(self) -> None:
        """Let go of the connection, and of what was authored."""
        super().close()
        self._service.close()
        self._work.remove()

    def _begin(self, home: Path, run: Run, uid: Uid) -> SessionDraft:
        place = self._folders.place(run, uid)
        return SessionDraft(home, run, uid, place, project=self._project, is_for_server=True)

    def _is_complete(self, uid: Uid) -> bool:
        return any(map(self._is_all_there, self._of(uid)))

    def _is_all_there(self, task: Task) -> bool:
        """Whether all that was sent of a run has arrived in this task of it."""
        return SEALED in task["system_tags"]

    def _publish(self, draft: SessionDraft, run: Run) -> None:
        """Import, look whether all is there, and take away what it replaces."""
        before = [str(task["id"]) for task in self._of(draft.uid)]
        target = draft.place
        with disk_errors(self._root):
            shutil.rmtree(target, ignore_errors=True)
            draft.session.rename(target)
        self._project_made(self._project or project_of(run))  # a taken name would end an import
        task = import_session(target, self._service.account, self._root)
        self._check(task, target, draft)
        tags = [f"{MARK}{draft.uid}", SEALED]
        self._service.ask("tasks.edit", task=task, system_tags=tags, force=True)
        for old in before:
            self._service.ask("tasks.delete", task=old, force=True)
        with disk_errors(self._root):
            shutil.rmtree(target)
            shutil.rmtree(draft.home, ignore_errors=True)

    # --- what is there

    def _check(self, task: str, session: Path, draft: SessionDraft) -> None:
        """The vendor's importer only logs what the server refused. Raises Declined."""
        wrong = [
            f"{there:,} of {fewest:,} events of type {kind}"
            for kind, (fewest, _) in draft.events.items()
            if (there := self._service.count(task, kind)) < fewest
        ]
        gone = sum(not self._arrived(*one) for one in self._uploads(task, session, draft))
        if gone:
            wrong.append(f"{gone:,} files fewer than were sent")
        if wrong:
            raise Declined(
                f"the server has {', '.join(wrong)}",
                where=f"{self._service.where}: task {task}",
                hint="look at the server's log, and run the command again: it begins anew",
            )

    def _uploads(
        self, task: str, session: Path, draft: SessionDraft
    ) -> Iterator[tuple[str, int | None]]:
        """URLs of what was uploaded, with sizes where they are known."""
        sent = json.loads((session / TASK_FILE).read_bytes())["execution"]["artifacts"]
        found = self._service.ask("tasks.get_by_id", task=task)["task"]
        there = {it["key"]: it for it in (found.get("execution") or {}).get("artifacts") or []}
        for item in sent:
            yield str(there.get(item["key"], {}).get("uri") or ""), item["content_size"]
        if SAMPLE in draft.events:
            for event in self._service.events(task, SAMPLE):
                yield str(event.get("url") or ""), None

    def _arrived(self, url: str, size: int | None) -> bool:
        """Whether a file is there; what lies on other servers than ClearML's is not asked for."""
        if url and not self._service.is_ours(url):
            return "://" in url
        found = self._service.size_of(url) if url else None
        return found is not None and size in (None, found)

    def _of(self, uid: Uid) -> list[Task]:
        """The tasks that carry a mark: more than one where an import was broken off."""
        return list(self._tasks(system_tags=[f"{MARK}{uid}"]))

    def _tasks(self, **asked: object) -> Iterator[Task]:
        if self._project is not None:
            project = self._project_id(self._project)
            if project is None:
                return
            asked["project"] = [project]
        fields = ["id", "system_tags", "status"]
        for task in self._service.pages(
            "tasks.get_all", "tasks", only_fields=fields, order_by=["id"], **asked
        ):
            yield task | {"system_tags": task.get("system_tags") or []}

    def _project_id(self, name: str) -> str | None:
        """None for a project that does not exist yet."""
        if name not in self._project_ids:
            found = self._service.pages("projects.get_all", "projects", only_fields=["id", "name"])
            with suppress(NotFound):
                self._project_ids |= {str(one.get("name")): str(one["id"]) for one in found}
        return self._project_ids.get(name)

    def _project_made(self, name: str) -> str:
        """The id of a project, which is made where there is none. Raises Declined.

        Another worker may meet the same new project: the server takes a name once.
        """
        known = self._project_id(name)
        if known is not None:
            return known
        try:
            return str(self._service.ask("projects.create", name=name, description="")["id"])
        except Declined:
            known = self._project_id(name)
            if known is None:
                raise
            return known


def _uid_of(task: Task) -> Uid | None:
    words = (str(tag).removeprefix(MARK) for tag in task["system_tags"])
    return next((Uid(word) for word in words if is_uid(word)), None)

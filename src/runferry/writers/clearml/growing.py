"""Writes runs into a ClearML server while they grow: each delivery sends what came since.

The vendor's importer makes a new task each time, also where it is told to go on with one, and marks
it completed (clearml 2.1). Its logger gives what it reports the time of the call. But the API takes
events with times of their own, which is what the importer sends, too. So a run is authored anew
each time, in the order in which its rows came, and the events behind those that the task has go
there. The server identifies an event by task, title, series, iteration and the key of its file
(`EventBLL._get_event_id` of clearml-server 2.2): one that is sent again takes its own place. Lines
have no such name; they are counted before more of them are sent.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, Self

from runferry.dialects.clearml.names import DATA, MARK, TASK_FILE, Task
from runferry.errors import Declined
from runferry.model import Run, Uid
from runferry.ports import Location
from runferry.writers.clearml.draft import SessionDraft
from runferry.writers.clearml.growing_task import RUNNING, GrowingTask
from runferry.writers.clearml.grown import Counts, GrowingEvents, Grown
from runferry.writers.clearml.service import SEALED, ServiceWriter
from runferry.writers.clearml.task_json import name_of, project_of, type_of

_ENDINGS: Final = {"failed": "tasks.failed", "killed": "tasks.stopped"}
_NO_END: Final = "the run never said that it ended"


class GrowingWriter(ServiceWriter):
    """Puts runs into a project before they have ended, and again with what came since.

    Our own copy, from which a run is read back exactly, comes when nothing more does.
    """

    _is_ending = False

    @classmethod
    def open_growing(cls, where: Location, *, is_ending: bool) -> Self:
        """Raises what `open` raises."""
        writer = cls.open(where)
        writer._is_ending = is_ending
        return writer

    @classmethod
    def conclude(cls, where: Location, runs: Sequence[Run]) -> None:
        """They count as aborted; `tasks.stopped` is what ClearML calls that.

        Raises what asking the server raises.
        """
        writer = cls.open(where)
        try:
            for run in runs:
                for task in writer._growing(run.origin_uid or run.uid):
                    if task.get("status") == RUNNING:
                        there = GrowingTask(writer._service, writer._root, str(task["id"]))
                        there.end("tasks.stopped", _NO_END)
        finally:
            writer.close()

    def _is_all_there(self, task: Task) -> bool:
        """At the end with our own copy; until then, whether a delivery has ended well."""
        grown = None if self._is_ending else Grown.among(task["system_tags"])
        return super()._is_all_there(task) or (grown is not None and grown.has_arrived)

    # --- one delivery

    def _begin(self, home: Path, run: Run, uid: Uid) -> SessionDraft:
        """Events name their task, and files lie below its id: so there is one from the start."""
        known = max(self._growing(uid), key=_counts, default=None)
        place = Path(self._created(run, uid) if known is None else str(known["id"]))
        return SessionDraft(
            home,
            run,
            uid,
            place,
            project=self._project,
            is_for_server=True,
            has_copy=run.complete or self._is_ending,
        )

    def _complete(self, draft: SessionDraft, run: Run) -> None:
        """Once: where the server was not there for a while, it is published again."""
        if not draft.is_complete:
            super()._complete(draft, run)

    def _publish(self, draft: SessionDraft, run: Run) -> None:
        """Send what came since, and say so on the task; at the end, see whether all is there."""
        task = GrowingTask(self._service, self._root, draft.place.name)
        others = [str(one["id"]) for one in self._of(draft.uid) if one["id"] != task.id]
        is_last = run.complete or self._is_ending
        authored = json.loads((draft.session / TASK_FILE).read_bytes())
        events = GrowingEvents(draft.session, draft.parts)
        task.start()
        facts = task.tell(authored)
        task.send(draft.session / DATA, authored, events, is_last=is_last)
        if is_last:
            self._check_exactly(task, draft)
        if run.complete:
            task.end(_ENDINGS.get(run.state, "tasks.completed"))
        counts = events.counts
        task.note(Grown(counts, events.hashed(counts), facts), *([SEALED] if is_last else []))
        for other in others if is_last else ():  # whole until then, as an import left it
            self._service.ask("tasks.delete", task=other, force=True)

    def _check_exactly(self, task: GrowingTask, draft: SessionDraft) -> None:
        """There is all that was sent, and nothing else: else the next delivery begins anew.

        Raises Declined.
        """
        try:
            self._check(task.id, draft.session, draft)
            for kind, (_, most) in draft.events.items():
                there = self._service.count(task.id, kind)
                if there > most:
                    raise Declined(
                        f"the server has {there:,} events of type {kind}, and {most:,} were sent",
                        where=f"{self._service.where}: task {task.id}",
                        hint="run the command again: it sends all of them anew",
                    )
        except Declined:
            task.note(Grown.unknown())
            raise

    # --- which tasks

    def _growing(self, uid: Uid) -> Iterator[Task]:
        """Those that this writer has begun."""
        return (task for task in self._of(uid) if Grown.among(task["system_tags"]) is not None)

    def _created(self, run: Run, uid: Uid) -> str:
        """A new task. The mark travels in the same request: one that is made twice, because no
        answer came, is found, and taken away at the end.
        """
        made = self._service.ask(
            "tasks.create",
            name=name_of(run),
            type=type_of(run),
            project=self._project_made(self._project or project_of(run)),
            system_tags=[f"{MARK}{uid}", Grown().tag],
        )
        return str(made["id"])


def _counts(task: Task) -> Counts:
    grown = Grown.among(task["system_tags"]) or Grown()
    return grown.counts

"""What the stand-in holds."""

from __future__ import annotations

import hashlib
import math
import threading
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

Record = dict[str, Any]

TYPES = (
    "training_stats_scalar", "training_stats_vector", "training_debug_image", "plot", "log",
)  # fmt: skip
_ID_FIELDS = ("task", "iter", "metric", "variant", "key")


class Refusal(Exception):  # noqa: N818  what the API answers
    """An answer that is no 200: result code, subcode, message."""

    def __init__(self, code: int, subcode: int, message: str) -> None:
        super().__init__(message)
        self.code, self.subcode, self.message = code, subcode, message


@dataclass
class Store:
    """Projects, tasks, models, events, files. Its lock guards all of it."""

    projects: dict[str, Record] = field(default_factory=dict)
    tasks: dict[str, Record] = field(default_factory=dict)
    models: dict[str, Record] = field(default_factory=dict)
    events: dict[str, dict[str, Record]] = field(default_factory=dict)  # task → id → event
    files: dict[str, bytes] = field(default_factory=dict)  # by path
    scrolls: dict[str, list[Record]] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def task(self, task_id: str) -> Record:
        """One task. Raises Refusal."""
        found = self.tasks.get(task_id)
        if found is None:
            raise Refusal(400, 101, f"Invalid task id: id={task_id}")
        return found

    def add_project(self, name: str) -> str:
        """The id of a project of this name, made if there is none."""
        for known, project in self.projects.items():
            if project["name"] == name:
                return known
        project_id = uuid.uuid4().hex
        self.projects[project_id] = {"id": project_id, "name": name, "created": now()}
        return project_id

    def add_task(self, fields: Record) -> str:
        """A new task."""
        task_id = uuid.uuid4().hex
        plain = {"status": "created", "created": now(), "tags": [], "system_tags": []}
        self.tasks[task_id] = plain | fields | {"id": task_id, "last_update": now()}
        self.events[task_id] = {}
        return task_id

    def add_events(self, events: Iterable[Record]) -> tuple[int, dict[str, int]]:
        """How many were added, and what was wrong with how many others."""
        added, wrong = 0, dict[str, int]()
        for event in events:
            reason = self._add(dict(event))
            if reason is None:
                added += 1
            else:
                wrong[reason] = wrong.get(reason, 0) + 1
        if not added:
            raise Refusal(400, 801, f"Events not added: {wrong}")
        return added, wrong

    def _add(self, event: Record) -> str | None:
        kind = event.get("type")
        if kind not in TYPES:
            return f"Invalid event type {kind}"
        if event.get("task") not in self.tasks:
            return f"Invalid task id {event.get('task')}"
        if event.get("timestamp") is None:
            event["timestamp"] = int(datetime.now(UTC).timestamp() * 1000)
        if "values" in event:
            event["value"] = event.pop("values")
        value = event.get("value")
        if isinstance(value, float) and not math.isfinite(value):
            return "Error when indexing events batch"
        event |= {"metric": event.get("metric") or "", "variant": event.get("variant") or ""}
        event.setdefault("worker", "stand-in")
        event_id = uuid.uuid4().hex if kind == "log" else _id_of(event)
        self.events[event["task"]][event_id] = event
        self.tasks[event["task"]]["last_update"] = now()
        return None


def _id_of(event: Record) -> str:
    """The same for an event that takes another's place."""
    words = "-".join(str(event[name]) for name in _ID_FIELDS if name in event)
    return hashlib.md5(f"{event['type']}-{words}".encode(), usedforsecurity=False).hexdigest()


def now() -> str:
    """As the API spells times."""
    return datetime.now(UTC).isoformat()

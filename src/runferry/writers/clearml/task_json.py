"""A run as the task that ClearML's importer reads."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import count
from typing import Final

from runferry.dialects.clearml.names import MARK, TASK_TYPES, TRACKER, Task
from runferry.dialects.clearml.parameters import PROPERTIES, spelled
from runferry.dialects.times import rfc3339
from runferry.losses import Fate, Loss
from runferry.model import Attribute, Run, Tree, Uid

_GENERAL: Final = "General"
_CONFIGURATION: Final = "configuration"
_SECTIONS: Final = {"summary": "Summary", "environment": "Environment", "other": "Other"}
_ORIGIN: Final = "Origin"
_SHORTEST_NAME: Final = 3
_STATUSES: Final = {
    "running": "in_progress", "finished": "completed", "failed": "failed", "killed": "stopped",
}  # fmt: skip
_DEFAULT_PROJECT: Final = "runferry"


def project_of(run: Run) -> str:
    """The project's name, which ClearML does not do without."""
    return _long_enough(run.project or run.key.scope or _DEFAULT_PROJECT, "project")


def name_of(run: Run) -> str:
    """The task's name."""
    return _long_enough(run.name or run.key.run_id, "run")


def type_of(run: Run) -> str:
    """The task's type, of those that ClearML has."""
    return run.job_type if run.job_type in TASK_TYPES else "training"


def _long_enough(name: str, word: str) -> str:
    """A server wants three characters."""
    return name if len(name) >= _SHORTEST_NAME else f"{word} {name}"


class Parameters:
    """The sections of hyperparameters, and configuration objects; none takes another's place."""

    def __init__(self, run: Run, attributes: Iterable[Attribute]) -> None:
        self.sections: dict[str, dict[str, Task]] = {}
        self.configuration: dict[str, Task] = {}
        self.renamed: list[Loss] = []
        for name, value in _origin(run):
            self._put(_ORIGIN, name, value, None)
        for item in attributes:
            self._add(item, is_own=run.key.tracker == TRACKER)

    def _add(self, item: Attribute, *, is_own: bool) -> None:
        place = ".".join((item.role, *item.path))
        head, rest = item.path[0], "/".join(item.path[1:])
        if is_own and item.role == "config" and head == _CONFIGURATION and rest:
            text = item.value if isinstance(item.value, str) else spelled(item.value)[0]
            self.configuration[rest] = {"name": rest, "type": "text", "value": text}
        elif is_own and item.role == "other" and head == PROPERTIES and rest:
            self._put(PROPERTIES, rest, item.value, place)
        elif item.role != "config":
            self._put(_SECTIONS[item.role], "/".join(item.path), item.value, place)
        elif rest:
            self._put(head, rest, item.value, place)
        else:
            self._put(_GENERAL, head, item.value, place)

    def _put(self, section: str, name: str, value: Tree, place: str | None) -> None:
        items = self.sections.setdefault(section, {})
        free = name
        for copy in count(2):
            if free not in items:
                break
            free = f"{name}~{copy}"
        if free != name and place is not None:
            detail = f"as {section}/{free}"
            self.renamed.append(Loss("renamed-key", Fate.RENAMED, place, 1, detail))
        text, kind = spelled(value)
        items[free] = {"section": section, "name": free, "value": text}
        if kind is not None and section != PROPERTIES:
            items[free]["type"] = kind


def _origin(run: Run) -> Iterator[tuple[str, Tree]]:
    """Where the run comes from, and what ClearML has no field for."""
    told: dict[str, Tree] = {
        "tracker": run.key.tracker,
        "id": run.key.run_id,
        "scope": run.key.scope or None,
        "entity": run.entity,
        "group": run.group,
        "job_type": None if run.job_type in TASK_TYPES else run.job_type,
        "kind": None if run.kind == "run" else run.kind,
        "sweep": run.sweep,
        "parent": run.parent,
        "user": run.user,
        "host": run.host,
        "url": run.source_url,
        "state": run.status or (None if run.state == "unknown" else run.state),
        "exit_code": run.exit_code,
        "created": _date(run.created_ns),
        "started": _date(run.started_ns),
        "ended": _date(run.ended_ns),
        **{f"labels/{label}": word for label, word in run.labels.items()},
    }
    for name, value in told.items():
        if value is not None:
            yield name, value


def _date(time_ns: int | None) -> Tree:
    return None if time_ns is None else rfc3339(time_ns)


def task_of(run: Run, uid: Uid, task_id: str, offline_folder: str, parameters: Parameters) -> Task:
    """The task, but for its artifacts and packages."""
    task: Task = {
        "id": task_id,
        "name": name_of(run),
        "project_name": project_of(run),
        "type": type_of(run),
        "comment": run.notes or "",
        "tags": list(run.tags),
        "system_tags": [f"{MARK}{uid}"],
        "hyperparams": parameters.sections,
        "configuration": parameters.configuration,
        "script": {"requirements": {}},
        "execution": {"artifacts": []},
        "offline_folder": offline_folder,
        "offline_output_models": [],
    }
    times = {"created": run.created_ns, "started": run.started_ns, "completed": run.ended_ns}
    for name, time_ns in times.items():
        if time_ns is not None:
            task[name] = rfc3339(time_ns)
    if run.state in _STATUSES:
        task["status"] = _STATUSES[run.state]
    return task


def task_text(task: Task) -> str:
    """The content of `task.json`."""
    return json.dumps(task, indent=1, sort_keys=True) + "\n"

"""A task of ClearML as a run's header."""

from __future__ import annotations

from typing import Final

from runferry.dialects.clearml.names import TRACKER, Task
from runferry.dialects.times import time_ns_of
from runferry.model import Run, RunKey, RunState, Tree

_STATES: Final[dict[str, RunState]] = {
    "in_progress": "running",
    "completed": "finished",
    "closed": "finished",
    "published": "finished",
    "publishing": "finished",
    "failed": "failed",
    "stopped": "killed",
}
_OVER: Final = frozenset({"finished", "failed", "killed"})

IN_HEADER: Final = (
    "id", "name", "project_name", "type", "parent", "tags", "comment", "created", "started",
    "completed", "status",
)  # fmt: skip


def key_of(task_id: str) -> RunKey:
    """A task's key: its id is unique everywhere."""
    return RunKey(TRACKER, "", task_id)


def header_of(task: Task, key: RunKey, *, is_closed: bool = False) -> Run:
    """The header; `is_closed` says that a session has ended, which has no status of its own."""
    status = _word(task.get("status"))
    state = _STATES.get(status or "", "unknown")
    tags = task.get("tags")
    return Run(
        key,
        name=_word(task.get("name")),
        project=_word(task.get("project_name")),
        job_type=_word(task.get("type")),
        parent=_id_of(task.get("parent")),
        tags=tuple(dict.fromkeys(map(str, tags))) if isinstance(tags, list) else (),
        notes=_word(task.get("comment")),
        created_ns=_time(task.get("created")),
        started_ns=_time(task.get("started")),
        ended_ns=_time(task.get("completed")),
        status=status,
        state=state,
        complete=is_closed or state in _OVER,
        client="clearml",
    )


def _word(value: Tree) -> str | None:
    return value if isinstance(value, str) and value else None


def _id_of(value: Tree) -> str | None:
    """A task's id, also where the task stands in its place."""
    return _word(value.get("id")) if isinstance(value, dict) else _word(value)


def _time(value: Tree) -> int | None:
    return time_ns_of(value) if isinstance(value, str) else None

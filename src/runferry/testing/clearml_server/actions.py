"""What the stand-in does for each call of the API that ClearML's client or ours makes."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from typing import Any, Final

from runferry.testing.clearml_server.event_reads import scalar_curves, task_events, task_log
from runferry.testing.clearml_server.store import Record, Refusal, Store, now

Action = Callable[[Store, Record], Record]

_STATUSES: Final = {
    "started": ("in_progress", "started"),
    "completed": ("completed", "completed"),
    "stopped": ("stopped", "completed"),
    "failed": ("failed", "completed"),
    "publish": ("published", "published"),
}


def _projects_get_all(store: Store, body: Record) -> Record:
    found = [p for p in store.projects.values() if _fits(p, body)]
    return {"projects": _page(found, body)}


def _projects_create(store: Store, body: Record) -> Record:
    """A name is taken once, as the database of the server (2.4) has it."""
    if any(project["name"] == body["name"] for project in store.projects.values()):
        raise Refusal(400, 801, f"Value combination already exists: name={body['name']}")
    return {"id": store.add_project(body["name"])}


def _projects_get_by_id(store: Store, body: Record) -> Record:
    found = store.projects.get(body["project"])
    if found is None:
        raise Refusal(400, 401, f"Invalid project id: id={body['project']}")
    return {"project": found}


def _tasks_create(store: Store, body: Record) -> Record:
    return {"id": store.add_task(body)}


def _tasks_get_by_id(store: Store, body: Record) -> Record:
    return {"task": store.task(body["task"])}


def _tasks_get_all(store: Store, body: Record) -> Record:
    found = sorted(
        (task for task in store.tasks.values() if _fits(task, body)), key=lambda task: task["id"]
    )
    return {"tasks": _page(found, body)}


def _tasks_edit(store: Store, body: Record) -> Record:
    task = store.task(body["task"])
    task.update({k: v for k, v in body.items() if k not in ("task", "force")})
    task["last_update"] = now()
    return {"updated": 1, "fields": {}}


def _tasks_delete(store: Store, body: Record) -> Record:
    store.task(body["task"])
    del store.tasks[body["task"]], store.events[body["task"]]
    return {"deleted": True}


def _tasks_ping(store: Store, body: Record) -> Record:
    store.task(body["task"])
    return {}


def _moved(status: str, time: str) -> Action:
    def action(store: Store, body: Record) -> Record:
        why = {name: body.get(name) or "" for name in ("status_reason", "status_message")}
        moved = {"status": status, time: now(), "last_update": now(), **why}
        store.task(body["task"]).update(moved)
        return {"updated": 1, "fields": {"status": status}, "started": 1}

    return action


def _events_deleted(store: Store, body: Record) -> Record:
    store.task(body["task"])
    store.events[body["task"]] = {}
    return {"deleted": True}


def _scroll_cleared(store: Store, body: Record) -> Record:
    store.scrolls.pop(body["scroll_id"], None)
    return {}


def _artifacts(store: Store, body: Record) -> Record:
    execution = store.task(body["task"]).setdefault("execution", {})
    listed = execution.setdefault("artifacts", [])
    keys = {item["key"] for item in body["artifacts"]}
    execution["artifacts"] = [it for it in listed if it["key"] not in keys] + body["artifacts"]
    return {"updated": 1}


def _requirements(store: Store, body: Record) -> Record:
    task = store.task(body["task"])
    task["script"] = {**(task.get("script") or {}), "requirements": body["requirements"]}
    return {"updated": 1, "fields": {}}


def _models_create(store: Store, body: Record) -> Record:
    model = uuid.uuid4().hex
    store.models[model] = {"id": model, "ready": False, **body}
    return {"id": model, "created": True}


def _nothing(store: Store, body: Record) -> Record:
    del store, body
    return {}


ACTIONS: Final[dict[str, Action]] = {
    "projects.get_all": _projects_get_all,
    "projects.get_all_ex": _projects_get_all,
    "projects.get_by_id": _projects_get_by_id,
    "projects.create": _projects_create,
    "tasks.create": _tasks_create,
    "tasks.get_by_id": _tasks_get_by_id,
    "tasks.get_all": _tasks_get_all,
    "tasks.get_all_ex": _tasks_get_all,
    "tasks.edit": _tasks_edit,
    "tasks.update": _tasks_edit,
    "tasks.delete": _tasks_delete,
    "tasks.ping": _tasks_ping,
    "tasks.add_or_update_artifacts": _artifacts,
    "tasks.set_requirements": _requirements,
    "events.clear_scroll": _scroll_cleared,
    "events.delete_for_task": _events_deleted,
    "events.get_task_events": task_events,
    "events.get_task_log": task_log,
    "events.scalar_metrics_iter_histogram": scalar_curves,
    "models.create": _models_create,
    "auth.validate_token": _nothing,
    "users.get_current_user": lambda store, body: {"user": {"id": "user", "name": "somebody"}},
    **{f"tasks.{name}": _moved(*change) for name, change in _STATUSES.items()},
}


def _fits(record: Record, asked: Record) -> bool:
    """The filters of `get_all`, as far as anybody here uses them."""
    ids = asked.get("id")
    if ids is not None and record["id"] not in ([ids] if isinstance(ids, str) else ids):
        return False
    name = asked.get("name")
    if name is not None and re.search(name, record.get("name", "")) is None:
        return False
    projects = asked.get("project")
    if projects is not None and record.get("project") not in projects:
        return False
    for field in ("tags", "system_tags"):
        if not _has_tags(record.get(field) or [], asked.get(field) or []):
            return False
    return True


def _has_tags(tags: list[str], asked: list[str]) -> bool:
    wanted = [tag for tag in asked if not tag.startswith("-")]
    unwanted = {tag[1:] for tag in asked if tag.startswith("-")}
    return not unwanted & {*tags} and (not wanted or bool({*wanted} & {*tags}))


def _page(found: list[Record], asked: Record) -> list[Any]:
    size = int(asked.get("page_size") or 500)
    start = int(asked.get("page") or 0) * size
    return [_only(record, asked.get("only_fields")) for record in found[start : start + size]]


def _only(record: Record, fields: list[str] | None) -> Record:
    if not fields:
        return record
    tops = {name.partition(".")[0] for name in fields} | {"id"}
    return {name: value for name, value in record.items() if name in tops}

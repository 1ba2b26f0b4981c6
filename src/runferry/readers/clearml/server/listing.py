"""Which tasks there are at an address of a server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from runferry.dialects.clearml.addresses import Address
from runferry.dialects.clearml.names import Task
from runferry.dialects.clearml.service import Service
from runferry.errors import NotFound

_LIST: Final = "runferry ls clearml:"
_ARCHIVED: Final = "archived"
_FIELDS: Final = (
    "id", "name", "project", "type", "parent", "tags", "system_tags", "comment", "created",
    "started", "completed", "status",
)  # fmt: skip


def project_names(service: Service) -> dict[str, str]:
    """Every project of the account: id → name."""
    found = service.pages(
        "projects.get_all", "projects", only_fields=["id", "name"], order_by=["name"]
    )
    return {str(project["id"]): str(project.get("name") or "") for project in found}


def tasks_at(service: Service, address: Address, *, with_archived: bool) -> Iterator[Task]:
    """Tasks with what a header needs; `project_name` is added. Raises NotFound."""
    names = project_names(service)
    asked: dict[str, object] = {}
    chosen = _chosen(names, address)
    if chosen is not None:
        asked["project"] = chosen
    if address.task_id is not None:
        asked["id"] = [address.task_id]
    seen: set[str] = set()
    fields = list(_FIELDS)
    for task in service.pages(
        "tasks.get_all", "tasks", only_fields=fields, order_by=["id"], **asked
    ):
        is_left_out = _ARCHIVED in (task.get("system_tags") or []) and not with_archived
        if task["id"] in seen or is_left_out:
            continue
        seen.add(task["id"])
        yield task | {"project_name": names.get(str(task.get("project")))}
    if address.task_id is not None and not seen:
        raise NotFound("no such task", where=f"{service.where}: {address.task_id}", hint=_LIST)


def _chosen(names: dict[str, str], address: Address) -> list[str] | None:
    """The ids of the projects that are meant; None for all."""
    if address.project_id is not None:
        return [address.project_id]
    if address.project is None:
        return None
    wished = address.project
    found = [
        project
        for project, name in names.items()
        if name == wished or name.startswith(f"{wished}/")
    ]
    if not found:
        raise NotFound(
            f"no project is called {wished}",
            where=_some(names),
            hint=_LIST,
        )
    return found


def _some(names: dict[str, str]) -> str:
    """A few of the projects that there are."""
    some = sorted(names.values())[:5]
    return f"there are {', '.join(some)}" if some else "the account has no project"

"""Projects, and what is listed in them: runs and reports."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runferry.testing.wandb_service import pages, run_pages
from runferry.testing.wandb_service.graphql import resolves
from runferry.testing.wandb_service.ids import global_id, row_id_of
from runferry.testing.wandb_service.store import Record

if TYPE_CHECKING:
    from runferry.testing.wandb_service.service import WandbService


@resolves("Query.models")
def models(
    _: None,
    service: WandbService,
    entity_name: str | None = None,
    after: str | None = None,
    first: int | None = None,
    order: str | None = None,
) -> Record:
    entity = entity_name or service.default_entity
    return _page(service, entity, after, first)


@resolves("Entity.projects")
def projects_of_entity(
    entity: Record,
    service: WandbService,
    filters: str | None = None,
    after: str | None = None,
    first: int | None = None,
    order: str | None = None,
) -> Record:
    return _page(service, entity["name"], after, first)


def _page(service: WandbService, entity: str, after: str | None, first: int | None) -> Record:
    found = service.store.rows(
        "SELECT * FROM projects WHERE entity_name = ? ORDER BY created_at DESC, id DESC", entity
    )
    return pages.page_of(found, after, first)


@resolves("Query.project", "Query.model")
def project(
    _: None,
    service: WandbService,
    name: str | None = None,
    entity_name: str | None = None,
    internal_id: str | None = None,
) -> Record | None:
    if internal_id is not None:
        row_id = row_id_of(internal_id, "ProjectInternalId")
        return service.store.row("SELECT * FROM projects WHERE id = ?", row_id)
    return service.project(entity_name or service.default_entity, name or "uncategorized")


@resolves("Entity.project")
def project_of_entity(
    entity: Record, service: WandbService, name: str | None = None
) -> Record | None:
    return service.project(entity["name"], name or "uncategorized")


@resolves("Run.project", "ArtifactSequence.project", "ArtifactPortfolio.project")
def project_of(child: Record, service: WandbService) -> Record | None:
    return service.store.row("SELECT * FROM projects WHERE id = ?", child["project"])


@resolves("Project.id")
def id_of(project: Record, service: WandbService) -> str:
    return global_id("Project", "v1", project["name"], project["entity_name"])


@resolves("Project.internalId")
def internal_id_of(project: Record, service: WandbService) -> str:
    return global_id("ProjectInternalId", project["id"])


@resolves("Project.isBenchmark", "Project.readOnly")
def never(project: Record, service: WandbService) -> bool:
    return False


@resolves("Project.tags")
def no_tags(project: Record, service: WandbService) -> list[Record]:
    return []


@resolves("Project.runCount")
def run_count(project: Record, service: WandbService, filters: str | None = None) -> int:
    return run_pages.count(service.store, "project = ?", (project["id"],), filters)


@resolves("Project.runs")
def runs(
    project: Record,
    service: WandbService,
    filters: str | None = None,
    after: str | None = None,
    first: int | None = None,
    order: str | None = None,
    names: list[str | None] | None = None,
) -> Record:
    where, values = "project = ?", (project["id"],)
    if names:
        where += f" AND name IN ({', '.join('?' for _ in names)})"
        values = (*values, *names)
    return run_pages.page(
        service.store, where, values, filters=filters, after=after, first=first, order=order
    )


@resolves("Project.allViews")
def views(
    project: Record,
    service: WandbService,
    view_type: str | None = None,
    view_name: str | None = None,
    first: int | None = None,
    after: str | None = None,
) -> Record:
    found = service.store.rows(
        "SELECT * FROM views WHERE project = ? AND type = ? ORDER BY id",
        project["id"],
        view_type or "runs",
    )
    if view_name:
        found = [view for view in found if view["name"] == view_name]
    return pages.page_of(found, after, first)


@resolves("View.id")
def id_of_view(view: Record, service: WandbService) -> str:
    return global_id("View", view["id"])

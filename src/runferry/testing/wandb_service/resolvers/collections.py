"""Artifact types, sequences and portfolios, and what is in them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from runferry.testing.wandb_service import artifacts, pages, run_pages
from runferry.testing.wandb_service.graphql import resolves, snake
from runferry.testing.wandb_service.ids import global_id, row_id_of
from runferry.testing.wandb_service.run_filters import matches
from runferry.testing.wandb_service.store import Record

if TYPE_CHECKING:
    from runferry.testing.wandb_service.service import WandbService

KINDS = {"SEQUENCE": "ArtifactSequence", "PORTFOLIO": "ArtifactPortfolio"}


def both(field: str) -> tuple[str, str]:
    """A field of either kind of collection."""
    return f"ArtifactSequence.{field}", f"ArtifactPortfolio.{field}"


@resolves("Query.artifactCollection")
def collection_by_id(_: None, service: WandbService, id: str) -> Record | None:
    sql = f"{artifacts.COLLECTION} WHERE id = ?"
    return service.store.row(sql, row_id_of(id, "ArtifactCollection"))


@resolves("Project.artifactCollection")
def collection_of_project(project: Record, service: WandbService, name: str) -> Record | None:
    return artifacts.collection(service.store, project["id"], name)


@resolves("ArtifactType.artifactCollection")
def collection_of_type(kind: Record, service: WandbService, name: str) -> Record | None:
    found = artifacts.collection(service.store, kind["project"], name)
    return found if found and found["artifact_type"] == kind["id"] else None


@resolves("Project.artifactCollections")
def collections_of_project(
    project: Record,
    service: WandbService,
    after: str | None = None,
    first: int | None = None,
    filters: str | None = None,
    order: str | None = None,
    collection_types: list[str] | None = None,
) -> Record:
    rows = service.store.rows(f"{artifacts.COLLECTION} WHERE project = ?", project["id"])
    return _page(_of_kinds(rows, collection_types), filters, order, after, first)


@resolves("ArtifactType.artifactCollections")
def collections_of_type(
    kind: Record,
    service: WandbService,
    after: str | None = None,
    first: int | None = None,
    filters: str | None = None,
    order: str | None = None,
) -> Record:
    rows = service.store.rows(f"{artifacts.COLLECTION} WHERE artifact_type = ?", kind["id"])
    return _page(rows, filters, order, after, first)


@resolves("Entity.artifactCollections")
def collections_of_entity(
    entity: Record,
    service: WandbService,
    project_filters: str | None = None,
    filters: str | None = None,
    collection_types: list[str] | None = None,
    after: str | None = None,
    first: int | None = None,
    order: str | None = None,
) -> Record:
    projects = _projects(service, entity, project_filters)
    rows = [
        row
        for project in projects
        for row in service.store.rows(f"{artifacts.COLLECTION} WHERE project = ?", project["id"])
    ]
    return _page(_of_kinds(rows, collection_types), filters, order, after, first)


def _projects(service: WandbService, entity: Record, filters: str | None) -> list[Record]:
    query = run_pages.parse_filter(filters)
    rows = service.store.rows("SELECT * FROM projects WHERE entity_name = ?", entity["name"])
    return [row for row in rows if matches(query, row.get)]


def _of_kinds(rows: list[Record], wanted: list[str] | None) -> list[Record]:
    kinds = [KINDS[name] for name in wanted or KINDS]
    return [row for row in rows if row["kind"] in kinds]


def _page(
    rows: list[Record], filters: str | None, order: str | None, after: str | None, first: int | None
) -> Record:
    query = run_pages.parse_filter(filters)
    found = [row for row in rows if _fits(row, query)]
    return pages.page_of(_ordered(found, order or "-id"), after, first)


def _fits(row: Record, query: Record) -> bool:
    return matches(query, lambda name: row.get(snake(name)))


def _ordered(rows: list[Record], order: str) -> list[Record]:
    column = snake(order.lstrip("+-"))
    return sorted(
        rows,
        key=lambda row: (
            (str(row.get(column) or ""), row["id"]) if column != "id" else ("", row["id"])
        ),
        reverse=order.startswith("-"),
    )


@resolves(*both("id"))
def id_of(collection: Record, service: WandbService) -> str:
    return global_id("ArtifactCollection", collection["id"])


@resolves(*both("state"))
def state(collection: Record, service: WandbService) -> str:
    return "READY"


@resolves(*both("defaultArtifactType"))
def type_of(collection: Record, service: WandbService) -> Record | None:
    sql = "SELECT * FROM artifact_types WHERE id = ?"
    return service.store.row(sql, collection["artifact_type"])


@resolves(*both("tags"))
def tags(collection: Record, service: WandbService) -> Record:
    names = json.loads(collection["tags"])
    return {"edges": [{"node": {"id": global_id("Tag", name), "name": name}} for name in names]}


@resolves(*both("aliases"))
def aliases(
    collection: Record, service: WandbService, after: str | None = None, first: int | None = None
) -> Record:
    rows = service.store.rows(
        "SELECT * FROM aliases WHERE collection = ? ORDER BY id", collection["id"]
    )
    return pages.page_of(rows, after, first)


@resolves(*both("artifactMembership"))
def membership(collection: Record, service: WandbService, alias_name: str) -> Record | None:
    return artifacts.membership_of(service.store, collection["id"], alias_name)


@resolves(*both("artifactMemberships"))
def memberships(
    collection: Record,
    service: WandbService,
    after: str | None = None,
    first: int | None = None,
    order: str | None = None,
    filters: str | None = None,
) -> Record:
    return pages.page_of(_memberships(service, collection), after, first)


def _memberships(service: WandbService, collection: Record) -> list[Record]:
    sql = "SELECT * FROM memberships WHERE collection = ? ORDER BY version_index DESC"
    return service.store.rows(sql, collection["id"])


@resolves("Entity.artifactMemberships")
def memberships_of_entity(
    entity: Record,
    service: WandbService,
    project_filters: str | None = None,
    collection_filters: str | None = None,
    filters: str | None = None,
    after: str | None = None,
    first: int | None = None,
    order: str | None = None,
) -> Record:
    query = run_pages.parse_filter(collection_filters)
    found = []
    for project in _projects(service, entity, project_filters):
        rows = service.store.rows(f"{artifacts.COLLECTION} WHERE project = ?", project["id"])
        for row in rows:
            if matches(query, row.get):
                found += _memberships(service, row)
    return pages.page_of(found, after, first)


@resolves(*both("artifacts"))
def versions(
    collection: Record,
    service: WandbService,
    after: str | None = None,
    first: int | None = None,
    order: str | None = None,
    filters: str | None = None,
) -> Record:
    """The versions, newest first; `version` is the number in this collection."""
    query = run_pages.parse_filter(filters)
    found = []
    for member in _memberships(service, collection):
        row = artifacts.artifact(service.store, member["artifact"])
        if _fits(row, query):
            found.append({**row, "version": f"v{member['version_index']}"})
    if order:
        found = _ordered(found, order)
    page = pages.page_of(found, after, first)
    for edge in page["edges"]:
        edge["version"] = edge["node"]["version"]
    return page


@resolves("ArtifactSequence.latestArtifact")
def latest(collection: Record, service: WandbService) -> Record | None:
    found = artifacts.membership_of(service.store, collection["id"], "latest")
    return artifacts.artifact(service.store, found["artifact"]) if found else None

"""The types that artifacts of a project have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runferry.testing.wandb_service import pages
from runferry.testing.wandb_service.graphql import resolves
from runferry.testing.wandb_service.ids import global_id
from runferry.testing.wandb_service.store import Record

if TYPE_CHECKING:
    from runferry.testing.wandb_service.service import WandbService


@resolves("Project.artifactType")
def type_by_name(project: Record, service: WandbService, name: str) -> Record | None:
    return service.store.row(
        "SELECT * FROM artifact_types WHERE project = ? AND name = ?", project["id"], name
    )


@resolves("Project.artifactTypes")
def types(
    project: Record,
    service: WandbService,
    after: str | None = None,
    first: int | None = None,
    include_all: bool | None = None,
) -> Record:
    rows = service.store.rows(
        "SELECT * FROM artifact_types WHERE project = ? ORDER BY id", project["id"]
    )
    return pages.page_of(rows, after, first)


@resolves("ArtifactType.id")
def id_of_type(kind: Record, service: WandbService) -> str:
    return global_id("ArtifactType", kind["id"])

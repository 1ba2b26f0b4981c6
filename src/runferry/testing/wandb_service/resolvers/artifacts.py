"""One version of an artifact: what it is, and whose it is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from runferry.testing.wandb_service import artifacts, pages
from runferry.testing.wandb_service.graphql import resolves
from runferry.testing.wandb_service.ids import global_id, row_id_of
from runferry.testing.wandb_service.resolvers.accounts import user
from runferry.testing.wandb_service.store import Record

if TYPE_CHECKING:
    from runferry.testing.wandb_service.service import WandbService


INHERITED_TTL = -1
"""The service's word for: as the collection has it."""


@resolves("Query.artifact")
def by_id(_: None, service: WandbService, id: str) -> Record | None:
    return service.store.row("SELECT * FROM artifacts WHERE id = ?", row_id_of(id, "Artifact"))


@resolves("Query.clientIDMapping")
def by_client_id(_: None, service: WandbService, client_id: str) -> Record | None:
    found = service.store.value("SELECT id FROM artifacts WHERE client_id = ?", client_id)
    return None if found is None else {"server_id": global_id("Artifact", found)}


@resolves("Project.artifact")
def by_name(project: Record, service: WandbService, name: str) -> Record | None:
    found = artifacts.membership_by_name(service.store, project["id"], name)
    return artifacts.artifact(service.store, found["artifact"]) if found else None


@resolves("Project.artifactCollectionMembership")
def membership_by_name(project: Record, service: WandbService, name: str) -> Record | None:
    return artifacts.membership_by_name(service.store, project["id"], name)


@resolves("Run.outputArtifacts")
def outputs(
    run: Record, service: WandbService, after: str | None = None, first: int | None = None
) -> Record:
    rows = service.store.rows(
        "SELECT * FROM artifacts WHERE run = ? AND state = 'COMMITTED' ORDER BY id", run["id"]
    )
    return pages.page_of(rows, after, first)


@resolves("Run.inputArtifacts")
def inputs(
    run: Record, service: WandbService, after: str | None = None, first: int | None = None
) -> Record:
    rows = service.store.rows(
        "SELECT artifacts.* FROM artifacts JOIN used_artifacts ON artifact = artifacts.id"
        " WHERE used_artifacts.run = ? ORDER BY artifacts.id",
        run["id"],
    )
    return pages.page_of(rows, after, first)


@resolves("Artifact.id")
def id_of(artifact: Record, service: WandbService) -> str:
    return global_id("Artifact", artifact["id"])


@resolves("Artifact.artifactSequence")
def sequence(artifact: Record, service: WandbService) -> Record | None:
    return service.store.row(f"{artifacts.COLLECTION} WHERE id = ?", artifact["sequence"])


@resolves("Artifact.artifactType")
def type_of(artifact: Record, service: WandbService) -> Record | None:
    return service.store.row(
        "SELECT artifact_types.* FROM artifact_types JOIN collections"
        " ON artifact_type = artifact_types.id WHERE collections.id = ?",
        artifact["sequence"],
    )


@resolves("Artifact.tags")
def tags(artifact: Record, service: WandbService) -> list[Record]:
    return [{"id": global_id("Tag", name), "name": name} for name in json.loads(artifact["tags"])]


@resolves("Artifact.ttlIsInherited")
def ttl_is_inherited(artifact: Record, service: WandbService) -> bool:
    return artifact["ttl_duration_seconds"] is None


@resolves("Artifact.ttlDurationSeconds")
def ttl_duration_seconds(artifact: Record, service: WandbService) -> int:
    found = artifact["ttl_duration_seconds"]
    return INHERITED_TTL if found is None else int(found)


@resolves("Artifact.aliases")
def aliases(artifact: Record, service: WandbService) -> list[Record]:
    sql = "SELECT * FROM aliases WHERE artifact = ? ORDER BY id"
    return service.store.rows(sql, artifact["id"])


@resolves("ArtifactAlias.id")
def id_of_alias(alias: Record, service: WandbService) -> str:
    return global_id("ArtifactAlias", alias["id"])


@resolves("ArtifactAlias.artifactCollection", "ArtifactCollectionMembership.artifactCollection")
def collection_of(child: Record, service: WandbService) -> Record | None:
    return service.store.row(f"{artifacts.COLLECTION} WHERE id = ?", child["collection"])


@resolves("ArtifactAlias.artifactCollectionName")
def collection_name(alias: Record, service: WandbService) -> str | None:
    found = collection_of(alias, service)
    return found["name"] if found else None


@resolves("Artifact.artifactMemberships")
def memberships(
    artifact: Record, service: WandbService, first: int | None = None, after: str | None = None
) -> Record:
    sql = "SELECT * FROM memberships WHERE artifact = ? ORDER BY id"
    return pages.page_of(service.store.rows(sql, artifact["id"]), after, first)


@resolves("ArtifactCollectionMembership.id")
def id_of_membership(membership: Record, service: WandbService) -> str:
    return global_id("ArtifactCollectionMembership", membership["id"])


@resolves("ArtifactCollectionMembership.artifact")
def artifact_of_membership(membership: Record, service: WandbService) -> Record:
    return artifacts.artifact(service.store, membership["artifact"])


@resolves("ArtifactCollectionMembership.aliases")
def aliases_of_membership(membership: Record, service: WandbService) -> list[Record]:
    return service.store.rows(
        "SELECT * FROM aliases WHERE collection = ? AND artifact = ? ORDER BY id",
        membership["collection"],
        membership["artifact"],
    )


@resolves("Artifact.usedBy")
def used_by(
    artifact: Record, service: WandbService, first: int | None = None, after: str | None = None
) -> Record:
    rows = service.store.rows(
        "SELECT runs.* FROM runs JOIN used_artifacts ON run = runs.id WHERE artifact = ?"
        " ORDER BY runs.id",
        artifact["id"],
    )
    return pages.page_of(rows, after, first)


@resolves("Artifact.createdBy")
def created_by(artifact: Record, service: WandbService) -> Record:
    run = service.store.row("SELECT * FROM runs WHERE id = ?", artifact["run"])
    return {**run, "__typename": "Run"} if run else {**user(service), "__typename": "User"}

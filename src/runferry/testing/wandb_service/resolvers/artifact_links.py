"""Where versions of artifacts belong: uses by runs, links into portfolios, aliases."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runferry.testing.wandb_service import artifacts
from runferry.testing.wandb_service.graphql import resolves
from runferry.testing.wandb_service.ids import row_id_of
from runferry.testing.wandb_service.refusals import Missing
from runferry.testing.wandb_service.resolvers.artifact_writing import run_number
from runferry.testing.wandb_service.store import Record

if TYPE_CHECKING:
    from runferry.testing.wandb_service.service import WandbService


@resolves("Mutation.useArtifact")
def use(_: None, service: WandbService, input: Record) -> Record:
    number = row_id_of(input["artifact_id"], "Artifact")
    found = artifacts.artifact(service.store, number)
    service.store.execute(
        "INSERT OR REPLACE INTO used_artifacts VALUES (?, ?, ?)",
        run_number(service, input),
        number,
        input.get("used_as"),
    )
    return {"artifact": found}


@resolves("Mutation.linkArtifact")
def link(_: None, service: WandbService, input: Record) -> Record:
    store = service.store
    if input.get("artifact_id"):
        number = row_id_of(input["artifact_id"], "Artifact")
    else:
        found = store.value("SELECT id FROM artifacts WHERE client_id = ?", input.get("client_id"))
        if found is None:
            raise Missing("artifact not found during linkArtifact")
        number = int(found)
    with store.together():
        entity = input.get("entity_name") or service.default_entity
        project = service.put_project(f"{entity}/{input.get('project_name') or 'model-registry'}")
        portfolio = artifacts.ensure_collection(
            store,
            project,
            input["artifact_portfolio_name"],
            service.type_of(number),
            "ArtifactPortfolio",
        )
        wanted = [alias["alias"] for alias in input.get("aliases") or ()]
        membership = artifacts.link(store, number, portfolio, wanted)
    return {"version_index": membership["version_index"], "artifact_membership": membership}


@resolves("Mutation.unlinkArtifact")
def unlink(_: None, service: WandbService, input: Record) -> Record:
    number = row_id_of(input["artifact_id"], "Artifact")
    portfolio = row_id_of(input["artifact_portfolio_id"], "ArtifactCollection")
    artifacts.unlink(service.store, number, portfolio)
    return {"success": True}


@resolves("Mutation.addAliases")
def add_aliases(_: None, service: WandbService, input: Record) -> Record:
    number = row_id_of(input["artifact_id"], "Artifact")
    with service.store.together():
        for alias in input["aliases"]:
            collection = _collection(service, alias)
            artifacts.put_alias(service.store, collection["id"], alias["alias"], number)
    return {"success": True}


@resolves("Mutation.deleteAliases")
def delete_aliases(_: None, service: WandbService, input: Record) -> Record:
    number = row_id_of(input["artifact_id"], "Artifact")
    with service.store.together():
        for alias in input["aliases"]:
            service.store.execute(
                "DELETE FROM aliases WHERE collection = ? AND alias = ? AND artifact = ?",
                _collection(service, alias)["id"],
                alias["alias"],
                number,
            )
    return {"success": True}


def _collection(service: WandbService, alias: Record) -> Record:
    project = service.project(alias["entity_name"], alias["project_name"])
    name = alias["artifact_collection_name"]
    found = artifacts.collection(service.store, project["id"], name) if project else None
    if found is None:
        raise Missing(f"artifact collection {name!r} not found")
    return found

"""Artifacts as uploads make them: draft, manifest, files, commit; and edits."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from runferry.testing.wandb_service import artifacts, manifests, times
from runferry.testing.wandb_service.graphql import resolves
from runferry.testing.wandb_service.ids import global_id, row_id_of
from runferry.testing.wandb_service.multipart import urls_of_parts
from runferry.testing.wandb_service.refusals import Missing
from runferry.testing.wandb_service.store import Record

if TYPE_CHECKING:
    from runferry.testing.wandb_service.service import WandbService


@resolves("Mutation.createArtifact")
def create(_: None, service: WandbService, input: Record) -> Record:
    with service.store.together():
        project = service.put_project(_project_path(service, input))
        name = input.get("artifact_collection_name")
        if not name:
            raise Missing("createArtifact needs an artifactCollectionName")
        sequence = artifacts.ensure_collection(
            service.store, project, name, input["artifact_type_name"], "ArtifactSequence"
        )
        draft = artifacts.Draft(
            digest=input["digest"],
            digest_algorithm=input["digest_algorithm"],
            description=input.get("description"),
            metadata=input.get("metadata"),
            tags=tuple(tag["tag_name"] for tag in input.get("tags") or ()),
            aliases=tuple(alias["alias"] for alias in input.get("aliases") or ()),
            history_step=input.get("history_step"),
            ttl_duration_seconds=input.get("ttl_duration_seconds"),
            client_id=input.get("client_id"),
            run=run_number(service, input),
        )
        is_deduplicated = bool(input.get("enable_digest_deduplication"))
        made = artifacts.create(service.store, sequence, draft, is_deduplicated=is_deduplicated)
    return {"artifact": made}


def run_number(service: WandbService, input: Record) -> int | None:
    """The run that an input names, if it names one. Raises Missing."""
    if not input.get("run_name"):
        return None
    return int(service.run(f"{_project_path(service, input)}/{input['run_name']}")["id"])


def _project_path(service: WandbService, input: Record) -> str:
    """A run that was logged offline without an entity names none: the default one is meant."""
    return f"{input['entity_name'] or service.default_entity}/{input['project_name']}"


@resolves("Mutation.createArtifactManifest")
def create_manifest(_: None, service: WandbService, input: Record) -> Record:
    number = row_id_of(input["artifact_id"], "Artifact")
    artifacts.artifact(service.store, number)
    kind = input.get("type") or "FULL"
    found = service.store.row(
        "SELECT id FROM manifests WHERE artifact = ? AND name = ?", number, input["name"]
    )
    if found is None:
        manifest = service.store.insert(
            "manifests",
            artifact=number,
            name=input["name"],
            digest=input["digest"],
            type=kind,
            blob=service.store.new_blob(),
        )
    else:
        manifest = int(found["id"])
        service.store.update("manifests", manifest, digest=input["digest"])
    row = service.store.row("SELECT * FROM manifests WHERE id = ?", manifest)
    return {"artifact_manifest": row}


@resolves("Mutation.updateArtifactManifest")
def update_manifest(_: None, service: WandbService, input: Record) -> Record:
    number = row_id_of(input["artifact_manifest_id"], "ArtifactManifest")
    if input.get("digest"):
        service.store.update("manifests", number, digest=input["digest"])
    row = service.store.row("SELECT * FROM manifests WHERE id = ?", number)
    return {"artifact_manifest": row}


@resolves("Mutation.createArtifactFiles")
def create_files(_: None, service: WandbService, input: Record) -> Record:
    """One answer for each file, in the order asked; none to upload where the bytes are known."""
    with service.store.together():
        nodes = [_file(service, spec) for spec in input["artifact_files"]]
    return {
        "files": {
            "edges": [{"node": node, "cursor": node["name"]} for node in nodes],
            "page_info": {"has_next_page": False},
            "total_count": len(nodes),
        }
    }


def _file(service: WandbService, spec: Record) -> Record:
    store = service.store
    number = row_id_of(spec["artifact_id"], "Artifact")
    digest = spec.get("digest") or spec["md5"]
    known = manifests.known_bytes(store, digest)
    store.execute(
        "INSERT OR IGNORE INTO artifact_files (artifact, name, digest, blob, mimetype)"
        " VALUES (?, ?, ?, ?, ?)",
        number,
        spec["name"],
        digest,
        known["blob"] if known else store.new_blob(),
        spec.get("mimetype"),
    )
    row = store.row(
        "SELECT * FROM artifact_files WHERE artifact = ? AND name = ?", number, spec["name"]
    )
    assert row is not None
    parts = spec.get("upload_parts_input") or ()
    return {
        **row,
        "id": global_id("ArtifactFile", row["id"]),
        "path": f"artifacts/{number}/{row['name']}",
        "storage_path": f"wandb_artifacts/{row['blob']}",
        "is_known": known is not None,
        "artifact": artifacts.artifact(store, known["artifact"] if known else number),
        "upload_multipart_urls": (
            urls_of_parts(service, row["blob"], [int(part["part_number"]) for part in parts])
            if parts and known is None
            else None
        ),
    }


@resolves("Mutation.completeMultipartUploadArtifact")
def complete_multipart(_: None, service: WandbService, input: Record) -> Record:
    blob = str(input["storage_path"]).rpartition("/")[2]
    if service.store.row("SELECT 1 FROM artifact_files WHERE blob = ?", blob) is None:
        raise Missing(f"no upload to {input['storage_path']!r}")
    numbers = sorted(int(part["part_number"]) for part in input["completed_parts"])
    return {"digest": service.join_parts(blob, numbers)}


@resolves("Mutation.commitArtifact")
def commit(_: None, service: WandbService, input: Record) -> Record:
    number = row_id_of(input["artifact_id"], "Artifact")
    return {"artifact": artifacts.commit(service.store, number)}


@resolves("Mutation.updateArtifact")
def update(_: None, service: WandbService, input: Record) -> Record:
    number = row_id_of(input["artifact_id"], "Artifact")
    row = artifacts.artifact(service.store, number)
    given = {
        name: input[name]
        for name in ("description", "metadata", "ttl_duration_seconds")
        if input.get(name) is not None
    }
    tags = dict.fromkeys(json.loads(row["tags"]))
    tags |= dict.fromkeys(tag["tag_name"] for tag in input.get("tags_to_add") or ())
    for tag in input.get("tags_to_delete") or ():
        tags.pop(tag["tag_name"], None)
    service.store.update(
        "artifacts", number, **given, tags=json.dumps(list(tags)), updated_at=times.now()
    )
    return {"artifact": artifacts.artifact(service.store, number)}


@resolves("Mutation.deleteArtifact")
def delete(_: None, service: WandbService, input: Record) -> Record:
    number = row_id_of(input["artifact_id"], "Artifact")
    artifacts.delete(service.store, number)
    return {"artifact": artifacts.artifact(service.store, number)}

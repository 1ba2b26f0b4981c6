"""Projects, runs and their files as uploads make and change them."""

from __future__ import annotations

import json
import mimetypes
import uuid
from typing import TYPE_CHECKING, Any

from runferry.testing.wandb_service import times
from runferry.testing.wandb_service.graphql import resolves
from runferry.testing.wandb_service.ids import parts_of, row_id_of
from runferry.testing.wandb_service.refusals import Gone, Missing
from runferry.testing.wandb_service.resolvers.files import file_record
from runferry.testing.wandb_service.store import Record

if TYPE_CHECKING:
    from runferry.testing.wandb_service.service import WandbService

TAKEN = (
    "description",
    "display_name",
    "notes",
    "config",
    "commit",
    "host",
    "job_type",
    "state",
    "group_name",
    "summary_metrics",
)
RENAMED = {"job_program": "program", "job_repo": "github", "sweep": "sweep_name"}


@resolves("Mutation.upsertModel")
def upsert_model(_: None, service: WandbService, input: Record) -> Record:
    if input.get("id"):
        name, entity = parts_of(input["id"], "Project")[-2:]
    else:
        entity = input.get("entity_name") or service.default_entity
        name = input.get("name") or "uncategorized"
    is_new = service.project(entity, name) is None
    number = service.put_project(f"{entity}/{name}")
    columns = ("description", "access", "views", "allow_all_artifact_types_in_registry")
    given = {name: input[name] for name in columns if input.get(name) is not None}
    service.store.update("projects", number, **given, updated_at=times.now())
    project = service.project(entity, name)
    return {"project": project, "model": project, "inserted": is_new}


@resolves("Mutation.upsertBucket")
def upsert_bucket(_: None, service: WandbService, input: Record) -> Record:
    """Make a run or change it: what is not given stays; the project is made where it is missing."""
    if input.get("id"):
        run = run_by_id(service, input["id"])
        return {"bucket": _changed(service, run, input), "inserted": False}
    entity = input.get("entity_name") or service.default_entity
    if not service.has_entity(entity):
        raise Missing(f"entity {entity} not found during upsertBucket")
    project = f"{entity}/{input.get('model_name') or 'uncategorized'}"
    name = input.get("name") or uuid.uuid4().hex[:8]
    with service.store.together():
        number = service.put_project(project)
        found = service.store.row("SELECT * FROM runs WHERE project = ? AND name = ?", number, name)
        if found is not None:
            return {"bucket": _changed(service, found, input), "inserted": False}
        if service.store.row(
            "SELECT 1 FROM deleted_runs WHERE project = ? AND name = ?", number, name
        ):
            raise Gone(f"run {name} was previously created and deleted; try a new run name")
        time = times.now()
        count = service.store.value("SELECT COUNT(*) FROM runs WHERE project = ?", number)
        run_id = service.store.insert(
            "runs",
            project=number,
            name=name,
            display_name=f"swift-ferry-{count + 1}",
            state="running",
            username=service.account.username,
            created_at=time,
            updated_at=time,
            heartbeat_at=time,
        )
        return {"bucket": _changed(service, {"id": run_id}, input), "inserted": True}


def _changed(service: WandbService, run: Record, input: Record) -> Record:
    changes: dict[str, Any] = {name: input[name] for name in TAKEN if input.get(name) is not None}
    changes |= {
        column: input[name] for name, column in RENAMED.items() if input.get(name) is not None
    }
    if input.get("tags") is not None:
        changes["tags"] = json.dumps(input["tags"])
    service.store.update("runs", run["id"], **changes, updated_at=times.now())
    found = service.store.row("SELECT * FROM runs WHERE id = ?", run["id"])
    assert found is not None
    return {**found, "is_begun_anew": True}


def run_by_id(service: WandbService, identifier: str) -> Record:
    """The run that an id stands for. Raises Missing."""
    name, project, entity = parts_of(identifier, "Run")[-3:]
    return service.run(f"{entity}/{project}/{name}")


@resolves("Mutation.deleteRun")
def delete_run(_: None, service: WandbService, input: Record) -> Record:
    service.delete_run(service.path_of(run_by_id(service, input["id"])))
    return {"client_mutation_id": input.get("client_mutation_id")}


@resolves("Mutation.stopRun")
def stop_run(_: None, service: WandbService, input: Record) -> Record:
    service.store.update("runs", run_by_id(service, input["id"])["id"], stopped=1)
    return {"success": True}


@resolves("Mutation.updateRunState")
def update_run_state(_: None, service: WandbService, input: Record) -> Record:
    service.store.update("runs", run_by_id(service, input["id"])["id"], state=input["state"])
    return {"success": True}


@resolves("Mutation.createRunFiles")
def create_run_files(_: None, service: WandbService, input: Record) -> Record:
    """URLs to upload files to; a file is listed once its bytes came."""
    run = _run_of(service, input)
    store = service.store
    with store.together():
        for name in input["files"]:
            store.execute(
                "INSERT OR IGNORE INTO files (run, name, blob, mimetype, updated_at)"
                " VALUES (?, ?, ?, ?, ?)",
                run["id"],
                name,
                store.new_blob(),
                mimetypes.guess_type(name)[0],
                times.now(),
            )
    rows = {row["name"]: row for row in store.rows("SELECT * FROM files WHERE run = ?", run["id"])}
    files = [file_record(service, run, rows[name]) for name in input["files"]]
    return {"run_id": run["name"], "upload_headers": [], "files": files}


@resolves("Mutation.markRunFilesUploaded")
def mark_run_files_uploaded(_: None, service: WandbService, input: Record) -> Record:
    run = _run_of(service, input)
    known = service.store.rows("SELECT name FROM files WHERE run = ? AND is_uploaded", run["id"])
    return {"success": set(input["files"]) <= {row["name"] for row in known}}


def _run_of(service: WandbService, input: Record) -> Record:
    return service.run(f"{input['entity_name']}/{input['project_name']}/{input['run_name']}")


@resolves("Mutation.deleteFiles")
def delete_files(_: None, service: WandbService, input: Record) -> Record:
    with service.store.together():
        for identifier in input["files"]:
            number = row_id_of(identifier, "File")
            service.store.execute("DELETE FROM files WHERE id = ?", number)
    return {"success": True}


@resolves("Mutation.notifyScriptableRunAlert")
def alert(_: None, service: WandbService, input: Record) -> Record:
    """Alerts are mails to people: taken, and kept nowhere, as nothing of the API reads them."""
    _run_of(service, input)
    return {"success": True}

"""Sweeps and their runs. Agents are not modelled: there are none."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import yaml

from runferry.testing.wandb_service import pages, run_pages, times
from runferry.testing.wandb_service.graphql import resolves
from runferry.testing.wandb_service.ids import global_id, row_id_of
from runferry.testing.wandb_service.run_filters import matches
from runferry.testing.wandb_service.store import Record

if TYPE_CHECKING:
    from runferry.testing.wandb_service.service import WandbService


@resolves("Project.totalSweeps")
def total(project: Record, service: WandbService) -> int:
    sql = "SELECT COUNT(*) FROM sweeps WHERE project = ?"
    return int(service.store.value(sql, project["id"]))


@resolves("Project.sweeps")
def sweeps(
    project: Record,
    service: WandbService,
    after: str | None = None,
    first: int | None = None,
    filters: str | None = None,
) -> Record:
    query = run_pages.parse_filter(filters)
    rows = service.store.rows(
        "SELECT * FROM sweeps WHERE project = ? ORDER BY id DESC", project["id"]
    )
    found = [row for row in rows if matches(query, row.get)]
    return pages.page_of(found, after, first)


@resolves("Project.sweep")
def sweep(project: Record, service: WandbService, sweep_name: str) -> Record | None:
    return service.store.row(
        "SELECT * FROM sweeps WHERE project = ? AND name = ?", project["id"], sweep_name
    )


@resolves("Run.sweep")
def sweep_of_run(run: Record, service: WandbService) -> Record | None:
    return service.store.row(
        "SELECT * FROM sweeps WHERE project = ? AND name = ?", run["project"], run["sweep_name"]
    )


@resolves("Sweep.project")
def project_of(sweep: Record, service: WandbService) -> Record | None:
    return service.store.row("SELECT * FROM projects WHERE id = ?", sweep["project"])


@resolves("Sweep.id")
def id_of(sweep: Record, service: WandbService) -> str:
    return global_id("Sweep", sweep["id"])


@resolves("Sweep.runCount")
def run_count(sweep: Record, service: WandbService) -> int:
    return run_pages.count(service.store, *_runs_of(sweep), None)


@resolves("Sweep.runs")
def runs(
    sweep: Record,
    service: WandbService,
    after: str | None = None,
    first: int | None = None,
    order: str | None = None,
    filters: str | None = None,
) -> Record:
    return run_pages.page(
        service.store, *_runs_of(sweep), filters=filters, after=after, first=first, order=order
    )


def _runs_of(sweep: Record) -> tuple[str, tuple[object, ...]]:
    return "project = ? AND sweep_name = ?", (sweep["project"], sweep["name"])


@resolves("Sweep.agents")
def agents(
    sweep: Record, service: WandbService, first: int | None = None, after: str | None = None
) -> Record:
    return {"edges": []}


@resolves("Sweep.agent")
def agent(sweep: Record, service: WandbService, agent_name: str) -> None:
    return None


@resolves("Mutation.upsertSweep")
def upsert_sweep(_: None, service: WandbService, input: Record) -> Record:
    entity = input.get("entity_name") or service.default_entity
    project = f"{entity}/{input.get('project_name') or 'uncategorized'}"
    if input.get("id"):
        number = row_id_of(input["id"], "Sweep")
        columns = ("config", "description", "display_name", "state")
        given = {name: input[name] for name in columns if input.get(name) is not None}
        service.store.update("sweeps", number, **given, updated_at=times.now())
    else:
        config = yaml.safe_load(input.get("config") or "{}") or {}
        number = service.put_sweep(f"{project}/{uuid.uuid4().hex[:8]}", config)
    found = service.store.row("SELECT * FROM sweeps WHERE id = ?", number)
    return {"sweep": found, "config_validation_warnings": []}

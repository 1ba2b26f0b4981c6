"""One run: who and what it is, its config, summary, console."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from runferry.testing.wandb_service import pages
from runferry.testing.wandb_service.graphql import resolves
from runferry.testing.wandb_service.ids import global_id
from runferry.testing.wandb_service.refusals import Missing
from runferry.testing.wandb_service.resolvers import accounts
from runferry.testing.wandb_service.store import Record

if TYPE_CHECKING:
    from runferry.testing.wandb_service.service import WandbService


@resolves("Project.run")
def run(project: Record, service: WandbService, name: str) -> Record | None:
    return service.store.row(
        "SELECT * FROM runs WHERE project = ? AND name = ?", project["id"], name
    )


@resolves("Project.bucket")
def bucket(
    project: Record, service: WandbService, name: str, missing_ok: bool | None = None
) -> Record | None:
    found: Record | None = run(project, service, name)
    if found is None and not missing_ok:
        raise Missing(f"run {name!r} not found")
    return found


@resolves("Run.id")
def id_of(run: Record, service: WandbService) -> str:
    entity, project, name = service.path_of(run).split("/")
    return global_id("Run", "v1", name, project, entity)


@resolves("Run.projectId")
def project_id(run: Record, service: WandbService) -> int:
    return int(run["project"])


@resolves("Run.group")
def group(run: Record, service: WandbService) -> str | None:
    found: str | None = run["group_name"]
    return found


@resolves("Run.tags")
def tags(run: Record, service: WandbService) -> list[str]:
    found: list[str] = json.loads(run["tags"])
    return found


@resolves("Run.user", "Project.user", "View.user")
def user(_: Record, service: WandbService) -> Record:
    return accounts.user(service)


@resolves("Run.readOnly")
def read_only(run: Record, service: WandbService) -> bool:
    return False


@resolves("Run.stopped")
def stopped(run: Record, service: WandbService) -> bool:
    return bool(run["stopped"])


@resolves("Run.wandbConfig")
def wandb_config(run: Record, service: WandbService, keys: list[str] | None = None) -> str:
    own: dict[str, Any] = json.loads(run["config"]).get("_wandb", {}).get("value", {})
    return json.dumps({key: value for key, value in own.items() if keys is None or key in keys})


@resolves("Run.summaryMetrics")
def summary_metrics(run: Record, service: WandbService, keys: list[str] | None = None) -> str:
    whole: str = run["summary_metrics"]
    if keys is None:
        return whole
    found = json.loads(whole)
    return json.dumps({key: found[key] for key in keys if key in found})


@resolves("Run.logLineCount")
def log_line_count(run: Record, service: WandbService) -> int:
    return int(service.store.value("SELECT COUNT(*) FROM console WHERE run = ?", run["id"]))


@resolves("Run.logLines")
def log_lines(
    run: Record,
    service: WandbService,
    first: int | None = None,
    after: str | None = None,
    last: int | None = None,
    use_improved_pagination: bool | None = None,
) -> Record:
    if last is not None:
        newest = service.store.rows(
            "SELECT * FROM console WHERE run = ? ORDER BY line DESC LIMIT ?",
            run["id"],
            min(last, 10_000),
        )
        return _lines(newest[::-1], has_more=False)
    if after and not use_improved_pagination:
        raise Missing("paging of logs without useImprovedPagination is not modelled")
    size = pages.size_of(1000 if first is None else first, largest=10_000)
    found = service.store.rows(
        "SELECT * FROM console WHERE run = ? AND line > ? ORDER BY line LIMIT ?",
        run["id"],
        pages.place_of(after) if after else -1,
        size + 1,
    )
    return _lines(found[:size], has_more=len(found) > size)


def _lines(found: list[Record], *, has_more: bool) -> Record:
    nodes = [_line(row["line"], row["content"]) for row in found]
    return pages.connection(
        nodes, [pages.cursor_of(node["number"]) for node in nodes], has_more=has_more
    )


def _line(number: int, content: str) -> Record:
    """A line as it was uploaded: `[ERROR ]2026-01-02T03:04:05.000000 TEXT`, or bare text."""
    level, text = "info", content
    if text.startswith("ERROR "):
        level, text = "error", text.removeprefix("ERROR ")
    time, space, rest = text.partition(" ")
    is_timed = bool(space) and len(time) >= 19 and time[4:5] == "-" and time[10:11] == "T"
    return {
        "number": number,
        "timestamp": f"{time.removesuffix('Z')}Z" if is_timed else None,
        "level": level,
        "label": "",
        "line": rest if is_timed else text,
    }

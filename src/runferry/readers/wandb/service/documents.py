"""What belongs to a project rather than to a run: definitions of sweeps, and reports."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any, Final

from runferry import chunks
from runferry.dialects.wandb.addresses import run_url
from runferry.dialects.wandb.service import Service
from runferry.dialects.yaml_trees import parse_yaml
from runferry.errors import SourceChanged
from runferry.model import Run, RunKey, Tree
from runferry.readers.wandb.service.files import following, nodes
from runferry.readers.wandb.service.queries import REPORTS
from runferry.readers.wandb.trees import json_or_text
from runferry.tables import dumps

REPORTS_ID: Final = "~reports"
"""The id under which a project's reports are a run; W&B gives no id with `~`."""

_PAGE: Final = 50
_POSITION: Final = "reports"
_DEFINITION: Final = ("name", "displayName", "method", "description", "createdAt")


def sweep_document(node: dict[str, Any]) -> chunks.Document:
    """A sweep's definition: what was asked for, not how far it came."""
    body: dict[str, Tree] = {name: node[name] for name in _DEFINITION if node.get(name)}
    body["config"] = _config(node.get("config"))
    return chunks.Document("sweep", str(node.get("name", "")), body)


def _config(text: object) -> Tree:
    """YAML, as the service has it; its text where it is none."""
    if not isinstance(text, str):
        return None
    try:
        return parse_yaml(text).value
    except ValueError:
        return text


def reports_run(service: Service, entity: str, project: str) -> Run:
    """The run that stands for a project's reports."""
    return Run(
        RunKey("wandb", project, REPORTS_ID),
        name=f"reports of {project}",
        project=project,
        entity=entity,
        job_type="reports",
        kind="documents",
        source_url=f"{run_url(service.account.base_url, entity, project)}/reportlist",
        state="finished",
        complete=True,
    )


def reports(
    service: Service, entity: str, project: str, after: Tree = None
) -> Iterator[chunks.Chunk]:
    """The reports that are new or changed since the position `after`; then where that is now.

    Raises SourceChanged when one of those that were read is gone.
    """
    before = _read_before(after, project)
    now: dict[str, Tree] = {}
    for node in _views(service, entity, project):
        document = _report(node)
        now[document.name] = digest = _digest(document)
        if before.get(document.name) != digest:
            yield document
    if not before.keys() <= now.keys():
        raise SourceChanged("a report that was read before is gone", where=f"{entity}/{project}")
    yield chunks.Header(reports_run(service, entity, project))
    yield chunks.Checkpoint({_POSITION: now})


def _read_before(after: Tree, project: str) -> dict[str, Tree]:
    if after is None:
        return {}
    found = after.get(_POSITION) if isinstance(after, dict) else None
    if not isinstance(found, dict):
        raise SourceChanged("the cursor is not one of reports", where=project)
    return found


def _report(node: dict[str, Any]) -> chunks.Document:
    """As the service has it; the blocks that it consists of as a tree."""
    body: dict[str, Tree] = {name: value for name, value in node.items() if value is not None}
    if isinstance(spec := body.get("spec"), str):
        body["spec"] = json_or_text(spec)
    body["user"] = (node.get("user") or {}).get("username")
    return chunks.Document("report", str(node.get("id")), body)


def _digest(document: chunks.Document) -> str:
    return hashlib.blake2b(dumps(document.body).encode(), digest_size=16).hexdigest()


def _views(service: Service, entity: str, project: str) -> Iterator[dict[str, Any]]:
    cursor: str | None = None
    while True:
        variables = {"entity": entity, "project": project, "cursor": cursor, "perPage": _PAGE}
        page = (service.ask(REPORTS, variables).get("project") or {}).get("allViews") or {}
        yield from nodes(page)
        cursor = following(page)
        if cursor is None:
            return

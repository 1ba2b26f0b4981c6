"""The header as SwanLab takes it (`sdk/internal/pkg/constraints` of 0.10.3)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from runferry import settings
from runferry.dialects.swanlab.names import TRACKER
from runferry.losses import Fate, Loss
from runferry.model import Run

_PROJECT: Final = re.compile(r"[^0-9a-zA-Z_\-+.]")
_WORKSPACE: Final = re.compile(r"[^0-9a-zA-Z\-_]")
_LONGEST: Final = {"name": 512, "notes": 1024, "group": 512, "job_type": 512}
_PROJECT_LONGEST: Final = 100
_WORKSPACE_LONGEST: Final = 25
_NO_PROJECT: Final = "uncategorized"


@dataclass(frozen=True, slots=True)
class Header:
    """What the start record says, and what of it is not as it was."""

    run: Run
    project: str
    workspace: str
    started_ns: int
    ended_ns: int
    losses: tuple[Loss, ...]


def fitted(run: Run) -> Header:
    """The header; times that nobody knows are those of the Epoch."""
    losses: list[Loss] = []
    cut = replace(
        run,
        name=_cut(run.name, "name", losses),
        notes=_cut(run.notes, "notes", losses),
        group=_cut(run.group, "group", losses),
        job_type=_cut(run.job_type, "job_type", losses),
        tags=tuple(_tags(run, losses)),
    )
    chosen = settings.current()
    stated = chosen.swanlab_project or run.project or run.key.scope or _NO_PROJECT
    project = _project(stated)
    # a team of another tracker is no workspace; it is told in the configuration
    entity = run.entity if run.entity and run.key.tracker == TRACKER else ""
    workspace = _workspace(chosen.swanlab_workspace or entity)
    if run.project != project:
        losses.append(Loss("header-field", Fate.REENCODED, "project", 1, f"shown as {project}"))
    times = (run.started_ns, run.created_ns)
    started = next((time for time in times if time is not None), 0)
    ended = run.ended_ns if run.ended_ns is not None else started
    return Header(cut, project, workspace, max(started, 0), max(ended, 0), tuple(losses))


def is_as_asked(project: str, workspace: str) -> bool:
    """Whether the settings say nothing else of where runs are to be shown."""
    chosen = settings.current()
    return all(
        (
            not chosen.swanlab_project or _project(chosen.swanlab_project) == project,
            not chosen.swanlab_workspace or _workspace(chosen.swanlab_workspace) == workspace,
        )
    )


def _project(name: str) -> str:
    return _PROJECT.sub("-", name)[:_PROJECT_LONGEST]


def _workspace(name: str) -> str:
    return _WORKSPACE.sub("-", name)[:_WORKSPACE_LONGEST]


def _cut(text: str | None, name: str, losses: list[Loss]) -> str | None:
    if text == "":
        losses.append(Loss("header-field", Fate.REENCODED, name, 1, "an empty text is none"))
    if text is None or len(text) <= _LONGEST[name]:
        return text
    detail = f"SwanLab shows {_LONGEST[name]:,} characters of it"
    losses.append(Loss("header-field", Fate.REENCODED, name, 1, detail))
    return text[: _LONGEST[name]]


def _tags(run: Run, losses: list[Loss]) -> Iterator[str]:
    for tag in run.tags:
        yield tag[:512]
        if len(tag) > 512:
            losses.append(Loss("header-field", Fate.REENCODED, "tags", 1, "a long tag is cut"))

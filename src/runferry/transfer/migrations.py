"""The two migrations into Neptune: what their places mean when nothing stands behind a name.

`wandb: neptune:` brings each project of W&B into the project of its name in a workspace;
`neptune-models: neptune:` brings models and versions as runs into the project that they are in.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, Literal, TypeAlias

from runferry import settings
from runferry.dialects.neptune.places import PROJECT_VARIABLE, ServerPlace
from runferry.dialects.wandb.account import account
from runferry.dialects.wandb.addresses import app_of, is_path, parsed
from runferry.errors import AuthFailed, BadLocation
from runferry.model import Run
from runferry.paths import is_local
from runferry.ports import Location, ProjectsReader, ReadOptions
from runferry.registry import opened
from runferry.transfer.report import RunOutcome

Road = Literal["wandb-to-neptune", "neptune-models-to-neptune"]
Share: TypeAlias = "tuple[str, str]"
"""What a run is counted with: the name of a count, and what of it the run is, or belongs to."""

WANDB: Final = "wandb:"
MODELS: Final = "neptune-models:"
NEPTUNE: Final = "neptune:"

_TOKEN_FROM: Final = "NEPTUNE_API_TOKEN"  # noqa: S105  the name of a variable
_STAGES_STAND: Final = (
    "--stage-as-tag: {runs} there already, left as sent before; --restart sends them anew"
)
_DEBUG: Final = "neptune_mode is debug: nothing leaves this machine, and there is nothing to verify"
_BEFORE_CREATION: Final = (
    "Neptune sets the creation time of a run itself: charts over relative time begin before it, at"
    " negative times; the original one is {original}"
)


def road(source: str, destination: str) -> Road | None:
    """Which migration leads from one place to the other, as the user wrote them; None: neither."""
    if not destination.startswith(NEPTUNE) or is_local(destination.removeprefix(NEPTUNE)):
        return None
    if source.startswith(WANDB) and not is_path(source.removeprefix(WANDB)):
        return "wandb-to-neptune"
    return "neptune-models-to-neptune" if source.startswith(MODELS) else None


def goal(source: str, destination: str) -> str:
    """The destination of a migration, also where `neptune:` stands alone. Raises BadLocation."""
    if destination != NEPTUNE:
        return destination
    match road(source, destination):
        case "wandb-to-neptune":
            return on_server(workspace())
        case "neptune-models-to-neptune":
            named = _around(source.removeprefix(MODELS))
            return on_server(named) if named else destination
    return destination


def on_server(named: str) -> str:
    """The place of a workspace or a project. Raises BadLocation where a folder is called so."""
    if is_local(named):
        raise BadLocation(
            "a folder of this name lies here, and would be meant",
            where=f"{NEPTUNE}{named}",
            hint="call runferry in another folder",
        )
    return f"{NEPTUNE}{named}"


def of_entity(entity: str) -> str:
    """The place of an entity of W&B, also where a folder of its name lies here."""
    if not is_path(entity):
        return f"{WANDB}{entity}"
    return f"{WANDB}{app_of(account().base_url)}/{entity}"


def workspace() -> str:
    """The workspace of `NEPTUNE_PROJECT`. Raises BadLocation."""
    if not os.environ.get(PROJECT_VARIABLE, "").strip():
        raise BadLocation(
            "no Neptune workspace is named",
            where=NEPTUNE,
            hint=f"neptune:WORKSPACE, or set {PROJECT_VARIABLE} to WORKSPACE/PROJECT",
        )
    return ServerPlace.of("").workspace


def check_token() -> None:
    """Before anything is asked or pulled: whether the client will find a token. Raises AuthFailed.

    The token is read by the client alone.
    """
    talks = settings.current().neptune_mode in ("async", "sync")
    if talks and not os.environ.get(_TOKEN_FROM, "").strip():
        raise AuthFailed(
            "no token for Neptune is set",
            where=NEPTUNE,
            hint=f"export {_TOKEN_FROM}=…  # User menu of the web app, Get your API token",
        )


def own_project() -> str:
    """What `NEPTUNE_PROJECT` names. Raises BadLocation."""
    return str(ServerPlace.of(""))


def _around(models: str) -> str:
    """The project that these models are in, or the workspace where they are in several."""
    if is_local(models):
        return ""
    names = models.strip("/").split("/")
    is_one = len(names) > 1 and "," not in names[1]
    return "/".join(names[:2]) if is_one else names[0]


# --- projects of the source


def named_project(source: str) -> str | None:
    """The project that a place of W&B names, if it names one. Raises BadLocation."""
    return parsed(source.removeprefix(WANDB)).project


def projects(source: Location) -> list[str]:
    """The projects of a service, sorted. Raises what opening it raises, and NotFound."""
    reader = opened(source, ReadOptions())
    try:
        return sorted(reader.projects()) if isinstance(reader, ProjectsReader) else []
    finally:
        reader.close()


def chosen(answer: str, known: Iterable[str]) -> tuple[list[str], list[str]]:
    """Of names with commas between them, those that there are, and those that there are not."""
    there = set(known)
    wanted = list(dict.fromkeys(name.strip() for name in answer.split(",") if name.strip()))
    return [n for n in wanted if n in there], [n for n in wanted if n not in there]


# --- what is told of a migration


def share_of(taken: Road) -> Callable[[Run], Share]:
    """How the runs of a migration are counted besides: by projects; as models and versions."""

    def by_project(run: Run) -> Share:
        return "projects", run.project or run.key.scope

    def by_kind(run: Run) -> Share:
        return ("models" if run.kind == "model" else "versions"), run.uid

    return by_project if taken == "wandb-to-neptune" else by_kind


def notes(source: Location, destination: Location) -> Sequence[str]:
    """What is not as it was for all runs of a migration that were moved, whatever is in them."""
    is_served = f"{destination.tracker}:" == NEPTUNE and not is_local(destination.where)
    if is_served and settings.current().neptune_mode == "debug":
        return (_DEBUG,)
    match road(str(source), str(destination)):
        case "wandb-to-neptune":
            return (_BEFORE_CREATION.format(original="wandb/created_at"),)
        case "neptune-models-to-neptune":
            return (_BEFORE_CREATION.format(original="old_sys/creation_time"),)
    return ()


def notes_on_standing(destination: Location, outcomes: Iterable[RunOutcome]) -> Iterator[str]:
    """What was asked for and does not reach runs that were there already."""
    wants_tags = destination.tracker == "neptune" and settings.current().neptune_stage_as_tag
    standing = sum(outcome.status == "unchanged" for outcome in outcomes)
    if wants_tags and standing:
        yield _STAGES_STAND.format(runs="a run" if standing == 1 else f"{standing} runs")

"""Whether a run came from the very place that it would be sent to."""

from __future__ import annotations

from pathlib import Path

from runferry.model import Run, Tree
from runferry.paths import is_local
from runferry.ports import Location


def came_from(place: Location, run: Run, facts: dict[str, Tree]) -> bool:
    """Whether this source gave the run, and is this place."""
    tracker = facts.get("tracker")
    if tracker != place.tracker or run.key.tracker != tracker:
        return False
    match tracker:
        case "wandb":
            return run.key.run_id == facts.get("stream") and _is_project(place, facts)
        case "tensorboard" if not facts.get("experiment"):
            return Path(str(facts.get("file"))).is_relative_to(place.path.resolve())
        case "mlflow":
            return _same_store(place.where, str(facts.get("store")))
        case "clearml":
            return run.key.run_id == facts.get("run") and _has_task(place, run, facts)
        case _:
            return False


def _is_project(place: Location, facts: dict[str, Tree]) -> bool:
    """A project of W&B's service; the entity is known only if the user named it."""
    if facts.get("is_offline") or place.where.startswith((".", "/", "~")):
        return False
    entity, _, project = place.where.rpartition("/")
    named = facts.get("entity")
    is_entity = not entity or not named or entity == named
    return is_entity and project == (facts.get("project") or "uncategorized")


def _has_task(place: Location, run: Run, facts: dict[str, Tree]) -> bool:
    """The folder that a session lies in; or a project of the server, as there is only one."""
    if is_local(place.where):
        folder = facts.get("folder")
        return bool(folder) and Path(str(folder)).is_relative_to(place.path.resolve())
    return not facts.get("is_offline") and place.where.strip("/") in ("", run.project)


def _same_store(where: str, store: str) -> bool:
    from runferry.transfer.destination import ledger_key

    return ledger_key(Location("mlflow", where)) == ledger_key(Location("mlflow", store))

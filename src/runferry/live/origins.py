"""Whether a run came from the very place that it would be sent to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path, PurePath

from runferry.live.replicas.tensorboard import place_of
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
            is_there = _is_folder(place, facts) or _is_project(place, facts)
            return run.key.run_id == facts.get("stream") and is_there
        case "tensorboard":
            home = place.path.resolve()
            return is_of(run, facts) and _resolved(facts.get("file")).is_relative_to(home)
        case "mlflow":
            return _same_store(place.where, str(facts.get("store")))
        case "clearml":
            return run.key.run_id == facts.get("run") and _has_task(place, run, facts)
        case _:
            return False


def is_read_there(
    place: Location,
    run: Run,
    sources: Iterable[dict[str, Tree]],
    read: Iterable[tuple[Path, dict[str, Tree]]],
) -> bool:
    """Whether W&B itself reads the event files of this run into the very project that is meant.

    `read` are the folders that it reads, and what is known of its run.
    """
    if place.tracker != "wandb" or run.key.tracker != "tensorboard":
        return False
    folders = [folder.resolve() for folder, facts in read if _is_project(place, facts)]
    files = [_resolved(facts.get("file")) for facts in sources if is_of(run, facts)]
    return any(file.is_relative_to(folder) for file in files for folder in folders)


def is_of(run: Run, facts: Mapping[str, Tree]) -> bool:
    """Whether an event file belongs to this run, which is called by its folder."""
    if facts.get("tracker") != "tensorboard" or facts.get("experiment"):
        return False
    folder = place_of(facts).parent
    label = run.key.run_id.rpartition("@")[0]
    return (folder if folder.parts else PurePath("tensorboard")).is_relative_to(label)


def _is_folder(place: Location, facts: dict[str, Tree]) -> bool:
    """A folder of W&B's runs in which this one lies: online ones do, too."""
    files = facts.get("files")
    is_here = bool(files) and is_local(place.where)
    return is_here and _resolved(files).is_relative_to(place.path.resolve())


def _resolved(path: Tree) -> Path:
    """Without links: what was named by one is the same place."""
    return Path(str(path)).resolve()


def _is_project(place: Location, facts: dict[str, Tree]) -> bool:
    """A project of W&B's service; the entity is known only if the user named it."""
    if facts.get("is_offline") or is_local(place.where):
        return False
    entity, _, project = place.where.rpartition("/")
    named = facts.get("entity")
    is_entity = entity in ("", "@") or not named or entity == named  # `@` is the account's own
    return is_entity and project == (facts.get("project") or "uncategorized")


def _has_task(place: Location, run: Run, facts: dict[str, Tree]) -> bool:
    """The folder that a session lies in; or a project of the server, as there is only one."""
    if is_local(place.where):
        folder = facts.get("folder")
        return bool(folder) and _resolved(folder).is_relative_to(place.path.resolve())
    return not facts.get("is_offline") and place.where.strip("/") in ("", run.project)


def _same_store(where: str, store: str) -> bool:
    from runferry.transfer.destination import ledger_key

    return ledger_key(Location("mlflow", where)) == ledger_key(Location("mlflow", store))

"""Where captured runs go: places as everywhere, or the bare name of a tracker."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Final

from runferry.errors import BadLocation, UsageError
from runferry.ports import Location
from runferry.registry import is_path, unknown, writer_names

SWANLAB_MODES: Final = ("cloud", "online", "local", "offline", "disabled")
KEY_VARIABLES: Final = {
    "clearml": "CLEARML_API_SECRET_KEY",
    "neptune": "NEPTUNE_API_TOKEN",
    "swanlab": "SWANLAB_API_KEY",
    "wandb": "WANDB_API_KEY",
}
"""Where vendors' tools look for a key."""
_HOMES: Final = {
    "aim": "aim:.",
    "archive": "archive:./.runferry/archive",
    "csv": "csv:./mirrored-csv",
    "jsonl": "jsonl:./mirrored-jsonl",
    "parquet": "parquet:./mirrored-parquet",
    "tensorboard": "tensorboard:./mirrored-runs",
}


def of_swanlab(mode: str, *, workspace: str | None = None, logdir: str | None = None) -> str:
    """The place that SwanLab's own words mean; empty for `disabled`. Raises UsageError."""
    if mode not in SWANLAB_MODES:
        raise UsageError(f"{mode} is no mode of SwanLab", hint=f"one of {', '.join(SWANLAB_MODES)}")
    if mode == "disabled":
        return ""
    if mode in ("cloud", "online"):
        return f"swanlab:{workspace or ''}"
    folder = logdir or os.environ.get("SWANLAB_LOG_DIR") or "swanlog"
    return f"swanlab:{folder if folder.startswith(('/', '.', '~')) else f'./{folder}'}"


def options_of_swanlab(mode: str) -> dict[str, object]:
    """Settings that a mode asks for: `local` is what `swanlab watch` shows."""
    return {"swanlab_dashboard": True} if mode == "local" else {}


def places(given: str | Iterable[str], *, url: str | None = None, project: str) -> tuple[str, ...]:
    """Each backend as a place. A list may be a text with commas. Raises BadLocation."""
    listed = given.split(",") if isinstance(given, str) else list(given)
    return tuple(dict.fromkeys(_place(one.strip(), url, project) for one in listed if one.strip()))


def checked(places_given: Iterable[str]) -> tuple[str, ...]:
    """Places whose names are those of writers. Raises BadLocation."""
    found = tuple(places_given)
    for place in found:
        name, separator, _ = place.partition(":")
        if separator and len(name) > 1 and name not in writer_names():
            raise unknown(name, "destination")
    return found


def _place(backend: str, url: str | None, project: str) -> str:
    name, separator, _ = backend.partition(":")
    if separator or os.sep in backend:
        return backend
    if name not in writer_names():
        raise unknown(name, "destination")
    if url is not None:
        return f"{name}:{url}"
    match name:
        case "mlflow":
            return f"mlflow:{os.environ.get('MLFLOW_TRACKING_URI') or 'sqlite:///mlflow.db'}"
        case "wandb":
            entity = os.environ.get("WANDB_ENTITY") or "@"
            return _project("wandb", f"{entity}/{project.replace('/', '-')}")  # none has one
        case "neptune" if not os.environ.get("NEPTUNE_PROJECT"):
            raise BadLocation(
                "which project of Neptune runs should go to is not known",
                hint=f"set NEPTUNE_PROJECT, or backend='neptune:WORKSPACE/{project}'",
            )
        case "clearml":
            return _project("clearml", project)
        case "trackio":
            return _project("trackio", project.replace("/", "-"))  # else it would be a path
        case _:
            return _HOMES.get(name, f"{name}:")


def _project(name: str, where: str) -> str:
    """A project of that name as a place. Raises BadLocation where it would mean a folder."""
    if is_path(Location(name, where)):
        raise BadLocation(
            f"the name {where!r} would be taken for a folder, and not for a project of {name}",
            hint=f"name another project, or the folder: backend='{name}:./FOLDER'",
        )
    return f"{name}:{where}"


def keys(places_given: Iterable[str], api_key: str | None) -> Mapping[str, str]:
    """Variables in which vendors' tools find this key. Raises UsageError where none is meant."""
    if api_key is None:
        return {}
    names = {place.partition(":")[0] for place in places_given}
    wanted = [KEY_VARIABLES[name] for name in sorted(names) if name in KEY_VARIABLES]
    if len(wanted) != 1:
        raise UsageError(
            "api_key= is for one backend that has keys",
            hint=f"set {' and '.join(wanted) if wanted else 'no key: none of these needs one'}",
        )
    return {wanted[0]: api_key}

"""Attributes and the header as `config.yaml` and `swanlab-metadata.json`."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from runferry.dialects.swanlab.names import CONFIG, TRACKER
from runferry.dialects.yaml_trees import parse_yaml
from runferry.errors import Refused
from runferry.losses import Fate, Loss
from runferry.model import Attribute, KeyPath, Run, Tree, same_value

_ABOUT: Final = (
    "entity", "user", "source_url", "parent", "sweep", "exit_code", "status", "kind", "client",
)  # fmt: skip


def config_text(run: Run, attributes: Iterable[Attribute], originals: Mapping[str, str]) -> str:
    """`config.yaml`: each top-level key with its value, and their order.

    Summary, other attributes and what SwanLab has no field for stand below keys of their own; so do
    the `originals` of series that have another name here.
    """
    items = list(attributes)
    config = nested(item for item in items if item.role == "config")
    for name, role in (("summary", "summary"), ("other", "other")):
        tree = nested(item for item in items if item.role == role)
        if tree:
            config[free_name(name, config)] = tree
    config[free_name("runferry", config)] = about(run, originals)
    return entries_text({key: {"value": value} for key, value in config.items()})


def entries_text(entries: Mapping[str, Mapping[str, Tree]]) -> str:
    """Entries of a configuration as `config.yaml`, in this order."""
    import yaml

    spelled = {
        key: {"desc": entry.get("desc") or "", "sort": place, "value": plain(entry.get("value"))}
        for place, (key, entry) in enumerate(entries.items())
    }
    return str(yaml.safe_dump(spelled, allow_unicode=True, default_flow_style=False))


def entries_of(path: Path) -> dict[str, dict[str, Tree]]:
    """Those of a `config.yaml`; none of an empty one. Raises Refused."""
    try:
        found = parse_yaml(path.read_text(encoding="utf-8")).value or {}
        if not isinstance(found, dict):
            raise ValueError("no mapping")
        entries = {key: one for key, one in found.items() if isinstance(one, dict)}
        if odd := found.keys() - entries.keys():
            raise ValueError(f"no mapping at {min(odd)}")
    except ValueError as error:
        raise Refused(
            f"the configuration of this run is damaged ({error})",
            where=str(path),
            hint=f"mend that copy of {CONFIG}, then run the command again",
        ) from error
    return entries


def metadata_text(run: Run, attributes: Iterable[Attribute]) -> str:
    """`swanlab-metadata.json`, in the shape that the client writes; the rest is below one key."""
    environment = nested(item for item in attributes if item.role == "environment")
    if run.key.tracker == TRACKER:
        return json.dumps(plain(environment), ensure_ascii=False)
    runtime: dict[str, Tree] = {
        "hostname": run.host or environment.get("host"),
        "os": environment.get("os"),
        "python_version": environment.get("python"),
        "python_executable": environment.get("executable"),
        "command": environment.get("program"),
    }
    shape: dict[str, Tree] = {
        "_version": 2,
        "hardware": {},
        "runtime": {name: value for name, value in runtime.items() if isinstance(value, str)},
        "git": {},
        "swanlab": {},
        "environment": environment,
    }
    git = environment.get("git")
    if isinstance(git, dict):
        url = git.get("remote_url") or git.get("remote")
        shape["git"] = {"remote_url": url, "commit": git.get("commit")}
    return json.dumps(plain(shape), ensure_ascii=False)


def retyped(attributes: Iterable[Attribute]) -> Iterator[Loss]:
    """Values that stand there as text, or in another way than they were."""
    for item in attributes:
        if not same_value(plain(item.value), item.value):
            place = ".".join((item.role, *item.path))
            yield Loss("attribute-type", Fate.REENCODED, place, 1, "SwanLab has it as text")


def nested(attributes: Iterable[Attribute]) -> dict[str, Tree]:
    """Attributes as a mapping; one below another that is a value has its joined path as its key."""
    tree: dict[str, Tree] = {}
    for item in attributes:
        if not _put(tree, item.path, item.value):
            tree[free_name(".".join(item.path), tree)] = item.value
    return tree


def _put(tree: dict[str, Tree], path: KeyPath, value: Tree) -> bool:
    inner = tree
    for part in path[:-1]:
        below = inner.setdefault(part, {})
        if not isinstance(below, dict):
            return False
        inner = below
    if path[-1] in inner:
        return False
    inner[path[-1]] = value
    return True


def free_name(name: str, taken: Mapping[str, object]) -> str:
    """The name, or one like it that is not taken."""
    while name in taken:
        name += "~"
    return name


def about(run: Run, originals: Mapping[str, str]) -> dict[str, Tree]:
    """What SwanLab has no field for: where a run came from, what its series are called."""
    told: dict[str, Tree] = {
        "tracker": run.key.tracker,
        "scope": run.key.scope,
        "run_id": run.key.run_id,
    }
    told |= {name: getattr(run, name) for name in _ABOUT if getattr(run, name) is not None}
    if run.labels:
        told["labels"] = dict(run.labels)
    if originals:
        told["renamed_keys"] = dict[str, Tree](originals)
    if run.forked_from is not None:
        told["forked_from"] = [run.forked_from.run_id, run.forked_from.step]
    return told


def plain(value: Tree) -> Any:
    """A value as YAML and JSON have it: times as text, bytes in base64, no infinite numbers."""
    match value:
        case dict():
            return {_whole(name): plain(inner) for name, inner in value.items()}
        case list():
            return [plain(inner) for inner in value]
        case bytes():
            return base64.b64encode(value).decode("ascii")
        case datetime():
            return value.isoformat()
        case str():
            return _whole(value)
        case float() if not math.isfinite(value):
            return str(value)  # SwanLab's server takes JSON, which has no such number
        case _:
            return value


def _whole(text: str) -> str:
    """Half a character becomes U+FFFD."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")

"""What a run was made with, as Aim's parameters: a tree of what Aim can encode."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from datetime import datetime
from typing import Final

from runferry.dialects.aim.places import MARK, SYSTEM_PARAMETERS, TRACKER
from runferry.dialects.json_trees import mended
from runferry.model import Attribute, KeyPath, Run, Tree, Uid

_LARGEST: Final = 2**63
_STATED: Final = frozenset({"contexts", "notes", "archived"})
"""What Aim's reader found elsewhere, and is stated there again."""


def parameters(run: Run, uid: Uid, attributes: Iterable[Attribute]) -> dict[str, Tree]:
    """The config as it is nested; beside it the rest, under names that the config does not take.

    Where a value is in the way of others, these stand on the first level with dotted names.
    """
    config, others = _Nested(), dict[str, _Nested]()
    for item in attributes:
        if item.role == "config" or _is_aims_own(run, item):
            config.put(item.path, plain(item.value))
        elif not _is_stated(run, item):
            above = {"summary": "summary", "environment": SYSTEM_PARAMETERS}
            name = above.get(item.role, run.key.tracker)
            others.setdefault(name, _Nested()).put(item.path, plain(item.value))
    for name, value in _header(run).items():
        others.setdefault(run.key.tracker, _Nested()).put((name,), value)
    found = config.tree
    for name, nested in others.items():
        if nested.tree:
            found[_free(found, name)] = nested.tree
    if MARK in found:
        found[_free(found, MARK)] = found[MARK]
    return {**found, MARK: {"uid": uid}}


def _is_stated(run: Run, item: Attribute) -> bool:
    """Whether Aim has a better place for what its reader found."""
    is_aims = item.role == "other" and item.path[0] == TRACKER and len(item.path) > 1
    return is_aims and item.path[1] in _STATED and run.key.tracker == TRACKER


def _is_aims_own(run: Run, item: Attribute) -> bool:
    """Whether Aim's reader found it among the parameters."""
    return run.key.tracker == TRACKER and item.role == "other" and item.path[0].startswith("__")


def _free(found: dict[str, Tree], name: str) -> str:
    """A name that the config has not taken."""
    while name in found:
        name = f"{name}~"
    return name


class _Nested:
    """Values by path."""

    def __init__(self) -> None:
        self.tree: dict[str, Tree] = {}

    def put(self, path: KeyPath, value: Tree) -> None:
        """Add a value; with its whole name on the first level where a value is in its way."""
        names = [_word(name) for name in path]
        level = self.tree
        for name in names[:-1]:
            below = level.setdefault(name, {})
            if not isinstance(below, dict):
                self.tree[_free(self.tree, ".".join(names))] = value
                return
            level = below
        if names[-1] in level:
            self.tree[_free(self.tree, ".".join(names))] = value
        else:
            level[names[-1]] = value


def plain(value: Tree) -> Tree:
    """A value as Aim encodes it; exactly it is beside."""
    match value:
        case bool():
            return value
        case int():
            return value if -_LARGEST <= value < _LARGEST else str(value)
        case str():
            return mended(value)
        case bytes():
            return base64.b64encode(value).decode("ascii")
        case datetime():
            return value.isoformat()
        case list():
            return [plain(item) for item in value]
        case dict():
            return {_word(name): plain(item) for name, item in value.items()}
        case _:
            return value


def _word(name: str) -> str:
    """A name as a key, which may not be empty."""
    return str(mended(name)) or "_"


def _header(run: Run) -> dict[str, Tree]:
    """What Aim has no place for; a run of its own says nothing of that kind."""
    if run.key.tracker == TRACKER:
        return {}
    told: dict[str, Tree] = {
        "run_id": run.key.run_id,
        "status": run.status if run.status is not None else run.state,
        "group": run.group,
        "job_type": run.job_type,
        "entity": run.entity,
        "user": run.user,
        "host": run.host,
        "url": run.source_url,
        "exit_code": run.exit_code,
        "labels": dict(run.labels) or None,
    }
    return {name: plain(value) for name, value in told.items() if value is not None}

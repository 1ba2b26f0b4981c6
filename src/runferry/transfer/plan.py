"""What will be sent, under which names, and what will be lost: decided before anything moves.

Pure: `plan` is a function of statistics and limits alone, and touches neither disk nor network.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from runferry.losses import Fate, Loss
from runferry.model import Attribute, Inventory, KeyPath, Role, Run, Uid
from runferry.ports import Limits
from runferry.transfer.foretell import foretell
from runferry.transfer.names import Namer

PLAN_VERSION = 3
"""One more whenever equal statistics and limits would give another plan."""


@dataclass(frozen=True, slots=True)
class RunPlan:
    """How one run travels to one kind of destination."""

    uid: Uid
    series: Mapping[str, str]  # key → name there; what is absent is not sent
    attributes: Mapping[tuple[Role, KeyPath], str]  # → name there; what is absent is not sent
    limits: Limits
    losses: tuple[Loss, ...]  # certain; a count may be an upper bound
    possible: tuple[Loss, ...]  # statistics cannot tell; each count is an upper bound
    rules: str  # hash of the limits: under the same rules a growing run keeps its names
    hash: str  # of all that decides what is sent

    @property
    def order(self) -> Literal["any", "step"]:
        """In which order rows are sent."""
        return self.limits.order

    @property
    def worst(self) -> Fate:
        """The worst fate that is certain."""
        return max((loss.fate for loss in self.losses), default=Fate.KEPT)

    def holds(self, kind: str) -> bool:
        """Whether the destination takes this kind at all."""
        return self.limits.holds.get(kind, Fate.DROPPED) is not Fate.DROPPED


def plan(inventory: Inventory, limits: Limits) -> RunPlan:
    """The plan for a run. Equal inventories give equal plans, and equal hashes."""
    series = _series_names(inventory, limits)
    attributes = _attribute_names(inventory.attributes, limits)
    renamed = [
        *(Loss("renamed-key", Fate.RENAMED, k, 1, f"as {n}") for k, n in series.items() if k != n),
        *_renamed_attributes(attributes, limits),
        *_paths_of_renamed(inventory, series, limits),
    ]
    certain, possible = foretell(inventory, limits)
    rules = rules_hash(limits)
    spelled = json.dumps(
        [rules, sorted(series.items()), sorted((r, p, n) for (r, p), n in attributes.items())]
    )
    return RunPlan(
        uid=inventory.run.uid,
        series=series,
        attributes=attributes,
        limits=limits,
        losses=(*inventory.left_out, *renamed, *certain),
        possible=possible,
        rules=rules,
        hash=f"{rules}-{_hash(spelled)}",
    )


def rules_hash(limits: Limits) -> str:
    """Tells limits apart, and versions of this module."""
    told = {field.name: getattr(limits, field.name) for field in dataclasses.fields(limits)}
    spelled = json.dumps([PLAN_VERSION, told], default=dataclasses.asdict, sort_keys=True)
    return _hash(spelled)


def unsent(run: Run, limits: Limits) -> frozenset[str]:
    """The fields of a header that the destination cannot hold."""
    return frozenset(
        name
        for name, fate in limits.header_fields.items()
        if fate is Fate.DROPPED and getattr(run, name, None) not in (None, (), {}, "unknown")
    )


def _series_names(inventory: Inventory, limits: Limits) -> dict[str, str]:
    namer = Namer(limits.series_key)
    names = {series.key: namer.name(series.key) for series in inventory.series}
    held = {
        series.key
        for series in inventory.series
        for kind, _ in inventory.kinds_of(series)
        if kind == "media" or limits.holds.get(kind, Fate.DROPPED) is not Fate.DROPPED
    }
    return {key: name for key, name in names.items() if key in held}


def _attribute_names(
    attributes: tuple[Attribute, ...], limits: Limits
) -> dict[tuple[Role, KeyPath], str]:
    namers: dict[Role, Namer] = {}
    names: dict[tuple[Role, KeyPath], str] = {}
    for attribute in attributes:
        if limits.holds.get(attribute.role, Fate.DROPPED) is Fate.DROPPED:
            continue
        namer = namers.setdefault(attribute.role, Namer(limits.attribute_key))
        joined = limits.attribute_separator.join(attribute.path)
        names[attribute.role, attribute.path] = namer.name(joined, json.dumps(attribute.path))
    return names


def _renamed_attributes(names: Mapping[tuple[Role, KeyPath], str], limits: Limits) -> list[Loss]:
    return [
        Loss("renamed-key", Fate.RENAMED, attribute_place(role, path), 1, f"as {name}")
        for (role, path), name in names.items()
        if name != limits.attribute_separator.join(path)
    ]


def _paths_of_renamed(inventory: Inventory, names: Mapping[str, str], limits: Limits) -> list[Loss]:
    """A series whose name there is not its path has another path, where none is kept beside."""
    if limits.key_path <= Fate.REENCODED:
        return []
    return [
        Loss("key-path", limits.key_path, series.key, 1, "its path is its name there")
        for series in inventory.series
        if len(series.path) == 1 and series.path != (names.get(series.key, series.key),)
    ]


def attribute_place(role: Role, path: KeyPath) -> str:
    """How a loss names an attribute."""
    return ".".join((role, *path))


def _hash(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()

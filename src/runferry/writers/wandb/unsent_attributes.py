"""Attributes for which W&B's service has another place, or none."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from runferry.dialects.json_trees import leaves
from runferry.dialects.wandb.marks import ADDED_SUMMARY
from runferry.dialects.wandb.values import is_leaf
from runferry.losses import Fate, Loss
from runferry.model import Attribute, KeyPath
from runferry.writers.wandb.environment import is_environment_of_wandb

_SHOWN: Final = ("config", "summary")
_INTERNAL: Final = "_wandb"
_VERSION: Final = "wandb_version"
"""What W&B keeps in a config for itself."""


def unsent_attributes(
    items: Iterable[Attribute], address_of: Callable[[Attribute], KeyPath]
) -> Iterator[Loss]:
    """What is told of them; `address_of` gives the path of a config or summary value in W&B.

    What follows from a value's type alone is foretold.
    """
    for item in items:
        if item.role in _SHOWN and is_shown(item):
            yield from _elsewhere(item, address_of(item))


def is_shown(item: Attribute) -> bool:
    """Whether W&B has a place for it; what it has none for lies beside the run."""
    match item.role:
        case "environment":
            return is_environment_of_wandb(item)
        case "config" | "summary":
            first = item.path[0]
            is_of_wandb = first == _INTERNAL or item.path == (_VERSION,)
            is_counted = item.role == "summary" and first in ADDED_SUMMARY
            is_empty = item.value == {}  # of which W&B keeps none
            is_forgotten = item.role == "summary" and item.value is None  # by the upload
            return not (is_of_wandb or is_counted or is_empty or is_forgotten)
        case _:
            return False


def _elsewhere(item: Attribute, address: KeyPath) -> Iterator[Loss]:
    """A mapping that is one value here is a value for each name there."""
    shown = [path for path, _ in leaves(item.value, address, is_leaf)]
    if shown != [address]:
        yield _gone(item, f"W&B has it at {len(shown)} other places")
        for path in shown:
            place = ".".join((item.role, *path))
            yield Loss("invented", Fate.DROPPED, place, 1, f"this is of {_place(item)}")


def _gone(item: Attribute, why: str) -> Loss:
    return Loss(item.role, Fate.DROPPED, _place(item), 1, why)


def _place(item: Attribute) -> str:
    return ".".join((item.role, *item.path))

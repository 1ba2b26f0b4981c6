"""Attributes that W&B's service gets at another place or not at all: as losses."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from runferry.dialects.json_trees import leaves
from runferry.dialects.wandb.marks import ADDED_SUMMARY
from runferry.dialects.wandb.values import is_leaf
from runferry.losses import Fate, Loss
from runferry.model import Attribute, KeyPath
from runferry.writers.wandb.environment import is_environment_of_wandb

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
        match item.role:
            case "environment":
                if not is_environment_of_wandb(item):
                    yield _gone(item, "W&B has no field for it")
            case "config" | "summary":
                yield from _of_tree(item, address_of)
            case _:
                pass  # not sent, and foretold


def _of_tree(item: Attribute, address_of: Callable[[Attribute], KeyPath]) -> Iterator[Loss]:
    first = item.path[0]
    if first == _INTERNAL or item.path == (_VERSION,):
        yield _gone(item, "W&B keeps this name for itself")
    elif item.role == "summary" and first in ADDED_SUMMARY:
        yield _gone(item, "W&B states its own")
    elif item.value == {}:
        yield _gone(item, "W&B keeps no empty mapping")
    else:
        yield from _elsewhere(item, address_of(item))


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

"""What the service says of a run's history: how many rows, and how many values of each name.

`historyKeys` is `{"keys": {NAME: {"typeCounts": [{"type": T, "count": N}]}}, "lastStep": N}`; a
type is number, string, bool, nil, map, list, or the `_type` of W&B's own values. Names of nested
values are joined by dots.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from runferry.model import Tree

_ADDRESS: Final = frozenset({"_step", "_timestamp"})
_OF_EVENTS: Final = "system/"  # how machine metrics are listed among the keys
_NULLS: Final = frozenset({"nil", "null"})
_NOT_NUMBERS: Final = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}
_PARTS: Final = frozenset({"map", "unknown"})
"""Types whose values need not be one value each of this name."""


@dataclass(frozen=True, slots=True)
class Stated:
    """The history as the service counts it."""

    rows: int
    last_step: int | None
    types: Mapping[str, Mapping[str, int]] = field(default_factory=dict)  # by name, then type

    @classmethod
    def of(cls, node: Mapping[str, Any]) -> Stated:
        """What a run's node says; of what it does not say, nothing."""
        keys = _mapping(node.get("historyKeys"))
        last = keys.get("lastStep")
        rows = node.get("historyLineCount")
        return cls(
            rows if isinstance(rows, int) else 0,
            int(last) if isinstance(last, (int, float)) and last >= 0 else None,
            {
                name: found
                for name, item in _mapping(keys.get("keys")).items()
                if name not in _ADDRESS
                and not name.startswith(_OF_EVENTS)
                and (found := _types(item))
            },
        )

    def shortage(self, found: Mapping[str, int]) -> dict[str, int]:
        """The names of which fewer values were found, nulls apart, and how many are missing."""
        missing = {
            name: sum(n for kind, n in types.items() if kind not in _NULLS) - found.get(name, 0)
            for name, types in self.types.items()
            if not _PARTS & types.keys()
        }
        return {name: count for name, count in missing.items() if count > 0}

    def nulls_missing(self, found: Mapping[str, int]) -> dict[str, int]:
        """The same for nulls that were logged."""
        missing = {
            name: sum(types.get(kind, 0) for kind in _NULLS) - found.get(name, 0)
            for name, types in self.types.items()
        }
        return {name: count for name, count in missing.items() if count > 0}

    def is_text(self, name: str) -> bool:
        """Whether all values of this name are texts: then NaN is a word like others."""
        return {*self.types.get(name, {})} - _NULLS == {"string"}

    @property
    def has_nulls(self) -> bool:
        """Whether nulls were logged, which an export cannot tell from nothing."""
        return any(_NULLS & types.keys() for types in self.types.values())


def _types(item: object) -> dict[str, int]:
    found: dict[str, int] = {}
    for each in _mapping(item).get("typeCounts") or ():
        if isinstance(each, dict) and isinstance(count := each.get("count"), (int, float)):
            kind = str(each.get("type"))
            found[kind] = found.get(kind, 0) + int(count)
    return found


def _mapping(value: object) -> dict[str, Any]:
    """A mapping, also one that is spelled as JSON."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return {}
    return value if isinstance(value, dict) else {}


def numbered(name: str, value: Tree, stated: Stated) -> Tree:
    """The value with those numbers that the service spells as text, JSON having none for them."""
    return value if stated.is_text(name) else _with_numbers(value)


def with_numbers(found: Mapping[str, Tree], stated: Stated) -> dict[str, Tree]:
    """The same for all values of a mapping."""
    return {name: numbered(name, value, stated) for name, value in found.items()}


def _with_numbers(value: Tree) -> Tree:
    if isinstance(value, str):
        return _NOT_NUMBERS.get(value, value)
    if isinstance(value, dict):
        return {name: _with_numbers(item) for name, item in value.items()}
    return [_with_numbers(item) for item in value] if isinstance(value, list) else value

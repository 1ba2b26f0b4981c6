"""What a series is called in Aim: a name and a context, which no other has."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from itertools import count
from typing import Final

from runferry.dialects.aim.places import LOGS, SYSTEM
from runferry.dialects.json_trees import mended
from runferry.model import Attribute, Series, Tree

Context = dict[str, Tree]
_EPOCH: Final = "epoch"
_CONTEXTS: Final = ("aim", "contexts")


class Names:
    """Gives a series the name that it has in Aim; holds what it gave."""

    def __init__(self, series: Mapping[str, Series], attributes: Iterable[Attribute]) -> None:
        self._series = series
        self._contexts = _contexts(attributes)
        self._known: dict[tuple[str, str], tuple[str, Context]] = {}
        self._taken = {(LOGS, "{}")}
        self.renamed: dict[str, str] = {}
        """Keys of series whose name is another one there."""

    def of(self, key: str, kind: str) -> tuple[str, Context]:
        """The name and the context of a series; values of another kind have a name of their own."""
        known = self._known.get((key, kind))
        if known is None:
            known = self._known[key, kind] = self._new(key)
        return known

    def epochs(self) -> dict[str, str]:
        """Keys of series that Aim's reader made of the epochs of another, and the other's."""
        paths = {(series.stream, series.path): key for key, series in self._series.items()}
        found = {}
        for (stream, path), key in paths.items():
            of = paths.get((stream, path[:-1])) if path[-1] == _EPOCH else None
            if of is not None:
                found[key] = of
        return found

    def given(self, key: str) -> tuple[str, Context] | None:
        """What a series has been called so far; of several kinds the first."""
        return next((name for (known, _), name in self._known.items() if known == key), None)

    def _new(self, key: str) -> tuple[str, Context]:
        series = self._series.get(key)
        context = None if series is None else self._contexts.get(series.path[1:])
        name = key if series is None or context is None else series.path[0]
        whole = str(mended(name)) or "_"
        if series is not None and series.stream == "system":
            whole = f"{SYSTEM}{whole}"
        elif whole.startswith(SYSTEM):
            whole = f"_{whole}"
        plain, copies, context = whole, count(2), context or {}
        spelled = json.dumps(context, sort_keys=True)
        while (whole, spelled) in self._taken:
            whole = f"{plain}~{next(copies)}"
        self._taken.add((whole, spelled))
        if whole.removeprefix(SYSTEM) != name:
            self.renamed[key] = whole
        return whole, context


def _contexts(attributes: Iterable[Attribute]) -> dict[tuple[str, ...], Context]:
    """Contexts that Aim's reader found, by how it spells them in paths."""
    found: dict[tuple[str, ...], Context] = {}
    for item in attributes:
        if item.role == "other" and item.path[:2] == _CONTEXTS and isinstance(item.value, dict):
            words = (f"{name}={_word(value)}" for name, value in sorted(item.value.items()))
            found[tuple(words)] = item.value
    return found


def _word(value: Tree) -> str:
    return value if isinstance(value, str) else json.dumps(value)

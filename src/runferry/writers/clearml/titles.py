"""Title and series of everything that a run logged: ClearML has these two and no more."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import count
from typing import Final

from runferry.dialects.clearml.names import MONITOR
from runferry.losses import Fate, Loss
from runferry.model import Attribute, KeyPath, Series

Title = tuple[str, str]
_MACHINE: Final = f"{MONITOR}machine"


class Titles:
    """Gives each series of a run a title and a name of its own. Equal runs give equal ones."""

    def __init__(self, series: Mapping[str, Series]) -> None:
        self._series = series
        self._given: dict[str, Title] = {}
        self._taken: set[Title] = set()
        self.renamed: list[Loss] = []

    def of(self, key: str) -> Title:
        """The title and series under which a key is shown; the same ones on every call."""
        known = self._given.get(key)
        if known is None:
            known = self._given[key] = self._free(key)
            self._taken.add(known)
        return known

    def _free(self, key: str) -> Title:
        title, wished = _wished(self._series.get(key) or Series(key, (key,)))
        name = next(it for it in _copies(wished) if (title, it) not in self._taken)
        if name != wished:
            detail = f"as {title} / {name}"
            self.renamed.append(Loss("renamed-key", Fate.RENAMED, key, 1, detail))
        return title, name


class SingleNames:
    """Gives each number that is shown by itself a name of its own: ClearML has no paths there."""

    def __init__(self, numbers: Iterable[Attribute]) -> None:
        self.items: list[tuple[Attribute, str]] = []
        self.renamed: list[Loss] = []
        taken: set[str] = set()
        for item in numbers:
            wished = "/".join(item.path)
            name = next(it for it in _copies(wished) if it not in taken)
            taken.add(name)
            self.items.append((item, name))
            if name != wished:
                detail = f"as {name}"
                self.renamed.append(Loss("renamed-key", Fate.RENAMED, wished, 1, detail))


def _copies(name: str) -> Iterator[str]:
    yield name
    yield from (f"{name}~{copy}" for copy in count(2))


def _wished(series: Series) -> Title:
    path = series.path
    if series.stream == "system" and not path[0].startswith(MONITOR):
        return _MACHINE, "/".join(path).removeprefix("system.").removeprefix("system/")
    return _of_path(path)


def _of_path(path: KeyPath) -> Title:
    """A nested path, else a name with slashes: what comes first is the title.

    A name of one word is title and series, as ClearML's own hooks spell TensorBoard's tags.
    """
    if len(path) > 1:
        return path[0], "/".join(path[1:])
    title, slash, name = path[0].partition("/")
    return (title, name) if slash and title and name else (path[0], path[0])

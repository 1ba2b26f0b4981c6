"""From the names that the service gives values to the paths that their series have.

W&B's service joins the names of nested values by dots, in some answers and not in others. The
summary still has them nested, so it tells which names were joined; a series' path then is the same
as that of the run's own folder, and does not depend on the answer that a value came with.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from runferry.model import KeyPath, Series, Tree
from runferry.readers.wandb.trees import leaves


class Names:
    """The paths of one run's series, and how many values each name had so far."""

    def __init__(
        self,
        known: tuple[Series, ...],
        summary: Mapping[str, Tree],
        counts: Mapping[str, Tree],
        stated: Iterable[KeyPath] = (),
    ) -> None:
        """`stated` are paths of which we know that they are those of series."""
        self._paths: dict[str, KeyPath] = {}
        for path, _ in leaves(dict(summary)):
            name = ".".join(path)
            # two of them are one name to the service: nobody knows whose values it means
            self._paths[name] = (name,) if name in self._paths else path
        self._paths.update((".".join(path), path) for path in stated)
        for series in known:
            if series.stream == "user":
                self._paths[".".join(series.path)] = series.path
        self.values = Counter[str]()
        self.nulls = Counter[str]()
        for name, found in counts.items():
            if isinstance(found, list) and len(found) == 2:
                self.values[name], self.nulls[name] = (int(str(each)) for each in found)

    def path(self, place: KeyPath) -> KeyPath:
        """The path of the values that stand at this place of a row."""
        name = ".".join(place)
        return self._paths.setdefault(name, (name,))

    def count(self, place: KeyPath, value: Tree) -> None:
        """One value was met."""
        (self.nulls if value is None else self.values)[".".join(place)] += 1

    def counts(self) -> dict[str, Tree]:
        """What was counted, for a cursor."""
        return {
            name: [self.values[name], self.nulls[name]]
            for name in sorted({*self.values, *self.nulls})
        }

"""Where series and attributes go in W&B's trees: paths of which none is above another."""

from __future__ import annotations

from runferry.model import KeyPath


class Addresses:
    """Gives each name of one tree a path.

    W&B joins paths by dots where it shows them, and a tree has no value above another. So a name
    keeps its structure where that is joined to the very name; else it is one element, which W&B
    shows the same. First come, first served: what was given never changes.
    """

    def __init__(self) -> None:
        self._given: dict[str, KeyPath] = {}
        self._leaves: set[KeyPath] = set()
        self._inner: set[KeyPath] = set()

    def of(self, name: str, path: KeyPath) -> KeyPath:
        """The path of this name; the same one on every call."""
        known = self._given.get(name)
        if known is not None:
            return known
        is_free = ".".join(path) == name and self._is_free(path)
        found = path if is_free else (name,)
        self._given[name] = found
        self._leaves.add(found)
        self._inner.update(found[:length] for length in range(1, len(found)))
        return found

    def get(self, name: str) -> KeyPath | None:
        """The path of a name that has one."""
        return self._given.get(name)

    def _is_free(self, path: KeyPath) -> bool:
        if path in self._inner or path in self._leaves:
            return False
        return not any(path[:length] in self._leaves for length in range(1, len(path)))


def escaped(path: KeyPath) -> str:
    """A path as `define_metric` has it: joined by dots, those of the names escaped."""
    return ".".join(name.replace(".", "\\.") for name in path)

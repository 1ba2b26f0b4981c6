"""Values by their paths, as wandb-core keeps them: a value and a mapping never share a place."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from runferry.live.replicas.go_json import respelled, spelled
from runferry.model import Tree

Leaf = TypeVar("Leaf")
Path = tuple[str, ...]


@dataclass
class ValueTree(Generic[Leaf]):
    """A tree of leaves; whatever is set last has its place to itself."""

    _root: dict[str, _Node[Leaf]] = field(default_factory=dict)

    def set(self, path: Path, leaf: Leaf) -> None:
        """Put a leaf, in place of what stands there or above."""
        *above, name = path
        level = self._root
        for label in above:
            node = level.get(label)
            if node is None or node.below is None:
                node = level[label] = _Node(below={})
            assert node.below is not None
            level = node.below
        level[name] = _Node(leaf=leaf)

    def get(self, path: Path) -> Leaf | None:
        """The leaf of a path, if there is one."""
        node = self._node(path)
        return None if node is None or node.below is not None else node.leaf

    def made(self, path: Path, make: Callable[[], Leaf]) -> Leaf:
        """The leaf of a path, made if there is none."""
        leaf = self.get(path)
        if leaf is None:
            leaf = make()
            self.set(path, leaf)
        return leaf

    def remove(self, path: Path) -> None:
        """Take away what stands at a path, and below it."""
        *above, name = path
        node = self._node(tuple(above)) if above else _Node(below=self._root)
        if node is not None and node.below is not None:
            node.below.pop(name, None)

    def leaves(self) -> Iterator[tuple[Path, Leaf]]:
        """Every leaf with its path."""
        yield from _leaves(self._root, ())

    def __bool__(self) -> bool:
        return next(self.leaves(), None) is not None

    def _node(self, path: Path) -> _Node[Leaf] | None:
        level: dict[str, _Node[Leaf]] | None = self._root
        node = None
        for label in path:
            node = None if level is None else level.get(label)
            if node is None:
                return None
            level = node.below
        return node


@dataclass(slots=True)
class _Node(Generic[Leaf]):
    leaf: Leaf | None = None
    below: dict[str, _Node[Leaf]] | None = None


def _leaves(level: dict[str, _Node[Leaf]], above: Path) -> Iterator[tuple[Path, Leaf]]:
    for label, node in level.items():
        if node.below is not None:
            yield from _leaves(node.below, (*above, label))
        elif node.leaf is not None:
            yield (*above, label), node.leaf


def put_json(tree: ValueTree[str], path: Path, text: str, *, verbatim: bool = False) -> None:
    """A value in JSON, a mapping leaf by leaf. Raises ValueError for what is no JSON.

    It is spelled as wandb-core does, or left as the client spelled it.
    """
    if not text.lstrip().startswith("{"):
        tree.set(path, text if verbatim else respelled(text))
        return
    for below, value in _values(json.loads(text), path):
        tree.set(below, json.dumps(value) if verbatim else spelled(value))


def _values(value: Tree, path: Path) -> Iterator[tuple[Path, Tree]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _values(inner, (*path, name))
    else:
        yield path, value

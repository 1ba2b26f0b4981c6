"""JSON as W&B writes it, and nested values as paths."""

from __future__ import annotations

import json
from collections.abc import Iterator

from runferry.dialects import json_trees
from runferry.dialects.json_trees import SPLIT_AT_MOST, parse_json
from runferry.dialects.wandb.values import is_leaf
from runferry.model import KeyPath, Tree

__all__ = [
    "clear",
    "is_leaf",
    "item_path",
    "json_or_text",
    "leaves",
    "merge",
    "parse_json",
    "put",
    "remove",
]


def json_or_text(text: str) -> Tree:
    """What the text says as JSON; where it is none, the text that it is."""
    try:
        return parse_json(text)
    except ValueError:
        return text


def leaves(value: Tree, path: KeyPath = ()) -> Iterator[tuple[KeyPath, Tree]]:
    """The values of a mapping by path; an empty mapping is a value, and so is a medium."""
    return json_trees.leaves(value, path, is_leaf)


def put(tree: dict[str, Tree], path: KeyPath, value: Tree) -> None:
    """Set the value at `path`, replacing whatever stood there or on the way."""
    path = _split(path)
    for name in path[:-1]:
        below = tree.get(name)
        if not isinstance(below, dict):
            below = tree[name] = {}
        tree = below
    tree[path[-1]] = value


def merge(tree: dict[str, Tree], path: KeyPath, value: Tree) -> None:
    """Set the leaves of `value` below `path`, leaving what stands beside them.

    An empty mapping has no leaves: it is only put where nothing stands.
    """
    if isinstance(value, dict) and value and len(path) < SPLIT_AT_MOST:
        for name, item in value.items():
            merge(tree, (*path, name), item)
    elif value != {} or not _stands(tree, path):
        put(tree, path, value)


def _stands(tree: dict[str, Tree], path: KeyPath) -> bool:
    below: Tree = tree
    for name in _split(path):
        if not isinstance(below, dict):
            return True  # a value on the way
        if name not in below:
            return False
        below = below[name]
    return True


def remove(tree: dict[str, Tree], path: KeyPath) -> None:
    """Take away what stands at `path`, if anything does."""
    path = _split(path)
    for name in path[:-1]:
        below = tree.get(name)
        if not isinstance(below, dict):
            return
        tree = below
    tree.pop(path[-1], None)


def clear(tree: dict[str, Tree], path: KeyPath) -> None:
    """Take away what stands at `path`, and what this leaves empty above it.

    A value in the way goes too. So the last thing said of a path decides alone, and that is all
    that a scan remembers: what it said before may have been met by this scan or by an earlier one.
    """
    path = _split(path)
    below = tree.get(path[0])
    if len(path) > 1 and isinstance(below, dict):
        clear(below, path[1:])
        if below:
            return
    tree.pop(path[0], None)


def _split(path: KeyPath) -> KeyPath:
    """A path no deeper than stacks are; what is beyond is one name."""
    if len(path) <= SPLIT_AT_MOST:
        return path
    return (*path[: SPLIT_AT_MOST - 1], json.dumps(path[SPLIT_AT_MOST - 1 :]))


def item_path(item: dict[str, Tree]) -> KeyPath:
    """The path of a config or summary item: `nested_key`, or `key` as one element."""
    nested = item.get("nested_key")
    if isinstance(nested, list) and nested:
        return tuple(str(part) for part in nested)
    return (str(item.get("key", "")),)

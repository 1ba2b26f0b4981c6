"""JSON as W&B writes it, and nested values as paths."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import cast

from runferry.model import KeyPath, Tree

_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]')  # or a string, whose own are skipped
_DEPTH_AT_MOST = 200  # of lists and mappings in each other; hostile nesting exhausts the stack
_SPLIT_AT_MOST = 64  # elements of a path; what is nested deeper stays one value


def parse_json(text: str) -> Tree:
    """A value as W&B spells it: bare NaN and Infinity are numbers, integers are of any size.

    Half a surrogate pair, which no UTF-8 can hold, becomes U+FFFD. Raises ValueError, also for
    lists and mappings nested deeper than anybody means.
    """
    if text.count("[") + text.count("{") > _DEPTH_AT_MOST and _depth(text) > _DEPTH_AT_MOST:
        raise ValueError("nested too deeply")
    try:
        value = cast("Tree", json.loads(text))
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return _mended(value) if "\\u" in text else value


def _depth(text: str) -> int:
    """How deeply lists and mappings are nested."""
    depth = deepest = 0
    for mark in _BRACKETS.findall(text):
        if mark in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif mark in "]}":
            depth -= 1
    return deepest


def _mended(value: Tree) -> Tree:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_mended(item) for item in value]
    if isinstance(value, dict):
        return {str(_mended(name)): _mended(item) for name, item in value.items()}
    return value


def is_leaf(value: Tree) -> bool:
    """Whether this stays one value: everything but a mapping with entries and without `_type`."""
    return not isinstance(value, dict) or not value or isinstance(value.get("_type"), str)


def leaves(value: Tree, path: KeyPath = ()) -> Iterator[tuple[KeyPath, Tree]]:
    """The values of a mapping by path; an empty mapping is a value, and so is a medium."""
    if path and (is_leaf(value) or len(path) >= _SPLIT_AT_MOST):
        yield path, value
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from leaves(item, (*path, name))


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
    if isinstance(value, dict) and value and len(path) < _SPLIT_AT_MOST:
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
    if len(path) <= _SPLIT_AT_MOST:
        return path
    return (*path[: _SPLIT_AT_MOST - 1], json.dumps(path[_SPLIT_AT_MOST - 1 :]))


def item_path(item: dict[str, Tree]) -> KeyPath:
    """The path of a config or summary item: `nested_key`, or `key` as one element."""
    nested = item.get("nested_key")
    if isinstance(nested, list) and nested:
        return tuple(str(part) for part in nested)
    return (str(item.get("key", "")),)

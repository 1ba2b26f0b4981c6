"""What users give as parameters, as JSON: a mapping of values of any type."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any


def plain(params: Mapping[Any, Any]) -> dict[str, object]:
    """What JSON can say, and all else as text; what is in itself is as Python prints it there."""
    return _mapping(params, frozenset())


def _mapping(params: Mapping[Any, Any], above: frozenset[int]) -> dict[str, object]:
    within = above | {id(params)}
    return {str(name): _plain(value, within) for name, value in params.items()}


def _plain(value: Any, above: frozenset[int]) -> object:
    if isinstance(value, Mapping):
        return "{...}" if id(value) in above else _mapping(value, above)
    if isinstance(value, (list, tuple)):
        within = above | {id(value)}
        return "[...]" if id(value) in above else [_plain(inner, within) for inner in value]
    value = _of_numpy(value)
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


def _of_numpy(value: Any) -> Any:
    """A number or a truth value of NumPy as Python's own; whoever gives one has imported it."""
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(value, (numpy.bool_, numpy.integer, numpy.floating)):
        return value.item()
    return value

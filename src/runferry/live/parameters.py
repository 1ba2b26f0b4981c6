"""What users give as parameters, as JSON: a mapping of values of any type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def plain(params: Mapping[Any, Any]) -> dict[str, object]:
    """What JSON can say, and all else as text."""
    return {str(name): _plain(value) for name, value in params.items()}


def _plain(value: Any) -> object:
    if isinstance(value, Mapping):
        return plain(value)
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)

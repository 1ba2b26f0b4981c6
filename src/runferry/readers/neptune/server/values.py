"""What the vendor's client hands out, as trees."""

from __future__ import annotations

from datetime import UTC, datetime

from runferry.model import Tree


def tree_of(value: object) -> Tree:
    """A value of an attribute; a time without a zone is UTC, as the server's are.

    Sets come in the order of their words.
    """
    match value:
        case None | bool() | int() | float() | str():
            return value
        case datetime():
            return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
        case set() | frozenset():
            return list[Tree](sorted(map(str, value)))
        case list() | tuple():
            return [tree_of(one) for one in value]
        case dict():
            return {str(name): tree_of(one) for name, one in value.items()}
    return str(value)

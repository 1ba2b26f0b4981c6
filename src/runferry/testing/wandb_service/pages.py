"""Pages of lists: edges, cursors and whether there is more."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from typing import Any

from runferry.testing.wandb_service.refusals import Refusal
from runferry.testing.wandb_service.store import Record

DEFAULT_SIZE = 50
LARGEST = 1000


def cursor_of(key: object) -> str:
    """An opaque cursor that stands for a place in an order."""
    return base64.b64encode(json.dumps(key).encode()).decode()


def place_of(cursor: str) -> Any:
    """What a cursor stands for. Raises Refusal for one that is not ours."""
    try:
        return json.loads(base64.b64decode(cursor, validate=True))
    except (binascii.Error, ValueError) as error:
        raise Refusal(f"invalid cursor {cursor!r}") from error


def size_of(first: int | None, largest: int = LARGEST) -> int:
    """How many a page holds: as asked, within what the service allows."""
    return min(DEFAULT_SIZE if first is None else max(first, 0), largest)


def connection(
    nodes: Sequence[Record], cursors: Sequence[str], *, has_more: bool, total: int | None = None
) -> Record:
    """One page as GraphQL's connections have it."""
    return {
        "edges": [
            {"node": node, "cursor": cursor} for node, cursor in zip(nodes, cursors, strict=True)
        ],
        "page_info": {"end_cursor": cursors[-1] if cursors else None, "has_next_page": has_more},
        "total_count": len(nodes) if total is None else total,
    }


def page_of(
    nodes: Sequence[Record],
    after: str | None,
    first: int | None,
    key: Callable[[Record], object] = lambda node: node["id"],
) -> Record:
    """A page of a list that is whole in memory: what comes behind the node of the cursor."""
    keys = [key(node) for node in nodes]
    start = 0
    if after:
        place = place_of(after)
        start = keys.index(place) + 1 if place in keys else len(keys)
    end = start + size_of(first)
    cursors = [cursor_of(each) for each in keys[start:end]]
    return connection(nodes[start:end], cursors, has_more=end < len(nodes), total=len(nodes))

"""Tables as trackio logs them: a list of rows, each a mapping by the names of the columns."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

_AT_MOST: Final = 1 << 20
"""Bytes: a table stands in the row that it was logged in, which trackio reads whole."""


def shown_table(path: Path) -> object | None:
    """What is logged for a table; None for one that is no such JSON, or too large.

    Known are W&B's (`columns` and `data`), trackio's own, and lists of mappings.
    """
    if path.stat().st_size > _AT_MOST:
        return None
    try:
        found = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return None
    rows = _rows(found)
    if rows is None:
        return None
    shown = [{str(name): _cell(cell) for name, cell in row.items()} for row in rows]
    return {"_type": "trackio.table", "_value": shown}


def _rows(found: Any) -> list[dict[Any, Any]] | None:
    match found:
        case {"_type": "trackio.table", "_value": list(rows)} | list(rows):
            return rows if rows and all(isinstance(row, dict) for row in rows) else None
        case {"columns": list(columns), "data": list(data)}:
            names = [str(name) for name in columns]
            is_even = all(isinstance(row, list) and len(row) == len(names) for row in data)
            if not is_even or len({*names}) < len(names):
                return None
            return [dict(zip(names, row, strict=True)) for row in data]
    return None


def _cell(value: object) -> object:
    """What trackio shows as it is; of anything else its JSON, which it would not show."""
    if isinstance(value, dict) and str(value.get("_type", "")).startswith("trackio."):
        return value
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (dict, list)) else value

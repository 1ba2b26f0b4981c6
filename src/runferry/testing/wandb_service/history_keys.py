"""What the service states of a history without handing it out: keys, counts, types, last step.

The form of `historyKeys`: `{"sets": [], "keys": {KEY: {"typeCounts": [{"type", "count"}],
"monotonic", "previousValue"}}, "lastStep"}`. A mapping is counted by its leaves, joined by dots;
one with `_type` is a leaf of that type.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

Stats = dict[str, Any]
"""KEY → {"counts": {type: count}, "monotonic": bool, "previous": last value}."""


def leaves(row: dict[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """The leaves of a row under their dotted keys."""
    for name, value in row.items():
        key = f"{above}{name}"
        if isinstance(value, dict) and "_type" not in value and value:
            yield from leaves(value, f"{key}.")
        else:
            yield key, value


def type_of(value: object) -> str:
    """The service's word for the type of a leaf."""
    match value:
        case bool():
            return "bool"
        case int() | float() | "NaN" | "Infinity" | "-Infinity":
            return "number"
        case str():
            return "string"
        case None:
            return "nil"
        case list():
            return "list"
        case dict():
            return str(value.get("_type", "map"))
    return "unknown"


def count_rows(stats: Stats, rows: Iterable[dict[str, Any]]) -> None:
    """Count live rows into `stats`."""
    for row in rows:
        for key, value in leaves(row):
            kind = type_of(value)
            _count(stats, key, kind, 1)
            if kind == "number" and not isinstance(value, str):
                fact = stats[key]
                previous = fact["previous"]
                fact["monotonic"] &= previous is None or value >= previous
                fact["previous"] = value


def count_columns(stats: Stats, table: pa.Table) -> None:
    """Count the rows of an export into `stats`, column by column."""
    import pyarrow as pa
    import pyarrow.compute as pc

    for name in table.column_names:
        column = table.column(name)
        count = len(column) - column.null_count
        if not count:
            continue
        is_number = pa.types.is_integer(column.type) or pa.types.is_floating(column.type)
        _count(stats, name, "number" if is_number else _type_in_arrow(column), count)
        if is_number:
            values = column.drop_null()
            rising = pc.all(pc.greater_equal(values[1:], values[:-1])).as_py()
            stats[name]["monotonic"] &= rising is not False
            last = values[-1].as_py()
            stats[name]["previous"] = last if last == last else None  # NaN is no JSON


def _count(stats: Stats, key: str, kind: str, count: int) -> None:
    fact = stats.setdefault(key, {"counts": {}, "monotonic": True, "previous": None})
    fact["counts"][kind] = fact["counts"].get(kind, 0) + count


def _type_in_arrow(column: pa.ChunkedArray) -> str:
    import pyarrow as pa

    if pa.types.is_boolean(column.type):
        return "bool"
    if pa.types.is_struct(column.type):
        return type_of(column.drop_null()[0].as_py())
    return "list" if pa.types.is_list(column.type) else "string"


def spelled(stats_json: str, last_step: int) -> dict[str, Any] | None:
    """The field `historyKeys`; None where nothing was logged."""
    stats: Stats = json.loads(stats_json)
    if not stats:
        return None
    keys = {
        key: {
            "typeCounts": [
                {"type": kind, "count": count} for kind, count in fact["counts"].items()
            ],
            "monotonic": fact["monotonic"],
            "previousValue": fact["previous"],
        }
        for key, fact in stats.items()
    }
    return {"sets": [], "keys": keys, "lastStep": last_step}

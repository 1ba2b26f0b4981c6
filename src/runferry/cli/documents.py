"""Runs, series and losses as the JSON that docs/cli.md describes."""

from __future__ import annotations

import dataclasses
from typing import Any

from runferry.model import Attribute, Inventory, Run, Series, instant

SCHEMA_VERSION = 1

_NS_A_SECOND = 10**9


def moment_json(time_ns: int | None) -> str | None:
    """Nanoseconds as ISO 8601 with all nine digits: as a number, JSON would round them.

    Beyond the years that ISO 8601 has four digits for, the first or the last second of them.
    """
    if time_ns is None:
        return None
    seconds, rest = divmod(time_ns, _NS_A_SECOND)
    whole = instant(seconds * _NS_A_SECOND).replace(microsecond=0, tzinfo=None)
    return f"{whole.isoformat()}.{rest:09d}Z"


def run_json(run: Run) -> dict[str, Any]:
    """A run's header."""
    document: dict[str, Any] = {"uid": run.uid, **dataclasses.asdict(run.key)}
    for field in dataclasses.fields(run):
        value = getattr(run, field.name)
        if field.name.endswith("_ns"):
            document[field.name.removesuffix("_ns")] = moment_json(value)
        elif field.name == "forked_from":
            document[field.name] = None if value is None else dataclasses.asdict(value)
        elif field.name == "labels":
            document[field.name] = dict(value)
        elif field.name == "tags":
            document[field.name] = list(value)
        elif field.name != "key":
            document[field.name] = value
    return document


def inventory_json(inventory: Inventory) -> dict[str, Any]:
    """A run with all that is known of it short of its rows."""
    from runferry.transfer.report import loss_json

    return {
        **run_json(inventory.run),
        "attributes": [attribute_json(item) for item in inventory.attributes],
        "series": [
            series_json(dataclasses.replace(item, kind=kind, counts=counts))
            for item in inventory.series
            for kind, counts in inventory.kinds_of(item)
        ],
        "rows": dict(inventory.rows),
        "missing": dict(inventory.missing),
        "losses": [loss_json(loss) for loss in inventory.losses],
    }


def attribute_json(attribute: Attribute) -> dict[str, Any]:
    """One value; what JSON cannot spell is tagged as in the archive."""
    from runferry.tables import to_json

    return {
        "role": attribute.role,
        "path": list(attribute.path),
        "value": to_json(attribute.value),
    }


def series_json(series: Series) -> dict[str, Any]:
    """One series with its counts."""
    counts: dict[str, Any] | None = None
    if series.counts is not None:
        counts = dataclasses.asdict(series.counts)
        for name in ("min_time", "max_time"):
            counts[name] = moment_json(counts.pop(f"{name}_ns"))
    return {
        "key": series.key,
        "path": list(series.path),
        "stream": series.stream,
        "kind": series.kind,
        "x_axis": series.x_axis,
        "goal": series.goal,
        "summary_rule": series.summary_rule,
        "hidden": series.hidden,
        "counts": counts,
    }

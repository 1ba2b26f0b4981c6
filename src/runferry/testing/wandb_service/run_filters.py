"""Filters and orders of runs, as the service takes them: a filter is a query of MongoDB's form.

Names are columns of a run in either spelling, `config.KEY[.value]`, `summary_metrics.KEY`,
`tags`; orders are `+` or `-` and such a name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from runferry.testing.wandb_service.refusals import Refusal
from runferry.testing.wandb_service.store import Record

COLUMNS = {
    "displayName": "display_name",
    "jobType": "job_type",
    "group": "group_name",
    "groupName": "group_name",
    "createdAt": "created_at",
    "updatedAt": "updated_at",
    "heartbeatAt": "heartbeat_at",
    "sweep": "sweep_name",
    "sweepName": "sweep_name",
    "user": "username",
}
KNOWN = {*COLUMNS.values(), "name", "state", "tags", "notes", "description", "host", "username"}

Test = Callable[[Any, Any], bool]


def column_of(name: str) -> str | None:
    """The column of `runs` that a name stands for, if it is one."""
    column = COLUMNS.get(name, name)
    return column if column in KNOWN else None


def value_of(run: Record, name: str) -> Any:
    """What a run has under a name of a filter or an order. Raises Refusal for an unknown name."""
    section, _, rest = name.partition(".")
    if section == "config":
        return _config_value(_parsed(run["config"]), rest)
    if section in ("summary_metrics", "summaryMetrics", "summary"):
        return _inside(_parsed(run["summary_metrics"]), rest)
    column = column_of(section)
    if column is None:
        raise Refusal(f"invalid filter or order: unknown field {name!r}")
    return _parsed(run["tags"]) if column == "tags" else run[column]


def fits(run: Record, query: dict[str, Any]) -> bool:
    """Whether a run fits a filter. Raises Refusal for what the service would not understand."""
    return matches(query, lambda name: value_of(run, name))


def matches(query: dict[str, Any], value_at: Callable[[str], Any]) -> bool:
    """Whether that of which `value_at` gives the values fits a filter. Raises Refusal."""
    return all(_clause(name, wanted, value_at) for name, wanted in query.items())


def _clause(name: str, wanted: Any, value_at: Callable[[str], Any]) -> bool:
    match name:
        case "$and":
            return all(matches(each, value_at) for each in wanted)
        case "$or":
            return any(matches(each, value_at) for each in wanted)
        case "$nor":
            return not any(matches(each, value_at) for each in wanted)
        case "$not":
            return not matches(wanted, value_at)
    value = value_at(name)
    if not isinstance(wanted, dict) or not any(key.startswith("$") for key in wanted):
        return _equal(value, wanted)
    return all(_holds(value, operator, operand) for operator, operand in wanted.items())


def _holds(value: Any, operator: str, operand: Any) -> bool:
    if operator == "$not":
        return not all(_holds(value, *each) for each in operand.items())
    if operator not in TESTS:
        raise Refusal(f"invalid filter: unknown operator {operator!r}")
    return TESTS[operator](value, operand)


def _equal(value: Any, wanted: Any) -> bool:
    if isinstance(value, list) and not isinstance(wanted, list):
        return wanted in value or (wanted is None and not value)
    return bool(value == wanted)


def _compared(test: Test) -> Test:
    def compare(value: Any, operand: Any) -> bool:
        try:
            return value is not None and test(value, operand)
        except TypeError:  # of other types: no match, as in MongoDB
            return False

    return compare


TESTS: dict[str, Test] = {
    "$eq": _equal,
    "$ne": lambda value, operand: not _equal(value, operand),
    "$gt": _compared(lambda value, operand: bool(value > operand)),
    "$gte": _compared(lambda value, operand: bool(value >= operand)),
    "$lt": _compared(lambda value, operand: bool(value < operand)),
    "$lte": _compared(lambda value, operand: bool(value <= operand)),
    "$in": lambda value, operand: any(_equal(value, each) for each in operand),
    "$nin": lambda value, operand: not any(_equal(value, each) for each in operand),
    "$exists": lambda value, operand: (value is not None) == bool(operand),
    "$regex": lambda value, operand: any(
        re.search(operand, each) is not None
        for each in (value if isinstance(value, list) else [value])
        if isinstance(each, str)
    ),
}


def _config_value(config: dict[str, Any], path: str) -> Any:
    key, _, rest = path.partition(".")
    found = config.get(path, config.get(key))
    value = found.get("value") if isinstance(found, dict) else found
    rest = "" if path in config else rest.removeprefix("value").removeprefix(".")
    return _inside(value, rest) if rest else value


def _inside(value: Any, path: str) -> Any:
    if isinstance(value, dict) and path in value:
        return value[path]
    for name in path.split("."):
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


@lru_cache(maxsize=256)
def _parsed(text: str) -> Any:
    return json.loads(text)

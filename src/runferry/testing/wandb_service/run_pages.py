"""Pages of runs in the order asked for. Plain orders without a filter are the database's work."""

from __future__ import annotations

import json
from typing import Any

from runferry.testing.wandb_service import pages
from runferry.testing.wandb_service.refusals import Refusal
from runferry.testing.wandb_service.run_filters import column_of, fits, value_of
from runferry.testing.wandb_service.store import Record, Store

DEFAULT_ORDER = "-created_at"


def parse_filter(filters: str | None) -> dict[str, Any]:
    """The filter of a request. Raises Refusal where it is no JSON object."""
    try:
        query = json.loads(filters or "{}") or {}
    except ValueError as error:
        raise Refusal(f"invalid filters: {error}") from error
    if not isinstance(query, dict):
        raise Refusal("invalid filters: not an object")
    return query


def count(store: Store, where: str, values: tuple[object, ...], filters: str | None) -> int:
    """How many runs fit."""
    query = parse_filter(filters)
    if not query:
        sql = f"SELECT COUNT(*) FROM runs WHERE {where}"
        return int(store.value(sql, *values))
    return store.remember(
        (where, values, filters),
        lambda: sum(fits(run, query) for run in _all(store, where, values)),
    )


def page(
    store: Store,
    where: str,
    values: tuple[object, ...],
    *,
    filters: str | None = None,
    after: str | None = None,
    first: int | None = None,
    order: str | None = None,
) -> Record:
    """A page of the runs for which `where` holds; a cursor is the place of a run in the order."""
    query = parse_filter(filters)
    name, is_falling = _order(order)
    size = pages.size_of(first)
    place = pages.place_of(after) if after else None
    column = column_of(name)
    if not query and column is not None and column != "tags":
        found = _from_database(store, where, values, column, is_falling, place, size + 1)
    else:
        places = store.remember(
            (where, values, filters, name, is_falling),
            lambda: _places(store, where, values, query, name, is_falling),
        )
        found = _from_places(store, places, is_falling, place, size + 1)
    nodes = found[:size]
    cursors = [pages.cursor_of([value_of(run, name), run["id"]]) for run in nodes]
    total = None if query else count(store, where, values, None)
    return pages.connection(nodes, cursors, has_more=len(found) > size, total=total)


def _places(
    store: Store,
    where: str,
    values: tuple[object, ...],
    query: dict[str, Any],
    name: str,
    is_falling: bool,
) -> list[tuple[Any, ...]]:
    """Where each run that fits stands in the order; the run's number comes last."""
    keys = (_key(run, name) for run in _all(store, where, values) if fits(run, query))
    return sorted(keys, reverse=is_falling)


def _from_places(
    store: Store,
    places: list[tuple[Any, ...]],
    is_falling: bool,
    place: list[Any] | None,
    limit: int,
) -> list[Record]:
    if place is not None:
        at = _comparable(place)
        places = [each for each in places if (each < at if is_falling else each > at)]
    found = (store.row("SELECT * FROM runs WHERE id = ?", each[-1]) for each in places[:limit])
    return [run for run in found if run is not None]


def _order(order: str | None) -> tuple[str, bool]:
    asked = order or DEFAULT_ORDER
    sign, name = (asked[0], asked[1:]) if asked[0] in "+-" else ("+", asked)
    return name, sign == "-"


def _all(store: Store, where: str, values: tuple[object, ...]) -> list[Record]:
    return store.rows(f"SELECT * FROM runs WHERE {where}", *values)


def _from_database(
    store: Store,
    where: str,
    values: tuple[object, ...],
    column: str,
    is_falling: bool,
    place: list[Any] | None,
    limit: int,
) -> list[Record]:
    direction, sign = ("DESC", "<") if is_falling else ("ASC", ">")
    key = f"COALESCE({column}, '')"
    sql = f"SELECT * FROM runs WHERE {where}"
    if place is not None:
        sql += f" AND ({key}, id) {sign} (?, ?)"
        values = (*values, place[0] or "", place[1])
    sql += f" ORDER BY {key} {direction}, id {direction} LIMIT ?"
    return store.rows(sql, *values, limit)


def _key(run: Record, name: str) -> tuple[Any, ...]:
    return _comparable([value_of(run, name), run["id"]])


def _comparable(place: list[Any]) -> tuple[Any, ...]:
    value, run_id = place
    match value:
        case bool() | int() | float():
            return (1, value, "", run_id)
        case None:
            return (0, 0, "", run_id)
    return (2, 0, value if isinstance(value, str) else json.dumps(value), run_id)

"""How the stand-in gives events back: as a scroll, as the newest lines, as curves.

After `apiserver/services/events.py` and `bll/event/event_metrics.py` of clearml-server (2.2). Of a
curve with more iterations than are asked for it gives the mean of as many neighbours as it takes.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

from runferry.testing.clearml_server.store import Record, Refusal, Store

_MOST_EVENTS: Final = 10_000
_MOST_COUNTED: Final = 10_000
"""Elasticsearch counts no further where it gives no scroll, and the server asks it for no more."""
_ENDED: Final = "FFFF"
_SAMPLES: Final = 6_000
_LINES: Final = 500
SCALAR, LOG = "training_stats_scalar", "log"


def task_events(store: Store, body: Record) -> Record:
    """A scroll: the same id gives the next page, until one is empty, which ends the scroll."""
    scroll = body.get("scroll_id")
    if scroll == _ENDED:
        return {"events": [], "returned": 0, "total": 0, "scroll_id": _ENDED}
    if scroll is None:
        kind = body.get("event_type")
        found = _by_time(store, body["task"], kind)
        if body.get("order") == "desc":
            found.reverse()
        scroll = uuid.uuid4().hex
        store.scrolls[scroll] = found
        total = len(found)
    else:
        if scroll not in store.scrolls:
            raise Refusal(400, 802, "Invalid or expired scroll id")
        total = len(store.scrolls[scroll])
    waiting = store.scrolls[scroll]
    count = min(int(body.get("batch_size") or 500), _MOST_EVENTS)
    page, store.scrolls[scroll] = waiting[:count], waiting[count:]
    if not page:
        del store.scrolls[scroll]
        scroll = _ENDED
    return {"events": page, "returned": len(page), "total": total, "scroll_id": scroll}


def task_log(store: Store, body: Record) -> Record:
    """Lines from a time on, forwards or backwards; from nowhere: the first, or the last ones."""
    found = _by_time(store, body["task"], LOG)
    total = min(len(found), _MOST_COUNTED)
    is_earlier, start = bool(body.get("navigate_earlier", True)), body.get("from_timestamp")
    if is_earlier:
        found.reverse()
    if start is not None:
        found = [
            e for e in found if e["timestamp"] != start and (e["timestamp"] < start) == is_earlier
        ]
    page = found[: int(body.get("batch_size") or _LINES)]
    wanted = body.get("order") or ("desc" if is_earlier else "asc")
    if (wanted == "desc") != is_earlier:
        page.reverse()
    return {"events": page, "returned": len(page), "total": total}


def scalar_curves(store: Store, body: Record) -> Record:
    """By title and series: x, and the mean of the values there. Single values have no curve."""
    samples, key = int(body.get("samples") or _SAMPLES), body.get("key") or "iter"
    if key not in ("iter", "timestamp", "iso_time"):
        raise Refusal(400, 12, f"Invalid key: {key}")
    curves: dict[tuple[str, str], list[Record]] = {}
    for event in _by_time(store, body["task"], SCALAR):
        if event["iter"] >= 0:
            curves.setdefault((event["metric"], event["variant"]), []).append(event)
    told: Record = {}
    for (metric, variant), events in sorted(curves.items()):
        places = [event["iter" if key == "iter" else "timestamp"] for event in events]
        x, y = _means(places, [event["value"] for event in events], samples)
        spelled = [_iso(place) for place in x] if key == "iso_time" else x
        told.setdefault(metric, {})[variant] = {"name": variant, "x": spelled, "y": y}
    return told


def _means(places: list[int], values: list[float], samples: int) -> tuple[list[int], list[float]]:
    first, last = min(places), max(places)
    is_few = len(places) < samples
    width = 1 if is_few else max(1, math.ceil((last - first + 1) / samples))
    buckets: dict[int, list[float]] = {}
    for place, value in zip(places, values, strict=True):
        buckets.setdefault(place // width * width, []).append(value)
    x = sorted(buckets)
    return x, [sum(buckets[place]) / len(buckets[place]) for place in x]


def _iso(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="milliseconds")


def _by_time(store: Store, task: str, kind: Any) -> list[Record]:
    """Raises Refusal for a task that is none."""
    store.task(task)
    events: Iterable[Record] = store.events[task].values()
    found = [event for event in events if kind in (None, event["type"])]
    return sorted(found, key=lambda event: event["timestamp"])

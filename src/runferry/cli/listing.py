"""`ls`: one line a run."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runferry.cli.documents import run_json
from runferry.cli.grid import Column, show
from runferry.cli.places import inventories, read_options
from runferry.cli.session import Session
from runferry.model import Run

if TYPE_CHECKING:
    from runferry.ports import Location
    from runferry.transfer.report import RunOutcome

_log = logging.getLogger(__name__)
_NS_A_SECOND = 10**9


@dataclass(frozen=True, slots=True)
class Entry:
    """A run, and what only an archive knows without reading it."""

    run: Run
    series: int | None = None
    points: int | None = None


def entries(session: Session, location: Location, failures: list[RunOutcome]) -> Iterator[Entry]:
    """The selected runs of a place; the damaged ones of an archive are `failures`.

    Raises what opening the place raises.
    """
    selection = session.selection
    if location.tracker == "archive":
        from runferry.archive.store import Archive

        archive = Archive.open(location.path)
        for inventory in inventories(
            archive, filter(selection.takes_run, archive.headers()), failures
        ):
            yield Entry(inventory.run, len(inventory.series), inventory.rows.get("scalar", 0))
        return
    from runferry import registry
    from runferry.http.waits import waiting_by

    with waiting_by(_told):
        reader = registry.reader(location.tracker).open(location, read_options(session))
        try:
            yield from map(Entry, selection.runs_of(reader, shows_begin=True))
        finally:
            reader.close()


def _told(seconds: float, reason: str) -> None:
    """Waits for a service, and says so: a server that is away is not to look like a slow one."""
    if reason:
        _log.warning("%s; trying again in %.0f s", reason, seconds)
    time.sleep(seconds)


def entry_json(entry: Entry) -> dict[str, Any]:
    """A run's header with its counts, null where they are not known."""
    return {**run_json(entry.run), "series": entry.series, "points": entry.points}


def show_entries(session: Session, listed: Iterable[Entry]) -> None:
    """The table; ids are never shortened, names and projects are when they must be.

    Runs of several trackers say which is theirs.
    """
    listed = sorted(listed, key=_place)
    trackers = {entry.run.key.tracker for entry in listed}
    columns = (
        *([Column("tracker")] if len(trackers) > 1 else []),
        Column("id"),
        Column("name", is_elastic=True),
        Column("project", is_elastic=True),
        Column("state"),
        Column("started (UTC)"),
        Column("took", "right", is_optional=True),
        Column("series", "right", is_optional=True),
        Column("points", "right", is_optional=True),
    )
    rows = [
        (
            *([entry.run.key.tracker] if len(trackers) > 1 else []),
            entry.run.key.run_id,
            _name(entry.run),
            entry.run.project or "",
            _state(entry.run),
            f"{entry.run.started:%Y-%m-%d %H:%M}" if entry.run.started else "",
            took(entry.run),
            "" if entry.series is None else f"{entry.series:,}",
            "" if entry.points is None else f"{entry.points:,}",
        )
        for entry in listed
    ]
    show(session.out, columns, rows, session.ellipsis)


def _name(run: Run) -> str:
    """Nothing where the id begins with it, as the paths of folders do."""
    name = run.name or ""
    return "" if run.key.run_id.startswith(name) else name


def _state(run: Run) -> str:
    """With a question mark where the source does not say that the run ended."""
    state = "" if run.state == "unknown" else run.state
    return state if run.complete else f"{state}?"


def _place(entry: Entry) -> tuple[str, str, int, str]:
    run = entry.run
    return run.key.tracker, run.project or "", run.started_ns or 0, run.key.run_id


def took(run: Run) -> str:
    """How long the run lasted: `12s`, `3m05s`, `2h10m`, `5d03h`."""
    if run.started_ns is None or run.ended_ns is None:
        return ""
    seconds = max(0, run.ended_ns - run.started_ns) // _NS_A_SECOND
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if days:
        return f"{days}d{hours % 24:02}h"
    if hours:
        return f"{hours}h{minutes % 60:02}m"
    return f"{minutes}m{seconds % 60:02}s" if minutes else f"{seconds}s"

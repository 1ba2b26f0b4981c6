"""`ls`: one line a run."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from runferry.cli.documents import run_json
from runferry.cli.grid import Column, fits, show
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
        reader = registry.opened(location, read_options(session))
        try:
            yield from map(Entry, selection.runs_of(reader, shows_begin=True))
        finally:
            reader.close()


def _told(seconds: float, reason: str) -> None:
    """Waits for a service, and says so: a server that is away is not to look like a slow one."""
    if reason:
        from runferry.transfer.figures import again_after

        _log.warning("%s; %s", reason, again_after(seconds))
    time.sleep(seconds)


def entry_json(entry: Entry) -> dict[str, Any]:
    """A run's header with its counts, null where they are not known."""
    return {**run_json(entry.run), "series": entry.series, "points": entry.points}


STATES = {
    "finished": "green", "failed": "red", "killed": "yellow", "running": "cyan", "?": "dim"
}  # fmt: skip


def show_entries(session: Session, listed: Iterable[Entry], now_ns: int | None = None) -> None:
    """The table; ids are never shortened, names and projects are when they must be.

    Runs of several trackers say which is theirs, and what is no run what it is. Where ids leave no
    room for names and when runs began, each has its own line.
    """
    now_ns = time.time_ns() if now_ns is None else now_ns
    listed = sorted(listed, key=_place)
    told = {
        "tracker": len({entry.run.key.tracker for entry in listed}) > 1,
        "kind": any(entry.run.kind != "run" for entry in listed),
    }
    chosen = [(column, say) for column, say in _COLUMNS if told.get(column.title, True)]
    columns = [column for column, _ in chosen]
    rows = [[say(entry, now_ns) for _, say in chosen] for entry in listed]
    heads: list[str] = []
    dated = [replace(column, rank=0) if column is _STARTED else column for column in columns]
    if not fits(dated, rows, session.out.width):
        at = [column.title for column in columns].index("id")
        heads = [row.pop(at) for row in rows]
        del columns[at]
    show(session.out, columns, rows, session.ellipsis, heads=heads)


def _user(run: Run) -> str:
    return "@".join(filter(None, (run.user, run.host)))


def _count(number: int | None) -> str:
    return "" if number is None else f"{number:,}"


def _started(run: Run) -> str:
    return f"{run.started:%Y-%m-%d %H:%M}" if run.started else ""


_STARTED = Column("started (UTC)", rank=1)
"""Goes last, and before names become too short to be told apart."""
_COLUMNS: tuple[tuple[Column, Callable[[Entry, int], str]], ...] = (
    (Column("tracker"), lambda entry, now: entry.run.key.tracker),
    (Column("id"), lambda entry, now: entry.run.key.run_id),
    (Column("kind"), lambda entry, now: entry.run.kind),
    (Column("name", is_elastic=True), lambda entry, now: _name(entry.run)),
    (Column("project", is_elastic=True), lambda entry, now: entry.run.project or ""),
    (Column("state", styles=STATES), lambda entry, now: _state(entry.run)),
    (_STARTED, lambda entry, now: _started(entry.run)),
    (Column("ago", "right", rank=5), lambda entry, now: ago(entry.run.started_ns, now)),
    (Column("took", "right", rank=4), lambda entry, now: took(entry.run)),
    (Column("series", "right", rank=3), lambda entry, now: _count(entry.series)),
    (Column("points", "right", rank=2), lambda entry, now: _count(entry.points)),
    (Column("group", is_elastic=True, rank=6), lambda entry, now: entry.run.group or ""),
    (Column("job type", is_elastic=True, rank=9), lambda entry, now: entry.run.job_type or ""),
    (Column("tags", is_elastic=True, rank=7), lambda entry, now: ", ".join(entry.run.tags)),
    (Column("by", is_elastic=True, rank=8), lambda entry, now: _user(entry.run)),
)
"""What there is to say of a run, and which columns go first where room is short."""


def ago(then_ns: int | None, now_ns: int) -> str:
    """How long ago, in one unit: `12s`, `3m`, `2h`, `5d`, `4mo`, `3y`; of the future nothing."""
    if then_ns is None or then_ns > now_ns:
        return ""
    seconds = (now_ns - then_ns) // _NS_A_SECOND
    for unit, length in _UNITS:
        if seconds >= length:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"


_UNITS = (("y", 31_556_952), ("mo", 2_629_746), ("d", 86_400), ("h", 3_600), ("m", 60))
"""In seconds; a year and a month are the mean ones."""


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

"""`inspect`: one run on a page."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from runferry.cli.documents import moment_json
from runferry.cli.glimpses import CELLS, curves_of
from runferry.cli.grid import Column, left_over, show
from runferry.cli.listing import STATES, ago, took
from runferry.cli.losses_table import show_losses
from runferry.cli.session import Session
from runferry.cli.streams import printable
from runferry.model import (
    Attribute,
    DataKind,
    Inventory,
    Role,
    Run,
    Series,
    SeriesCounts,
    Tree,
)
from runferry.pictures.scales import number

if TYPE_CHECKING:
    from runferry.archive.store import Archive


def show_inventory(session: Session, inventory: Inventory, archive: Archive) -> None:
    """Header, config, summary, series with their curves, what else there is, losses."""
    from rich.text import Text

    out = session.out
    for n, (title, value) in enumerate(_header(inventory.run)):
        style = STATES.get(inventory.run.state, "") if title == "state" else ""
        line = Text().append(f"{title:<10}", "dim")
        line.append(printable(value), style or ("bold" if n == 0 else ""))
        out.print(line, soft_wrap=True)
    for role in ("config", "summary", "environment", "other"):
        _show_attributes(session, role, inventory.attributes)
    _show_series(session, inventory, archive)
    rest = [f"{kind} {rows:,}" for kind, rows in inventory.rows.items() if kind not in _SHOWN]
    if rest:
        out.print(f"\nbesides: {', '.join(rest)}")
    if inventory.missing:
        gone = ", ".join(f"{kind} {n:,}" for kind, n in inventory.missing.items())
        out.print(f"bytes that the source names and does not have: {gone}")
    if inventory.losses:
        out.print("\nlost while reading:")
        show_losses(session, inventory.losses)
    out.print()


_SHOWN = frozenset({"scalar", "text", "histogram", "config", "summary", "environment", "other"})

_SERIES = (
    Column("series", is_elastic=True, comfort=24),
    Column("stream", rank=2),
    Column("kind"),
    Column("points", "right"),
    Column("steps", "right"),
    Column("curve", rank=3, styles={"": "cyan"}),
    Column("values", "right", rank=1),
    Column("odd values", is_elastic=True, comfort=30),
)
_FEW = 12
"""Attributes of the environment, and series of the machine, that are shown without -v."""


def _show_series(session: Session, inventory: Inventory, archive: Archive) -> None:
    """The user's series, and the first ones of the machine."""
    pairs = [
        (item, kind, counts)
        for item in inventory.series
        for kind, counts in inventory.kinds_of(item)
    ]
    if not pairs:
        return
    own = [pair for pair in pairs if pair[0].stream == "user"]
    system = [pair for pair in pairs if pair[0].stream != "user"]
    shown = system if session.verbosity > 0 or len(system) <= _FEW + 1 else system[:_FEW]
    listed = [*own, *shown]
    rows = _series_rows(listed, {}, has_streams=bool(system))
    room = min(left_over(_SERIES, rows, session.out.width), _most_cells(session.out.width))
    curves = curves_of(session, archive, inventory.run, listed, max(CELLS, room))
    rows = _series_rows(listed, curves, has_streams=bool(system))
    session.out.print()
    show(session.out, _SERIES, rows, session.ellipsis)
    _show_more(session, len(system) - len(shown), "series of the machine")


def _most_cells(width: int) -> int:
    """The widest curve: a third of what a terminal has beyond the usual 80 goes into it."""
    return CELLS + max(0, width - 80) // 3


def _show_more(session: Session, number: int, what: str) -> None:
    if number > 0:
        session.out.print(f"and {number:,} more {what}: -v shows them", style="dim")


def _header(run: Run) -> list[tuple[str, str]]:
    ended = f" (exit code {run.exit_code})" if run.exit_code is not None else ""
    complete = "" if run.complete else "; the source does not say that it ended"
    lines = [
        ("run", f"{run.key}  ({run.key.tracker}, uid {run.uid})"),
        ("name", run.name),
        ("project", "/".join(filter(None, (run.entity, run.project)))),
        ("kind", None if run.kind == "run" else run.kind),
        ("group", run.group),
        ("job type", run.job_type),
        ("sweep", run.sweep),
        ("parent", run.parent),
        ("forked", None if run.forked_from is None else _fork(run)),
        ("tags", ", ".join([*run.tags, *(f"{k}={v}" for k, v in run.labels.items())])),
        ("state", f"{run.state}{ended}{complete}"),
        ("started", _moment(run.started_ns, with_age=True)),
        ("ended", _moment(run.ended_ns)),
        ("took", took(run)),
        ("host" if run.host else "user", "@".join(filter(None, (run.user, run.host)))),
        ("client", run.client),
        ("url", run.source_url),
        ("notes", run.notes),
    ]
    return [(title, value) for title, value in lines if value]


def _moment(time_ns: int | None, *, with_age: bool = False) -> str:
    """In UTC, without zeros that say nothing; and how long ago."""
    told = moment_json(time_ns)
    if told is None:
        return ""
    day, _, clock = told.removesuffix("Z").partition("T")
    age = ago(time_ns, time.time_ns()) if with_age else ""
    return f"{day} {_short(clock)} UTC{f', {age} ago' if age else ''}"


def _short(clock: str) -> str:
    """Without zeros behind the point."""
    return clock.rstrip("0").rstrip(".") if "." in clock else clock


def _fork(run: Run) -> str:
    fork = run.forked_from
    if fork is None:
        return ""
    at = "" if fork.step is None else f" at step {fork.step:,}"
    return f"{fork.kind} of {fork.run_id}{at}"


def _value(value: Tree) -> str:
    """As JSON; what that cannot spell stands bare, since texts alone are quoted."""
    from runferry.tables import dumps

    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else f"{value:+}".title()
    if isinstance(value, datetime):
        told = value.astimezone(UTC).replace(tzinfo=None).isoformat(" ")
        return f"{_short(told)} UTC"
    return dumps(value)


def _show_attributes(session: Session, role: Role, attributes: Sequence[Attribute]) -> None:
    chosen = [item for item in attributes if item.role == role]
    if not chosen:
        return
    is_long = role == "environment" and len(chosen) > _FEW + 1 and session.verbosity <= 0
    session.out.print()
    columns = (Column(role, is_elastic=True), Column("value", is_elastic=True))
    few = chosen[:_FEW] if is_long else chosen
    rows = [(".".join(item.path), _value(item.value)) for item in few]
    show(session.out, columns, rows, session.ellipsis)
    _show_more(session, len(chosen) - len(few), "of the environment")


def _series_rows(
    listed: Iterable[tuple[Series, DataKind, SeriesCounts]],
    curves: Mapping[str, str],
    *,
    has_streams: bool,
) -> list[Sequence[str]]:
    """Of which stream a series is goes unsaid where there is one alone."""
    rows = [_series_row(*one, curves) for one in listed]
    return rows if has_streams else [(row[0], "", *row[2:]) for row in rows]


def _series_row(
    series: Series, kind: DataKind, counts: SeriesCounts, curves: Mapping[str, str]
) -> Sequence[str]:
    steps = ""
    if counts.min_step is not None:
        steps = f"{counts.min_step:,}..{counts.max_step:,}"
    odd = {
        "NaN": counts.nan,
        "+Inf": counts.positive_inf,
        "-Inf": counts.negative_inf,
        "null": counts.null_values,
        "without step": counts.null_steps,
        "falling": counts.falling_steps,
        "repeated": counts.duplicate_steps,
    }
    said = ", ".join(f"{n:,} {what}" for what, n in odd.items() if n)
    is_scalar = kind == "scalar"
    curve = curves.get(series.key, "") if is_scalar else ""
    values = ""
    if is_scalar and counts.min_value is not None and counts.max_value is not None:
        low, high = number(counts.min_value), number(counts.max_value)
        values = low if low == high else f"{low}..{high}"
    return (series.key, series.stream, kind, f"{counts.points:,}", steps, curve, values, said)

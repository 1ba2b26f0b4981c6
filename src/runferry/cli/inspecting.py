"""`inspect`: one run on a page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from runferry.cli.documents import moment_json
from runferry.cli.grid import Column, show
from runferry.cli.listing import took
from runferry.cli.losses_table import show_losses
from runferry.cli.session import Session
from runferry.cli.streams import printable
from runferry.model import Attribute, DataKind, Inventory, Role, Run, Series, SeriesCounts

if TYPE_CHECKING:
    from rich.console import Console


def show_inventory(session: Session, inventory: Inventory) -> None:
    """Header, config, summary, series, what else there is, losses."""
    out = session.out
    for title, value in _header(inventory.run):
        out.print(f"{title:<10}{printable(value)}", soft_wrap=True)
    for role in ("config", "summary", "environment", "other"):
        _show_attributes(out, role, inventory.attributes, session.ellipsis)
    if inventory.series:
        out.print()
        rows = [
            _series_row(item, kind, counts)
            for item in inventory.series
            for kind, counts in inventory.kinds_of(item)
        ]
        show(out, _SERIES, rows, session.ellipsis)
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
    Column("series", is_elastic=True),
    Column("stream"),
    Column("kind"),
    Column("points", "right"),
    Column("steps", "right"),
    Column("odd values", is_elastic=True),
)


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
        ("started", moment_json(run.started_ns)),
        ("ended", moment_json(run.ended_ns)),
        ("took", took(run)),
        ("host" if run.host else "user", "@".join(filter(None, (run.user, run.host)))),
        ("client", run.client),
        ("url", run.source_url),
        ("notes", run.notes),
    ]
    return [(title, value) for title, value in lines if value]


def _fork(run: Run) -> str:
    fork = run.forked_from
    if fork is None:
        return ""
    at = "" if fork.step is None else f" at step {fork.step:,}"
    return f"{fork.kind} of {fork.run_id}{at}"


def _show_attributes(
    out: Console, role: Role, attributes: Sequence[Attribute], ellipsis: str
) -> None:
    from runferry.tables import dumps

    chosen = [item for item in attributes if item.role == role]
    if not chosen:
        return
    out.print()
    columns = (Column(role, is_elastic=True), Column("value", is_elastic=True))
    rows = [(".".join(item.path), dumps(item.value)) for item in chosen]
    show(out, columns, rows, ellipsis)


def _series_row(series: Series, kind: DataKind, counts: SeriesCounts) -> Sequence[str]:
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
    return (series.key, series.stream, kind, f"{counts.points:,}", steps, said)

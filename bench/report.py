"""The outcome of a row, as a table for people and as JSON."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from typing import Any, Literal

from rich.console import Console
from rich.table import Table

from bench.child import cores

Verdict = Literal["met", "not met", "no target", "outputs differ", "failed"]


@dataclass(frozen=True, slots=True)
class Row:
    """One comparison: what was done, what it took us and the peer, and what was compared."""

    row: str  # the name that is given on the command line
    work: str
    ours: str
    peer: str
    ratio: float | None
    target: str
    verdict: Verdict
    compared: str
    figures: dict[str, Any] = field(default_factory=dict)  # every sample, in the units of its name


def verdict_on(is_met: bool) -> Verdict:
    """Whether a target was reached."""
    return "met" if is_met else "not met"


def machine() -> dict[str, Any]:
    """What the figures depend on; nothing that names a machine, a user or a place."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "cores": len(cores(os.cpu_count() or 1)),
        "memory_gb": round(pages / 1e9, 1),
        "load_before": round(os.getloadavg()[0], 2),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in ("runferry", "pyarrow", "duckdb")},
    }


def _version(distribution: str) -> str:
    if distribution == "runferry":
        from runferry._native import __version__

        return __version__
    return version(distribution)


def as_json(
    rows: Sequence[Row], machine: dict[str, Any], *, is_quick: bool, peers: Sequence[str]
) -> dict[str, Any]:
    """All of it, for machines."""
    return {
        "format": 1,
        "quick": is_quick,
        "machine": machine,
        "peers": list(peers),
        "rows": [asdict(row) for row in rows],
    }


_STYLES = {"met": "green", "not met": "red", "outputs differ": "bold red", "failed": "bold red"}


def show(rows: Sequence[Row], console: Console) -> None:
    """The table."""
    table = Table(show_lines=True)
    for heading in ("work", "ours", "peer", "ratio", "target", "verdict", "compared"):
        table.add_column(heading, justify="right" if heading == "ratio" else "left")
    for row in rows:
        ratio = "" if row.ratio is None else f"{row.ratio:,.{2 if row.ratio < 10 else 0}f}"
        style = _STYLES.get(row.verdict, "")
        verdict = f"[{style}]{row.verdict}[/]" if style else row.verdict
        table.add_row(row.work, row.ours, row.peer, ratio, row.target, verdict, row.compared)
    console.print(table)

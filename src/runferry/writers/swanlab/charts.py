"""Histograms, tables and plots as SwanLab's charts: ECharts options as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise
from typing import Any


def histogram_chart(edges: Sequence[float] | None, counts: Sequence[float] | None) -> bytes:
    """A histogram as bars; a bin is named by its edges."""
    edges, counts = edges or (), counts or ()
    names = [f"[{left:.6g}, {right:.6g})" for left, right in pairwise(edges)]
    chart = {
        "xAxis": [{"type": "category", "data": names}],
        "yAxis": [{"type": "value"}],
        "series": [{"type": "bar", "barCategoryGap": "0%", "data": list(counts)}],
        "tooltip": {"trigger": "axis"},
    }
    return json.dumps(chart).encode()


def table_chart(content: bytes) -> bytes | None:
    """A table of W&B's form (`columns`, `data`) as SwanLab's; None for what is none."""
    found = _mapping(content)
    columns, rows = found.get("columns"), found.get("data")
    if not isinstance(columns, list) or not isinstance(rows, list):
        return content if found.get("_swanLab") == "table" else None
    names = [str(name) for name in columns]
    table = {
        "_swanLab": "table",
        "colDefs": [{"field": name} for name in names],
        "rowData": [dict(zip(names, row, strict=False)) for row in rows if isinstance(row, list)],
    }
    return json.dumps(table, ensure_ascii=False).encode()


def plot_chart(content: bytes) -> bytes | None:
    """Options of ECharts as they are; None for plots of others, as Plotly's, and for no JSON."""
    found = _mapping(content)
    is_chart = "series" in found or "_swanLab" in found
    return content if is_chart else None


def _mapping(content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}

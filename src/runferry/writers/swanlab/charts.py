"""Histograms, tables and plots as SwanLab's charts: ECharts options as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from runferry.dialects.json_trees import NO_NUMBERS, finite, mended, parse_json
from runferry.model import Tree
from runferry.writers.swanlab.plotly_chart import Chart, plotly_chart

_CHART_AT_MOST: Final = 64 << 20


def chart_of(media_type: str, path: Path) -> Chart:
    """The chart of a table or a plot, if there is one."""
    if media_type not in ("table", "plot") or path.stat().st_size > _CHART_AT_MOST:
        return Chart(None)
    content = path.read_bytes()
    return Chart(table_chart(content)) if media_type == "table" else plot_chart(content)


def histogram_chart(edges: Sequence[float] | None, counts: Sequence[float] | None) -> bytes:
    """A histogram as bars; a bin is named by its edges."""
    edges, counts = edges or (), counts or ()
    names = [f"[{left:.6g}, {right:.6g})" for left, right in pairwise(edges)]
    chart: Tree = {
        "xAxis": [{"type": "category", "data": [*names]}],
        "yAxis": [{"type": "value"}],
        "series": [{"type": "bar", "barCategoryGap": "0%", "data": list(counts)}],
        "tooltip": {"trigger": "axis"},
    }
    return _spelled(chart)


def table_chart(content: bytes) -> bytes | None:
    """A table of W&B's form (`columns`, `data`) as SwanLab's; None for what is none."""
    found = _mapping(content)
    columns, rows = found.get("columns"), found.get("data")
    if not isinstance(columns, list) or not isinstance(rows, list):
        return _as_it_is(content, found) if found.get("_swanLab") == "table" else None
    names = [str(name) for name in columns]
    table: Tree = {
        "_swanLab": "table",
        "colDefs": [{"field": name} for name in names],
        "rowData": [dict(zip(names, row, strict=False)) for row in rows if isinstance(row, list)],
    }
    return _spelled(table, are_words=True)


def plot_chart(content: bytes) -> Chart:
    """Options of ECharts as they are, a figure of Plotly's drawn anew; none of other plots."""
    found = _mapping(content)
    if "series" in found or "_swanLab" in found:
        return Chart(_as_it_is(content, found))
    return plotly_chart(found if "data" in found else _comets(found))


def _comets(found: dict[str, Any]) -> dict[str, Any]:
    """A curve or a confusion matrix of Comet's (`log_curve`, `ConfusionMatrix`) as a figure."""
    if "matrix" in found:
        cells = {"type": "heatmap", "z": found["matrix"]}
        cells |= {"x": found.get("labels"), "y": found.get("labels")}
        across, down = {"title": found.get("columnLabel")}, {"title": found.get("rowLabel")}
        down["autorange"] = "reversed"  # the first row is the topmost
        layout = {"title": found.get("title"), "xaxis": across, "yaxis": down}
        return {"data": [cells], "layout": layout}
    if "x" in found and "y" in found:
        curve = {"mode": "lines", "x": found["x"], "y": found["y"], "name": found.get("name")}
        return {"data": [curve], "layout": {"title": found.get("name")}}
    return {}


def _mapping(content: bytes) -> dict[str, Any]:
    try:
        found = parse_json(content.decode())
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _as_it_is(content: bytes, found: dict[str, Any]) -> bytes:
    """What is SwanLab's already; but Python's words for what JSON has no number for are gaps."""
    return _spelled(found) if any(word.encode() in content for word in NO_NUMBERS) else content


def _spelled(chart: Tree, *, are_words: bool = False) -> bytes:
    """JSON of whole characters; NaN and infinities are gaps, or words as in a table's cells."""
    told = finite(mended(chart), are_words=are_words)
    return json.dumps(told, ensure_ascii=False, allow_nan=False).encode()

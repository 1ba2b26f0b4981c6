"""Plotly's traces as series of ECharts: scatter, bar, heatmap, pie, and boxes of samples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

from runferry.writers.swanlab import plotly_values as values
from runferry.writers.swanlab.plotly_values import Cell

Trace = dict[str, Any]
Option = dict[str, Any]
Spell = Callable[[list[Cell]], list[Cell]]

_TYPES: Final = {
    "scatter": "scatter",
    "scattergl": "scatter",
    "bar": "bar",
    "heatmap": "heatmap",
    "heatmapgl": "heatmap",
    "pie": "pie",
}
_FEW_POINTS: Final = 20
"""Plotly marks the points of a line of fewer, unless it is told what to draw."""
_STEPS: Final = {"hv": "end", "vh": "start", "hvh": "middle", "vhv": "middle"}
_DASHES: Final = {"dash": "dashed", "longdash": "dashed", "dashdot": "dashed", "dot": "dotted"}
CHOSEN_BINS: Final = "Plotly's own bins"
_NOT_DRAWN: Final = (
    "error_x", "error_y", "text", "texttemplate", "base", "stackgroup", "offset", "notched",
    "boxmean", CHOSEN_BINS,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Drawn:
    """A trace that ECharts can draw, on the axes that it names."""

    kind: Literal["scatter", "bar", "heatmap", "pie", "box"]
    name: str
    raw: Trace
    x: list[Cell]
    y: list[Cell]
    z: list[list[Cell]]
    """Rows of a heatmap, a row for each of `y`; the five numbers of each box."""

    @property
    def axes(self) -> tuple[str, str]:
        """Names of its axes, as `x2` and `y`."""
        x, y = (str(self.raw.get(f"{one}axis")) for one in "xy")
        return x if x.startswith("x") else "x", y if y.startswith("y") else "y"

    @property
    def is_lying(self) -> bool:
        """Whether its bars or boxes lie."""
        return self.kind in ("bar", "box") and self.raw.get("orientation") == "h"

    @property
    def is_shown(self) -> bool:
        """Whether Plotly shows it at first."""
        return self.raw.get("visible", True) is True

    @property
    def not_drawn(self) -> set[str]:
        """Parts of it that have no form here."""
        found = {part for part in _NOT_DRAWN if self.raw.get(part)}
        return found - {"text"} if self.kind != "scatter" else found

    @property
    def size(self) -> int:
        """How many values it has."""
        return len(self.x) + len(self.y) + sum(map(len, self.z))


def drawn(index: int, raw: Trace) -> Drawn | None:
    """The trace at `index`; None for a type or a form that is not drawn."""
    kind = _TYPES.get(str(raw.get("type") or "scatter"))
    name = name_of(index, raw)
    if kind == "heatmap":
        return _heatmap(name, raw)
    if kind == "pie":
        return _pie(name, raw)
    if kind is None:
        return None
    x, y = _places(raw, "x"), _places(raw, "y")
    if x is None or y is None or not (x or y):
        return None
    x = x or _counted(raw, "x", len(y))
    y = y or _counted(raw, "y", len(x))
    count = min(len(x), len(y))
    return Drawn("bar" if kind == "bar" else "scatter", name, raw, x[:count], y[:count], [])


def name_of(index: int, raw: Trace) -> str:
    """As the legend has it."""
    return values.title(raw.get("name")) or f"trace {index}"


def _places(raw: Trace, name: str) -> list[Cell] | None:
    """A column; empty where none is stated, None where it is no column."""
    return [] if raw.get(name) is None else values.column(raw[name])


def _counted(raw: Trace, name: str, count: int) -> list[Cell]:
    first, step = values.number(raw.get(f"{name}0")), values.number(raw.get(f"d{name}"))
    first, step = (0 if first is None else first), (1 if step is None else step)
    return [first + at * step for at in range(count)]


def _heatmap(name: str, raw: Trace) -> Drawn | None:
    rows = values.grid(raw.get("z"))
    x, y = _places(raw, "x"), _places(raw, "y")
    if not rows or x is None or y is None:
        return None
    if raw.get("transpose") is True:
        width = max(map(len, rows))
        rows = [[row[at] if at < len(row) else None for row in rows] for at in range(width)]
    width = max(map(len, rows))
    x = x if len(x) >= width else _counted(raw, "x", width)  # edges are one more than cells
    y = y if len(y) >= len(rows) else _counted(raw, "y", len(rows))
    return Drawn("heatmap", name, raw, x[:width], y[: len(rows)], rows)


def _pie(name: str, raw: Trace) -> Drawn | None:
    labels, sizes = _places(raw, "labels"), _places(raw, "values")
    if labels is None or sizes is None or not (labels or sizes):
        return None
    sizes = sizes or [1] * len(labels)
    labels = labels or _counted(raw, "label", len(sizes))
    count = min(len(labels), len(sizes))
    return Drawn("pie", name, raw, labels[:count], sizes[:count], [])


# --- series ---------------------------------------------------------------------------------------


def series(trace: Drawn, x: Spell, y: Spell, layout: Trace) -> Option:
    """The series of a trace, whose places are spelled as its axes have them."""
    head: Option = {"name": trace.name}
    if trace.kind == "pie":
        return head | _pie_series(trace)
    if trace.kind == "heatmap":
        columns = x(trace.x)
        cells = [
            [across, up, cell]
            for up, row in zip(y(trace.y), trace.z, strict=True)
            for across, cell in zip(columns, row, strict=False)
        ]
        return head | {"type": "heatmap", "data": cells}
    points = [list(point) for point in zip(x(trace.x), y(trace.y), strict=True)]
    form = _bar_form(trace, layout) if trace.kind == "bar" else _scatter_form(trace)
    return head | form | {"data": points}


def _scatter_form(trace: Drawn) -> Option:
    few = "lines+markers" if len(trace.x) < _FEW_POINTS else "lines"
    mode = trace.raw.get("mode")
    mode = mode if isinstance(mode, str) else few
    if "lines" not in mode:
        return {"type": "scatter", "symbolSize": 6}
    line = values.mapping(trace.raw.get("line"))
    form: Option = {"type": "line", "showSymbol": "markers" in mode}
    shape, dash = line.get("shape"), line.get("dash")
    if isinstance(shape, str) and shape in _STEPS:
        form["step"] = _STEPS[shape]
    if shape == "spline":
        form["smooth"] = True
    if isinstance(dash, str) and dash in _DASHES:
        form["lineStyle"] = {"type": _DASHES[dash]}
    if trace.raw.get("connectgaps") is True:
        form["connectNulls"] = True
    if trace.raw.get("fill") in ("tozeroy", "tonexty", "toself"):
        form["areaStyle"] = {"opacity": 0.3}
    return form


def box_series(trace: Drawn, categories: list[str]) -> Option:
    """The series of a trace of boxes: a box, or none, for each category of its axis."""
    labels = trace.y if trace.is_lying else trace.x
    boxes = {values.label(label): five for label, five in zip(labels, trace.z, strict=False)}
    gaps = ["-"] * len(trace.z[0])
    found = [boxes.get(name, gaps) for name in categories]
    return {"name": trace.name, "type": "boxplot", "data": found}


def _bar_form(trace: Drawn, layout: Trace) -> Option:
    form: Option = {"type": "bar"}
    mode, gap = layout.get("barmode"), values.number(layout.get("bargap"))
    if gap is None and trace.raw.get("type") == "histogram":
        gap = 0
    if mode in ("stack", "relative"):
        form["stack"] = "/".join(trace.axes)
    if mode == "overlay":
        form["barGap"] = "-100%"
    if gap is not None and 0 <= gap <= 1:
        form["barCategoryGap"] = f"{gap * 100:g}%"
    return form


def _pie_series(trace: Drawn) -> Option:
    domain, hole = values.mapping(trace.raw.get("domain")), values.number(trace.raw.get("hole"))
    slices = [
        {"name": values.label(name) or "", "value": size}
        for name, size in zip(trace.x, trace.y, strict=True)
    ]
    (left, right), (low, high) = span(domain.get("x")), span(domain.get("y"))
    outer = 70 * min(right - left, high - low)
    return {
        "type": "pie",
        "radius": [f"{outer * min(max(hole or 0, 0), 1):g}%", f"{outer:g}%"],
        "center": [f"{50 * (left + right):g}%", f"{100 - 50 * (low + high):g}%"],
        "data": slices,
    }


def span(found: Any) -> tuple[float, float]:
    """A domain: from and to, as parts of the whole."""
    ends = [values.number(one) for one in found] if isinstance(found, list) else []
    if len(ends) == 2 and ends[0] is not None and ends[1] is not None:
        return (ends[0], ends[1]) if 0 <= ends[0] < ends[1] <= 1 else (0.0, 1.0)
    return 0.0, 1.0

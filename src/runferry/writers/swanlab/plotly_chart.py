"""Figures of Plotly as options of ECharts.

The forms are those of https://plotly.com/javascript/reference and
https://echarts.apache.org/en/option.html (5).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from runferry.writers.swanlab import plotly_values as values
from runferry.writers.swanlab.plotly_axes import Axes
from runferry.writers.swanlab.plotly_samples import sampled
from runferry.writers.swanlab.plotly_traces import Drawn, Option, box_series, drawn, series

_VALUES_AT_MOST: Final = 1_000_000
_BYTES_AT_MOST: Final = 10 << 20
"""What SwanLab's client keeps of one item (`RecordBuilder` of 0.10.3)."""
_NOT_DRAWN: Final = ("annotations", "shapes", "images", "sliders", "updatemenus")
_LONGEST_TYPE: Final = 32


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart for SwanLab, or why there is none."""

    content: bytes | None
    told: str = ""
    """What is to be said of it; nothing of a chart that is the plot itself."""


def plotly_chart(figure: dict[str, Any]) -> Chart:
    """A figure's chart, and what of it is not in it; no content where nothing can be drawn."""
    layout, stated = values.mapping(figure.get("layout")), figure.get("data")
    raw = [values.mapping(one) for one in stated] if isinstance(stated, list) else []
    tried = [_drawn(index, one) for index, one in enumerate(raw)]
    traces = [trace for made in tried for trace in made]
    unknown = {_type_of(one) for one, made in zip(raw, tried, strict=True) if not made}
    if not traces:
        return Chart(None, f"not drawn: {', '.join(sorted(unknown))}" if unknown else "")
    if sum(trace.size for trace in traces) > _VALUES_AT_MOST:
        return Chart(None, "a plot that is too long to be drawn")
    axes = Axes(layout, traces)
    content = json.dumps(_option(layout, traces, axes), allow_nan=False).encode()
    if len(content) > _BYTES_AT_MOST:
        return Chart(None, "a plot that is too long to be drawn")
    missing = {part for part in _NOT_DRAWN if layout.get(part)}
    missing |= {"frames"} if figure.get("frames") else set()
    missing |= axes.not_drawn.union(*(trace.not_drawn for trace in traces))
    missing |= unknown
    told = "drawn anew as ECharts, the figure itself is a file of the run"
    return Chart(content, f"{told}; not drawn: {', '.join(sorted(missing))}" if missing else told)


def _drawn(index: int, raw: dict[str, Any]) -> tuple[Drawn, ...]:
    made = sampled(index, raw)
    if made is None:
        one = drawn(index, raw)
        made = () if one is None else (one,)
    return made


def _type_of(raw: dict[str, Any]) -> str:
    kind = raw.get("type", "scatter")
    is_word = isinstance(kind, str) and kind.isidentifier() and len(kind) <= _LONGEST_TYPE
    return f"a trace of type {kind}" if is_word else "a trace of no type"


def _option(layout: dict[str, Any], traces: Sequence[Drawn], axes: Axes) -> Option:
    option: Option = {"tooltip": {"trigger": _trigger(traces)}, **axes.option()}
    title = values.title(layout.get("title"))
    if title:
        option["title"] = {"text": title, "left": "center"}
    names, has_pie = {one.name for one in traces}, any(one.kind == "pie" for one in traces)
    is_many = len(names) > 1 or has_pie
    hidden = [trace.name for trace in traces if not trace.is_shown]
    option["legend"] = {
        "show": bool(layout.get("showlegend", is_many or bool(hidden))),
        "type": "scroll",
        "top": "bottom",
        "selected": dict.fromkeys(hidden, False),
    }
    option["series"] = [_placed(trace, axes, layout) for trace in traces]
    shades = [_shades(index, one) for index, one in enumerate(traces) if one.kind == "heatmap"]
    return option | ({"visualMap": shades} if shades else {})


def _trigger(traces: Sequence[Drawn]) -> str:
    return "axis" if all(trace.kind in ("scatter", "bar") for trace in traces) else "item"


def _placed(trace: Drawn, axes: Axes, layout: dict[str, Any]) -> Option:
    if trace.kind == "pie":
        return series(trace, list, list, layout)
    x, y, at = axes.of(trace)
    if trace.kind == "box":
        return box_series(trace, (y if trace.is_lying else x).categories) | at
    return series(trace, x.spelled, y.spelled, layout) | at


def _shades(index: int, trace: Drawn) -> Option:
    """The colours of a heatmap's cells, from the least to the most."""
    cells = [cell for row in trace.z for cell in row if isinstance(cell, int | float)]
    least, most = values.number(trace.raw.get("zmin")), values.number(trace.raw.get("zmax"))
    return {
        "seriesIndex": index,
        "min": min(cells, default=0) if least is None else least,
        "max": max(cells, default=1) if most is None else most,
        "calculable": True,
        "right": 0,
        "top": "middle",
    }

"""Axes of a Plotly figure as ECharts': one grid for each place where subplots are drawn."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, Final

from runferry.writers.swanlab import plotly_values as values
from runferry.writers.swanlab.plotly_traces import Drawn, Option, span
from runferry.writers.swanlab.plotly_values import Cell

_TYPES: Final = {
    "linear": "value", "log": "log", "date": "time", "category": "category",
    "multicategory": "category",
}  # fmt: skip
_LEFT, _WIDTH, _TOP, _HEIGHT = 9, 82, 14, 70
"""Where the drawing is, in parts of a hundred; titles and the legend have the rest."""
_LARGEST_POWER: Final = 300
_MANY: Final = 2

Rectangle = tuple[tuple[float, float], tuple[float, float]]


class Axis:
    """One axis of the figure and all places on it."""

    def __init__(self, name: str, layout: dict[str, Any], traces: Sequence[Drawn]) -> None:
        """`name` as in `x2`; `traces` are all that are drawn."""
        self.settings = values.mapping(layout.get(f"{name[0]}axis{name[1:]}"))
        at = 0 if name.startswith("x") else 1
        own = [trace for trace in traces if trace.kind != "pie" and trace.axes[at] == name]
        places = [cell for trace in own for cell in (trace.x, trace.y)[at]]
        self._far_side, self._name_gap = (("top", 30), ("right", 45))[at]
        self._has_bars = any(trace.kind == "bar" and trace.is_lying == (at == 0) for trace in own)
        beside = [trace for trace in own if trace.kind == "bar" and trace.is_lying == (at == 1)]
        self._bars = {cell for trace in beside for cell in (trace.x, trace.y)[at]}
        is_cells = any(
            trace.kind == "heatmap"
            or (at and trace.is_lying)
            or (not at and trace.kind == "box" and not trace.is_lying)
            for trace in own
        )
        self.type = "category" if is_cells else self._type(places)
        self.categories = self._named(places) if self.type == "category" else []

    def _type(self, places: list[Cell]) -> str:
        stated = self.settings.get("type")
        if isinstance(stated, str) and stated in _TYPES:
            return _TYPES[stated]
        if values.are_numbers(places):
            return "value"
        return "time" if values.are_dates(places) else "category"

    def _named(self, places: list[Cell]) -> list[str]:
        """Categories in Plotly's order: as stated, else of numbers by size, else as they come."""
        stated = values.column(self.settings.get("categoryarray")) or []
        numbers = {cell for cell in places if isinstance(cell, int | float)}
        if not stated and numbers.issuperset(cell for cell in places if cell is not None):
            places = [*sorted(numbers)]
        names = (values.label(cell) for cell in (*stated, *places))
        return list(dict.fromkeys(name for name in names if name is not None))

    def spelled(self, places: list[Cell]) -> list[Cell]:
        """Places as ECharts has them on such an axis; of a logarithm only what it has."""
        if self.type == "category":
            return [values.label(cell) for cell in places]
        if self.type == "log":
            return [None if isinstance(one, int | float) and one <= 0 else one for one in places]
        return places

    @property
    def not_drawn(self) -> set[str]:
        """Parts of it that have no form here."""
        order = self.settings.get("categoryorder", "trace")
        found = {"categoryorder"} if order not in ("trace", "array") else set()
        return found | {part for part in ("rangeslider", "rangebreaks") if self.settings.get(part)}

    def option(self, grid: int, *, is_second: bool) -> Option:
        """The axis within a grid; the second of its kind stands on the other side."""
        option: Option = {"type": self.type, "gridIndex": grid}
        named = values.title(self.settings.get("title"))
        if named:
            option |= {"name": named, "nameLocation": "middle", "nameGap": self._name_gap}
        if self.type == "category":
            option["data"] = self.categories
        elif self.type == "value":  # bars stand on 0, and nothing else does
            option["scale"] = not self._has_bars and self.settings.get("rangemode") != "tozero"
            option |= self._room_for_bars()
        if is_second:
            option["position"] = self._far_side
        if self.settings.get("visible") is False:
            option["show"] = False
        return option | self._range()

    def _room_for_bars(self) -> Option:
        """Half a bar more at both ends, since its number is its middle."""
        numbers = map(values.number, self._bars)
        places = sorted({float(one) for one in numbers if one is not None})
        if len(places) < _MANY:
            return {}
        nearest = min(right - left for left, right in pairwise(places))
        part = f"{50 * nearest / (places[-1] - places[0]):g}%"
        return {"boundaryGap": [part, part]}

    def _range(self) -> Option:
        option: Option = {}
        autorange, stated = self.settings.get("autorange"), self.settings.get("range")
        is_inverse = autorange == "reversed"
        ends = [values.number(one) for one in stated] if isinstance(stated, list) else []
        if len(ends) == _MANY and ends[0] is not None and ends[1] is not None:
            first, last = ends[0], ends[1]
            is_inverse = is_inverse or first > last
            option = self._ends(min(first, last), max(first, last))
        return option | {"inverse": True} if is_inverse else option

    def _ends(self, least: float, most: float) -> Option:
        if self.type == "value":
            return {"min": least, "max": most}
        if self.type == "log" and max(abs(least), abs(most)) < _LARGEST_POWER:
            return {"min": 10.0**least, "max": 10.0**most}
        return {}


class Axes:
    """All axes of a figure. An axis that several grids share is drawn in each of them."""

    def __init__(self, layout: dict[str, Any], traces: Sequence[Drawn]) -> None:
        self._layout = layout
        pairs = [trace.axes for trace in traces if trace.kind != "pie"]
        names = dict.fromkeys(name for pair in pairs for name in pair)
        self._axes = {name: Axis(name, layout, traces) for name in names}
        self._grids = list(dict.fromkeys(map(self._place, pairs)))
        self._xs = self._within(pairs, 0)
        self._ys = self._within(pairs, 1)

    def _place(self, pair: tuple[str, str]) -> Rectangle:
        return self._span(pair[0]), self._span(pair[1])

    def _span(self, name: str) -> tuple[float, float]:
        """Where an axis goes; one that lies over another goes where that one does."""
        over = self._axes[name].settings.get("overlaying")
        if isinstance(over, str) and over != name and over[:1] == name[:1]:
            base = values.mapping(self._layout.get(f"{over[0]}axis{over[1:]}"))
            return span(base.get("domain"))
        return span(self._axes[name].settings.get("domain"))

    def _within(self, pairs: Iterable[tuple[str, str]], at: int) -> list[tuple[int, str]]:
        return list(dict.fromkeys((self._grids.index(self._place(p)), p[at]) for p in pairs))

    def of(self, trace: Drawn) -> tuple[Axis, Axis, Option]:
        """A trace's axes, and how its series names them."""
        x, y = trace.axes
        grid = self._grids.index(self._place((x, y)))
        at = {"xAxisIndex": self._xs.index((grid, x)), "yAxisIndex": self._ys.index((grid, y))}
        return self._axes[x], self._axes[y], at

    @property
    def not_drawn(self) -> set[str]:
        """Parts of the axes that have no form here."""
        return set().union(*(axis.not_drawn for axis in self._axes.values()))

    def option(self) -> Option:
        """Grids and axes; empty where there are none."""
        if not self._grids:
            return {}
        grids = [
            {
                "left": f"{_LEFT + x[0] * _WIDTH:g}%",
                "width": f"{(x[1] - x[0]) * _WIDTH:g}%",
                "top": f"{_TOP + (1 - y[1]) * _HEIGHT:g}%",
                "height": f"{(y[1] - y[0]) * _HEIGHT:g}%",
            }
            for x, y in self._grids
        ]
        return {"grid": grids, "xAxis": self._options(self._xs), "yAxis": self._options(self._ys)}

    def _options(self, places: list[tuple[int, str]]) -> list[Option]:
        firsts: set[int] = set()
        options = []
        for grid, name in places:
            options.append(self._axes[name].option(grid, is_second=grid in firsts))
            firsts.add(grid)
        return options

"""Plotly's traces of samples, which it sums up itself: histograms as bars, boxes as ECharts' own.

Quartiles and whiskers are those of Plotly's `quartilemethod: linear` (`Lib.interp` of plotly.js):
a sample stands in the middle of its share of ranks, and whiskers go to the last sample within 1.5
times the box. Where a figure states no bins
they are chosen here, which is told.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from runferry.writers.swanlab import plotly_values as values
from runferry.writers.swanlab.plotly_traces import CHOSEN_BINS, Drawn, Trace, name_of
from runferry.writers.swanlab.plotly_values import Cell

_CHOSEN_AT_MOST: Final = 100
_STATED_AT_MOST: Final = 10_000
_WHISKER: Final = 1.5
_STATED: Final = ("lowerfence", "q1", "median", "q3", "upperfence")

Floats = NDArray[np.floating[Any]]


def sampled(index: int, raw: Trace) -> tuple[Drawn, ...] | None:
    """A histogram or box as what ECharts draws; none where that cannot be, None for other types."""
    name = name_of(index, raw)
    if raw.get("type") == "histogram":
        return _histogram(name, raw)
    if raw.get("type") == "box":
        return _boxes(name, raw)
    return None


# --- histograms -----------------------------------------------------------------------------------


def _histogram(name: str, raw: Trace) -> tuple[Drawn, ...]:
    axis = _sampled_axis(raw)
    cells = values.column(raw.get(axis))
    is_plain = raw.get("histfunc", "count") == "count"
    if not cells or not is_plain or values.mapping(raw.get("cumulative")).get("direction"):
        return ()
    if values.are_numbers(cells):
        numbers = _floats(cells)
        made = _bins(numbers, axis, raw) if len(numbers) else None
        if made is None:
            return ()
        counts, edges, told = made
        places: list[Cell] = [float(one) for one in (edges[:-1] + edges[1:]) / 2]
        widths = np.diff(edges)
    elif values.are_dates(cells):
        return ()
    else:
        found = Counter(one for one in map(values.label, cells) if one is not None)
        places, counts = [*found], np.array([*found.values()], np.float64)
        widths, told = np.ones(len(places)), {}
    heights: list[Cell] = [float(one) for one in _normed(counts, widths, raw)]
    raw = {**raw, **told, "orientation": "v" if axis == "x" else "h"}
    x, y = (places, heights) if axis == "x" else (heights, places)
    return (Drawn("bar", name, raw, x, y, []),)


def _sampled_axis(raw: Trace) -> str:
    """Which of `x` and `y` has the samples."""
    if raw.get("x") is None or raw.get("y") is None:
        return "y" if raw.get("x") is None else "x"
    return "y" if raw.get("orientation") == "h" else "x"


def _bins(numbers: Floats, axis: str, raw: Trace) -> tuple[Floats, Floats, Trace] | None:
    """Counts, edges, and what is to be told of them; None for bins that nobody means."""
    stated = values.mapping(raw.get(f"{axis}bins"))
    first, last, size = (values.number(stated.get(one)) for one in ("start", "end", "size"))
    if first is not None and size is not None and size > 0:
        end = last if last is not None else float(numbers.max(initial=first)) + size
        count = math.ceil((end - first) / size - 1e-9)
        if not 0 < count <= _STATED_AT_MOST:
            return None
        edges = first + size * np.arange(count + 1)
        inside = numbers[numbers < edges[-1]]  # a bin has its lower edge, and not its upper one
        return np.histogram(inside, edges)[0].astype(np.float64), edges, {}
    wanted = values.number(raw.get(f"nbins{axis}")) or math.sqrt(len(numbers))
    try:
        counts, edges = np.histogram(numbers, int(min(max(wanted, 1), _CHOSEN_AT_MOST)))
    except ValueError:  # so near to each other that no edges lie between them
        counts, edges = np.histogram(numbers, 1)
    return counts.astype(np.float64), edges, {CHOSEN_BINS: True}


def _normed(counts: Floats, widths: Floats, raw: Trace) -> Floats:
    norm, total = str(raw.get("histnorm") or ""), counts.sum() or 1.0
    if norm.startswith("p"):  # percent, probability, probability density
        counts = counts / total * (100 if norm == "percent" else 1)
    if norm.endswith("density"):
        counts = counts / widths
    is_running = values.mapping(raw.get("cumulative")).get("enabled") is True
    return np.cumsum(counts) if is_running else counts


# --- boxes ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Box:
    five: list[Cell]
    """Whisker, box, median, box, whisker."""
    outliers: list[float]


def _boxes(name: str, raw: Trace) -> tuple[Drawn, ...]:
    found = _stated_boxes(name, raw) or _reckoned_boxes(name, raw)
    if not found:
        return ()
    is_lying = _is_lying(raw)
    raw = {**raw, "orientation": "h" if is_lying else "v"}
    labels: list[Cell] = [*found]
    ends: list[Cell] = [end for box in found.values() for end in (box.five[0], box.five[-1])]
    rows = [box.five for box in found.values()]
    x, y = (ends, labels) if is_lying else (labels, ends)
    drawn = [Drawn("box", name, raw, x, y, rows)]
    far = [(label, one) for label, box in found.items() for one in box.outliers]
    if far and raw.get("boxpoints", "outliers") is not False:
        kept: Trace = {key: raw[key] for key in ("xaxis", "yaxis", "visible") if key in raw}
        at: list[Cell] = [label for label, _ in far]
        values_at: list[Cell] = [one for _, one in far]
        x, y = (values_at, at) if is_lying else (at, values_at)
        drawn.append(Drawn("scatter", name, {**kept, "mode": "markers"}, x, y, []))
    return tuple(drawn)


def _is_lying(raw: Trace) -> bool:
    stated = raw.get("orientation")
    return stated == "h" if stated in ("h", "v") else raw.get("y") is None and "x" in raw


def _stated_boxes(name: str, raw: Trace) -> dict[str, _Box]:
    """Boxes of which the figure states the numbers; whiskers that it does not are the box's."""
    columns = {part: values.column(raw.get(part)) for part in _STATED}
    low, middle, high = columns["q1"], columns["median"], columns["q3"]
    if not low or not middle or not high:
        return {}
    columns["lowerfence"] = columns["lowerfence"] or low
    columns["upperfence"] = columns["upperfence"] or high
    rows = zip(*(columns[part] or [] for part in _STATED), strict=False)
    boxes = [_Box([*row], []) for row in rows]
    return dict(zip(_labels(name, raw, len(boxes)), boxes, strict=False))


def _reckoned_boxes(name: str, raw: Trace) -> dict[str, _Box]:
    cells = values.column(raw.get("x" if _is_lying(raw) else "y"))
    if not cells or not values.are_numbers(cells):
        return {}
    groups: dict[str, list[Cell]] = {}
    for label, cell in zip(_labels(name, raw, len(cells)), cells, strict=False):
        groups.setdefault(label, []).append(cell)
    numbers = {label: np.sort(_floats(group)) for label, group in groups.items()}
    return {label: _box(found) for label, found in numbers.items() if len(found)}


def _labels(name: str, raw: Trace, count: int) -> list[str]:
    """Of each sample or box where it stands: what the other axis says, else the trace's name."""
    stated = raw.get("y" if _is_lying(raw) else "x")
    cells = values.column(stated) if stated is not None else None
    return [values.label(cell) or "" for cell in cells] if cells else [name] * count


def _box(numbers: Floats) -> _Box:
    """`numbers` are sorted."""
    low, middle, high = (
        float(one) for one in np.quantile(numbers, (0.25, 0.5, 0.75), method="hazen")
    )
    reach = _WHISKER * (high - low)
    near = numbers[(numbers >= low - reach) & (numbers <= high + reach)]
    least, most = (float(near[0]), float(near[-1])) if len(near) else (low, high)
    far = numbers[(numbers < least) | (numbers > most)]
    return _Box([min(least, low), low, middle, high, max(most, high)], far.tolist())


def _floats(cells: Sequence[Any]) -> Floats:
    """The numbers among cells; those that nothing can be reckoned with are left out."""
    spelled = (float(one) if isinstance(one, str) else one for one in cells)
    found = (values.number(one) for one in spelled)
    return np.array([one for one in found if one is not None], np.float64)

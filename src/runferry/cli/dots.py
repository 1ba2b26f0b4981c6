"""One panel of curves as lines of text: braille dots between two axes.

A terminal's own plotting libraries draw points that they are given, refuse NaN or join across it,
and cost up to half a second to import. What is drawn is decided by `pictures.curves`; here dots
are put into cells.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from runferry.pictures.curves import Curve
from runferry.pictures.panels import Panel
from runferry.pictures.scales import TITLES, Scale, Tick, along

COLUMNS, ROWS = 2, 4
"""Dots of one cell."""
_BITS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]], np.uint8)
_BRAILLE = 0x2800
GUTTER = 9
"""Cells for the numbers at the vertical axis: panels above each other begin at the same cell."""
_TICK_EVERY = 2
_LABEL_ROOM = 14
"""Rows for each tick of the vertical axis, and cells for each of the horizontal one."""

Span: TypeAlias = "tuple[str, str]"
"""Text, and its style."""
Grid: TypeAlias = "NDArray[np.bool_]"


@dataclass(frozen=True, slots=True)
class Look:
    """What the terminal can show."""

    styles: tuple[str, ...]  # one a line
    letters: tuple[str, ...]  # one a line; empty where colours tell lines apart
    has_braille: bool
    has_frames: bool


def dots(curve: Curve, scale: Scale, rows: int) -> Grid:
    """The dots of one curve, the highest row first; lines between the values are filled in."""
    grid: Grid = np.zeros((rows, curve.width), np.bool_)

    def at(x: float, y: float) -> tuple[int, float]:
        column = int(x / curve.axis.span * curve.width) if curve.axis.span > 0 else 0
        return min(column, curve.width - 1), (1 - scale.place(y)) * (rows - 1)

    for stroke in curve.strokes():
        before = at(*stroke[0])
        _fill(grid, before[0], before[1], before[1])
        for point in stroke[1:]:
            here = at(*point)
            _join(grid, before, here)
            before = here
    return grid


def _join(grid: Grid, left: tuple[int, float], right: tuple[int, float]) -> None:
    (begin, top), (end, bottom) = left, right
    if begin == end:
        _fill(grid, begin, top, bottom)
        return
    slope = (bottom - top) / (end - begin)
    for column in range(begin, end + 1):
        first = top + slope * max(0.0, column - begin - 0.5)
        last = top + slope * min(float(end - begin), column - begin + 0.5)
        _fill(grid, column, first, last)


def _fill(grid: Grid, column: int, begin: float, end: float) -> None:
    low, high = sorted((round(begin), round(end)))
    grid[low : high + 1, column] = True


def paint(panel: Panel, look: Look, rows: int) -> list[list[Span]]:
    """The panel's rows: the curves with their axes, and marks of values that no line can show."""
    found = panel.range
    if found is None:
        return [[("nothing here can be drawn", "dim")]]
    scale = Scale(*found, is_log=panel.is_log)
    ticks = {
        round((1 - tick.place) * (rows - 1)): tick.label
        for tick in scale.ticks(max(2, rows // _TICK_EVERY))
    }
    cells, owners = _cells(panel, scale, look, rows)
    tee, bar = ("┤", "│") if look.has_frames else ("+", "|")
    painted: list[list[Span]] = []
    for row in range(rows):
        label = ticks.get(row, "")
        spans: list[Span] = [(f"{label:>{GUTTER}} {tee if label else bar}", "dim")]
        spans += _spans(cells[row], owners[row], look)
        painted.append(spans)
    painted += _horizontal(panel, look, cells.shape[1])
    marks = _odd_marks(panel, look)
    return [*painted, *marks]


def _cells(
    panel: Panel, scale: Scale, look: Look, rows: int
) -> tuple[NDArray[np.str_], NDArray[np.int64]]:
    """What stands in every cell, and whose it is (−1: nobody's)."""
    width = panel.lines[0].drawn.width // COLUMNS
    bits = np.zeros((rows, width), np.uint8)
    owners = np.full((rows, width), -1)
    lettered: list[tuple[int, int, str]] = []
    for number, line in enumerate(panel.lines):
        grid = dots(line.drawn, scale, rows * ROWS)
        own = _bits(grid)
        bits |= own
        owners[own > 0] = number
        if look.letters:
            lettered += _letters(own > 0, look.letters[number], number, len(panel.lines))
    cells = _spelled(bits) if look.has_braille else np.where(bits > 0, "*", " ")
    for row, column, letter in lettered:
        cells[row, column] = letter
    return cells, owners


def letters(grid: Grid) -> list[str]:
    """Rows of braille with these dots, without an axis."""
    return ["".join(row) for row in _spelled(_bits(grid))]


def _bits(grid: Grid) -> NDArray[np.uint8]:
    """The dots of each cell as the bits of its character."""
    rows, columns = grid.shape
    cells = grid.reshape(rows // ROWS, ROWS, columns // COLUMNS, COLUMNS).transpose(0, 2, 1, 3)
    summed: NDArray[np.uint8] = (cells * _BITS).sum((2, 3)).astype(np.uint8)
    return summed


def _spelled(bits: NDArray[np.uint8]) -> NDArray[np.str_]:
    spelled: NDArray[np.str_] = np.vectorize(
        lambda n: chr(_BRAILLE + n) if n else " ", otypes=["U1"]
    )(bits)
    return spelled


def _letters(own: Grid, letter: str, number: int, lines: int) -> list[tuple[int, int, str]]:
    """Where a line's letter stands on it: now and then, and apart from the other lines'."""
    columns = np.flatnonzero(own.any(0))
    apart = max(lines * 2, 16)
    begin = number * apart // lines
    chosen = [n for n in columns.tolist() if n % apart == begin] or columns[-1:].tolist()
    return [(int(np.flatnonzero(own[:, n])[0]), n, letter) for n in chosen]


def _spans(cells: NDArray[np.str_], owners: NDArray[np.int64], look: Look) -> list[Span]:
    """Neighbours of one line are one piece of text."""
    changes = np.flatnonzero(np.diff(owners)) + 1
    spans = []
    for part, owner in zip(np.split(cells, changes), np.split(owners, changes), strict=True):
        spans.append(("".join(part), look.styles[owner[0]] if owner[0] >= 0 else ""))
    return spans


def _horizontal(panel: Panel, look: Look, width: int) -> list[list[Span]]:
    """The lower axis, and what stands at its ticks."""
    corner, line, mark = ("└", "─", "┬") if look.has_frames else ("+", "-", "+")
    title = TITLES[panel.axis.kind]
    most = max(1, width // _LABEL_ROOM)
    tries = [_labelled(panel, width, most * n) for n in (1, 2, 4)]
    marks, labels = next((found for found in tries if len(found[0]) > 1), tries[0])
    axis = "".join(mark if at in marks else line for at in range(width))
    named = labels.rstrip()
    if len(named) + len(title) + 2 <= width:
        named = f"{named}{title:>{width - len(named)}}"
    return [
        [(f"{'':{GUTTER}} {corner}{axis}", "dim")],
        [(f"{'':{GUTTER}}  {named}", "dim")],
    ]


def _labelled(panel: Panel, width: int, most: int) -> tuple[set[int], str]:
    """Where ticks stand that have room for their labels, and the line of these."""
    marks, labels, free = set[int](), [" "] * width, 0
    for tick in _apart(along(panel.axis, most)):
        at = min(int(tick.place * width), width - 1)
        begin = max(0, min(at - len(tick.label) // 2, width - len(tick.label)))
        if begin < free or begin + len(tick.label) > width:
            continue
        marks.add(at)
        labels[begin : begin + len(tick.label)] = tick.label
        free = begin + len(tick.label) + 2
    return marks, "".join(labels)


def _apart(ticks: list[Tick]) -> list[Tick]:
    return [tick for tick in ticks if 0 <= tick.place <= 1]


def _odd_marks(panel: Panel, look: Look) -> list[list[Span]]:
    """Below the axis: where values are that have no height, a row for each kind."""
    cross = "×" if look.has_frames else "x"
    kinds = dict.fromkeys(kind for line in panel.lines for kind in line.drawn.oddities)
    rows: list[list[Span]] = []
    for kind in kinds:
        width = panel.lines[0].drawn.width // COLUMNS
        owners = np.full(width, -1)
        for number, line in enumerate(panel.lines):
            if kind in line.drawn.odd:
                owners[line.drawn.odd[kind].reshape(width, COLUMNS).any(1)] = number
        cells = np.where(owners >= 0, cross, " ")
        label = kind if look.has_frames else kind.replace("≤", "<=")
        spans: list[Span] = [(f"{label[:GUTTER]:>{GUTTER}}  ", "dim")]
        rows.append(spans + _spans(cells, owners, look))
    return rows

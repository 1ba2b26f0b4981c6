"""A series of any length as what can be seen of it: M4, four points for each column of dots.

First, lowest, highest and last value of every column draw the same line as all values would
(Jugel et al., "M4: a visualization-oriented time series data aggregation", VLDB 2014), so no spike
vanishes, and memory depends on the width of the picture alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pyarrow as pa

    from runferry.model import SeriesCounts

AxisKind = Literal["step", "time", "relative", "row"]
"""Along what a curve is drawn; `relative` is the time since a run's first point, `row` the number
of a value in its series."""

Numbers: TypeAlias = "NDArray[np.float64]"
Whole: TypeAlias = "NDArray[np.int64]"
Bools: TypeAlias = "NDArray[np.bool_]"
Point = tuple[float, float]
Oddity = Literal["NaN", "+Inf", "-Inf", "null", "≤ 0"]
ODDITIES: tuple[Oddity, ...] = ("NaN", "+Inf", "-Inf", "null", "≤ 0")
"""Values that have no place in a picture; the last one only where the axis is logarithmic."""

_WHOLE = 10**6


@dataclass(frozen=True, slots=True)
class Axis:
    """What positions are counted from, and how far: steps, microseconds or rows."""

    kind: AxisKind
    origin: int
    span: float

    @classmethod
    def of(cls, kind: AxisKind, counts: SeriesCounts) -> Axis | None:
        """That of one series; None where none of its rows has such a place."""
        if kind == "step":
            if counts.min_step is None or counts.max_step is None:
                return None
            return cls(kind, counts.min_step, counts.max_step - counts.min_step + _part(counts))
        if kind == "row":
            return cls(kind, 0, max(0, counts.points - 1)) if counts.points else None
        if counts.min_time_ns is None or counts.max_time_ns is None:
            return None
        first, last = counts.min_time_ns // 1000, -(-counts.max_time_ns // 1000)
        return cls(kind, first, last - first)

    def beside(self, other: Axis) -> Axis:
        """One that both fit on."""
        if self.kind == "relative":
            return Axis(self.kind, self.origin, max(self.span, other.span))
        origin = min(self.origin, other.origin)
        end = max(self.origin + self.span, other.origin + other.span)
        return Axis(self.kind, origin, end - origin)


def _part(counts: SeriesCounts) -> int:
    """Room for the part of a step behind the last whole one."""
    return 1 if counts.fractional_steps else 0


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows as numpy has them, of many series or of one: pyarrow is slow where they are few."""

    exact: Whole  # step or microsecond
    part: Numbers  # of a step or a microsecond
    placed: Bools
    value: Numbers
    null: Bools
    seq: Whole
    is_placed: bool
    """Every row has a place along this axis."""

    @classmethod
    def of(cls, batch: pa.RecordBatch, kind: AxisKind) -> Rows:
        """With POINTS' columns (those of other axes may be absent)."""
        import pyarrow as pa

        column = batch.column("value")
        value: Numbers = column.to_numpy(zero_copy_only=False).astype(np.float64, copy=False)
        null: Bools = column.is_null().to_numpy(zero_copy_only=False)
        seq: Whole = batch.column("seq").to_numpy(zero_copy_only=False)
        if kind == "row":
            count = batch.num_rows
            nowhere = np.zeros(count, np.int64)
            everywhere = np.ones(count, np.bool_)
            return cls(nowhere, np.zeros(count), everywhere, value, null, seq, True)
        is_step = kind == "step"
        at = batch.column("step" if is_step else "time")
        placed: Bools = at.is_valid().to_numpy(zero_copy_only=False)
        whole = at if is_step else at.view(pa.int64())
        exact: Whole = whole.fill_null(0).to_numpy(zero_copy_only=False)
        parts = batch.column("step_frac" if is_step else "time_ns").fill_null(0)
        part: Numbers = parts.to_numpy(zero_copy_only=False).astype(np.float64)
        part /= _WHOLE if is_step else 1000
        return cls(exact, part, placed, value, null, seq, at.null_count == 0)

    def at(self, rows: slice | NDArray[np.intp]) -> Rows:
        """Some of them."""
        return Rows(
            self.exact[rows], self.part[rows], self.placed[rows],
            self.value[rows], self.null[rows], self.seq[rows], self.is_placed,
        )  # fmt: skip


@dataclass
class Curve:
    """Takes the rows of one series, in any order; what is kept is `width` columns wide."""

    axis: Axis
    width: int
    is_log: bool = False
    points: int = 0  # that came
    unplaced: int = 0  # of these without a step or a time, whatever the axis wants
    outside: int = 0  # of these beyond the ends of the axis
    odd: dict[Oddity, Whole] = field(default_factory=dict)  # by column
    count: Whole = field(init=False)  # by column: the values that are drawn

    def __post_init__(self) -> None:
        def full(value: float) -> Numbers:
            return np.full(self.width, value, np.float64)

        self.count = np.zeros(self.width, np.int64)
        self.low, self.high = full(np.inf), full(-np.inf)
        self.low_x, self.high_x = full(np.inf), full(np.inf)
        self.first_x, self.last_x = full(np.inf), full(-np.inf)
        self._first, self._last = full(np.nan), full(np.nan)
        self._first_seq = np.zeros(self.width, np.int64)
        self._last_seq = np.zeros(self.width, np.int64)
        self._gap_first, self._gap_last = full(np.inf), full(-np.inf)

    @property
    def drawn(self) -> int:
        """How many values the line goes through."""
        return int(self.count.sum())

    @property
    def range(self) -> tuple[float, float] | None:
        """The lowest and the highest value that is drawn."""
        if not self.drawn:
            return None
        return float(self.low.min()), float(self.high.max())

    @property
    def last(self) -> float:
        """The value furthest along the axis, of those that are drawn; NaN where none is."""
        columns = np.flatnonzero(self.count)
        return float(self._last[columns[-1]]) if len(columns) else np.nan

    @property
    def oddities(self) -> dict[Oddity, int]:
        """How many values have no place in the picture, by what they are."""
        return {kind: int(self.odd[kind].sum()) for kind in ODDITIES if kind in self.odd}

    def add(self, rows: Rows) -> None:
        """Rows of this series alone, that were read along this axis."""
        count = len(rows.seq)
        if not count:
            return
        x = self._positions(rows)
        self.points += count
        within = rows.placed & (x >= 0) & (x <= self.axis.span)
        here = int(within.sum())
        placed = count if rows.is_placed else int(rows.placed.sum())
        self.unplaced += count - placed
        self.outside += placed - here
        value, null, seq = rows.value, rows.null, rows.seq
        if here < count:
            x, value, null, seq = x[within], value[within], null[within], seq[within]
        columns = self._columns(x)
        shown = np.isfinite(value) & ~null
        if self.is_log:
            shown &= value > 0
        if not shown.all():
            self._add_odd(columns[~shown], x[~shown], value[~shown], null[~shown])
            columns, x, value, seq = columns[shown], x[shown], value[shown], seq[shown]
        self._add_shown(columns, x, value, seq)

    def _positions(self, rows: Rows) -> Numbers:
        """How far from the origin each row stands; below zero before it."""
        if self.axis.kind == "row":
            return np.arange(self.points, self.points + len(rows.seq), dtype=np.float64)
        # 64 bits wrap: the distance is right wherever both ends are
        apart = rows.exact.astype(np.uint64) - np.uint64(self.axis.origin % 2**64)
        x = np.where(rows.exact < self.axis.origin, -1.0, apart.astype(np.float64))
        return x + rows.part

    def _columns(self, x: Numbers) -> Whole:
        if self.axis.span <= 0:
            return np.zeros(len(x), np.int64)
        at = np.floor(x / self.axis.span * self.width).astype(np.int64)
        return np.minimum(at, self.width - 1)

    def _add_odd(self, at: Whole, x: Numbers, value: Numbers, null: Bools) -> None:
        if not len(at):
            return
        kinds: dict[Oddity, Bools] = {
            "NaN": np.isnan(value) & ~null,
            "+Inf": np.isposinf(value),
            "-Inf": np.isneginf(value),
            "null": null,
            "≤ 0": np.isfinite(value) & ~null,
        }
        for kind, found in kinds.items():
            if found.any():
                before = self.odd.setdefault(kind, np.zeros(self.width, np.int64))
                before += np.bincount(at[found], minlength=self.width)
        np.minimum.at(self._gap_first, at, x)
        np.maximum.at(self._gap_last, at, x)

    def _add_shown(self, at: Whole, x: Numbers, value: Numbers, seq: Whole) -> None:
        if not len(at):
            return
        if (x[1:] < x[:-1]).any() or (seq[1:] < seq[:-1]).any():
            order = np.lexsort((seq, x))
            at, x, value, seq = at[order], x[order], value[order], seq[order]
        self.count += np.bincount(at, minlength=self.width)
        begin, end = _edges(at)
        for better, edge, held, held_y, held_seq in (
            (_before, begin, self.first_x, self._first, self._first_seq),
            (_after, end, self.last_x, self._last, self._last_seq),
        ):
            won = better(x[edge], seq[edge], held[at[edge]], held_seq[at[edge]])
            rows = edge[won]
            columns = at[rows]
            held[columns], held_y[columns], held_seq[columns] = x[rows], value[rows], seq[rows]
        for beyond, extremes, held, held_x in (
            (np.less, np.minimum.reduceat(value, begin), self.low, self.low_x),
            (np.greater, np.maximum.reduceat(value, begin), self.high, self.high_x),
        ):
            rows = begin
            if len(begin) < len(at):
                reached = np.flatnonzero(value == np.repeat(extremes, end - begin + 1))
                rows = reached[_edges(at[reached])[0]]  # the first that is so low, or so high
            columns = at[rows]
            is_equal = value[rows] == held[columns]
            won = beyond(value[rows], held[columns]) | (is_equal & (x[rows] < held_x[columns]))
            held[columns[won]], held_x[columns[won]] = value[rows][won], x[rows][won]

    def strokes(self) -> Iterator[list[Point]]:
        """The line, from left to right: up to four points a column; a value that cannot be drawn
        ends a stroke, and the next value begins another."""
        stroke: list[Point] = []
        before = 0
        for at in np.flatnonzero(self.count).tolist():
            if stroke and self._is_broken(before, at):
                yield stroke
                stroke = []
            stroke += self._points_of(at)
            before = at
        if stroke:
            yield stroke

    def _points_of(self, at: int) -> list[Point]:
        found = [
            (float(self.first_x[at]), float(self._first[at])),
            *sorted(
                [
                    (float(self.low_x[at]), float(self.low[at])),
                    (float(self.high_x[at]), float(self.high[at])),
                ]
            ),
            (float(self.last_x[at]), float(self._last[at])),
        ]
        return [point for n, point in enumerate(found) if n == 0 or point != found[n - 1]]

    def _is_broken(self, left: int, right: int) -> bool:
        """Whether something that cannot be drawn stands between the values of two columns."""
        return bool(
            self._gap_last[left] > self.last_x[left]
            or self._gap_first[right] < self.first_x[right]
            or (right - left > 1 and np.isfinite(self._gap_first[left + 1 : right]).any())
        )


def _edges(at: Whole) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Where each group of equal neighbours begins, and where it ends."""
    changes = np.flatnonzero(at[1:] != at[:-1])
    return np.concatenate(([0], changes + 1)), np.concatenate((changes, [len(at) - 1]))


def _before(x: Numbers, seq: Whole, held_x: Numbers, held_seq: Whole) -> Bools:
    earlier: Bools = (x < held_x) | ((x == held_x) & (seq < held_seq))
    return earlier


def _after(x: Numbers, seq: Whole, held_x: Numbers, held_seq: Whole) -> Bools:
    later: Bools = (x > held_x) | ((x == held_x) & (seq >= held_seq))
    return later

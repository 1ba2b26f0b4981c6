"""Counts of every series, kept up as rows arrive: one pass over sorted rows, no row kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runferry.archive.points import KIND_CODE, SortedPoints
from runferry.model import SeriesCounts

_ADDED = (
    "points", "nan", "positive_inf", "negative_inf", "null_values", "inexact_ints", "not_float",
    "fractional_steps", "negative_steps", "falling_steps", "duplicate_steps", "null_times",
    "submillisecond_times",
)  # fmt: skip
_STEPPED = ("stepped", "first_step", "last_step", "last_frac")  # of the rows that have a step

Group = dict[str, NDArray[Any]]


_HIGHEST, _LOWEST = np.iinfo(np.int64).max, np.iinfo(np.int64).min

_LATEST_US = _HIGHEST // 1000 - 1
"""The year 2262 in µs: ns beyond it are no int64, so earliest and latest times stop there."""

_BLANK: dict[str, tuple[float, Any]] = {
    **dict.fromkeys((*_ADDED, *_STEPPED, "longest"), (0, np.int64)),
    "min_step": (_HIGHEST, np.int64),
    "max_step": (_LOWEST, np.int64),
    "min_time_ns": (_HIGHEST, np.int64),
    "max_time_ns": (_LOWEST, np.int64),
    "min_value": (np.inf, np.float64),
    "max_value": (-np.inf, np.float64),
}
"""What a series that has no rows is told by, and the type of the column."""


class Tally:
    """The counts of all series of one table; what is added later comes after what is there."""

    def __init__(self) -> None:
        self._places: dict[str, int] = {}
        self._size = 0
        self._of: Group = {}
        self._grow(64)

    def _grow(self, size: int) -> None:
        for name, (blank, dtype) in _BLANK.items():
            grown = np.full(size, blank, dtype)
            if name in self._of:
                grown[: self._size] = self._of[name]
            self._of[name] = grown
        self._size = size

    def _place(self, key: str) -> int:
        place = self._places.setdefault(key, len(self._places))
        if place >= self._size:
            self._grow(self._size * 2)
        return place

    def add(self, points: SortedPoints, lengths: NDArray[np.int64] | None = None) -> None:
        """Count sorted rows. Without a value column only rows, steps, times and lengths count."""
        if points.rows == 0:
            return
        at = np.array([self._place(name) for name in points.names], np.intp)
        starts = points.starts
        self._of["points"][at] += np.diff(np.append(starts, points.rows))
        self._count_steps(points, at)
        self._count_times(points, at, starts)
        if lengths is not None:
            self._extreme("longest", np.maximum, at, np.maximum.reduceat(lengths, starts))
        else:
            self._count_values(points, at, starts)

    def _sum(self, name: str, at: NDArray[np.intp], starts: NDArray[np.intp], mask: Any) -> None:
        if mask is None or not mask.any():
            return
        if mask.all():  # as often as not, and no copy of it as integers is needed then
            self._of[name][at] += np.diff(np.append(starts, len(mask)))
        else:
            self._of[name][at] += np.add.reduceat(mask, starts, dtype=np.int64)

    def _extreme(self, name: str, better: np.ufunc, at: Any, found: NDArray[Any]) -> None:
        self._of[name][at] = better(self._of[name][at], found)

    def _count_steps(self, points: SortedPoints, at: NDArray[np.intp]) -> None:
        """Steps as they follow each other within a key, rows without a step passed over."""
        step, valid, ranks = points.arrays.get("step"), points.valid.get("step"), points.ranks
        if step is None:
            return
        frac = points.arrays.get("step_frac")
        if valid is not None:
            step, ranks = step[valid], ranks[valid]
            frac = None if frac is None else frac[valid]
        if len(step) == 0:
            return
        border = np.flatnonzero(np.concatenate(([True], ranks[1:] != ranks[:-1])))
        at = at[ranks[border]]
        self._extreme("min_step", np.minimum, at, np.minimum.reduceat(step, border))
        self._extreme("max_step", np.maximum, at, np.maximum.reduceat(step, border))
        self._sum("negative_steps", at, border, step < 0)
        self._sum("fractional_steps", at, border, None if frac is None else frac != 0)
        self._compare_neighbours(step, frac, border, at)

    def _compare_neighbours(
        self, step: NDArray[Any], frac: NDArray[Any] | None, border: NDArray[Any], at: Any
    ) -> None:
        of = self._of
        before = np.empty_like(step)
        before[1:] = step[:-1]
        has_before = of["stepped"][at] > 0
        before[border] = np.where(has_before, of["last_step"][at], step[border])
        falling, same = step < before, step == before
        part = np.zeros(1, np.int64) if frac is None else frac.astype(np.int64)
        if frac is not None or bool((of["last_frac"][at] != 0).any()):
            if frac is None:
                part = np.zeros(len(step), np.int64)
            part_before = np.empty_like(part)
            part_before[1:] = part[:-1]
            part_before[border] = np.where(has_before, of["last_frac"][at], part[border])
            falling |= same & (part < part_before)
            same &= part == part_before
        same[border] &= has_before
        self._sum("falling_steps", at, border, falling)
        self._sum("duplicate_steps", at, border, same)
        last = np.append(border[1:], len(step)) - 1
        of["first_step"][at] = np.where(has_before, of["first_step"][at], step[border])
        of["last_step"][at] = step[last]
        of["stepped"][at] += np.diff(np.append(border, len(step)))
        of["last_frac"][at] = 0 if frac is None else part[last]

    def _count_times(self, points: SortedPoints, at: Any, starts: NDArray[np.intp]) -> None:
        time, valid = points.arrays.get("time"), points.valid.get("time")
        if time is None:
            self._of["null_times"][at] += np.diff(np.append(starts, points.rows))
            return
        below = points.arrays.get("time_ns")
        fine = time % 1000 != 0
        time_ns = np.clip(time, -_LATEST_US, _LATEST_US) * 1000
        if below is not None:
            fine |= below != 0
            time_ns += below
        low = high = time_ns
        if valid is not None:
            self._sum("null_times", at, starts, ~valid)
            fine &= valid
            low = np.where(valid, time_ns, _HIGHEST)
            high = np.where(valid, time_ns, _LOWEST)
        self._sum("submillisecond_times", at, starts, fine)
        self._extreme("min_time_ns", np.minimum, at, np.minimum.reduceat(low, starts))
        self._extreme("max_time_ns", np.maximum, at, np.maximum.reduceat(high, starts))

    def _count_values(self, points: SortedPoints, at: Any, starts: NDArray[np.intp]) -> None:
        kind = points.kind
        if bool((kind != KIND_CODE["float64"]).any()):
            self._sum(
                "not_float",
                at,
                starts,
                (kind != KIND_CODE["float64"]) & (kind != KIND_CODE["null"]),
            )
        value, valid = points.arrays.get("value"), points.valid.get("value")
        if value is None:
            self._of["null_values"][at] += np.diff(np.append(starts, points.rows))
            return
        exact = points.arrays.get("value_i64")
        if exact is not None:
            present = points.valid.get("value_i64")
            self._sum(
                "inexact_ints",
                at,
                starts,
                np.ones(len(exact), np.bool_) if present is None else present,
            )
        finite = np.isfinite(value)
        if not finite.all():
            self._sum("nan", at, starts, np.isnan(value))
            self._sum("positive_inf", at, starts, value == np.inf)
            self._sum("negative_inf", at, starts, value == -np.inf)
        if valid is not None:
            self._sum("null_values", at, starts, ~valid)
            finite &= valid
        low = high = value
        if not finite.all():
            low, high = np.where(finite, value, np.inf), np.where(finite, value, -np.inf)
        self._extreme("min_value", np.minimum, at, np.minimum.reduceat(low, starts))
        self._extreme("max_value", np.maximum, at, np.maximum.reduceat(high, starts))

    def states(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """All that is kept of each series, as JSON; what is at its default is left out."""
        count = len(self._places)
        told: list[dict[str, Any]] = [{} for _ in range(count)]
        for name, column in self._of.items():
            blank, values = _BLANK[name][0], column[:count].tolist()
            for row, value in zip(told, values, strict=True):
                if value != blank:
                    row[name] = value
        return zip(self._places, told, strict=True)

    def restore(self, key: str, state: Mapping[str, Any]) -> None:
        """Go on from what `states` gave."""
        place = self._place(key)
        for name, value in state.items():
            self._of[name][place] = value


_COUNTED = frozenset(spec.name for spec in fields(SeriesCounts))


def counts_of(state: Mapping[str, Any]) -> SeriesCounts:
    """The counts from what `Tally.states` kept."""
    named = {name: value for name, value in state.items() if name in _COUNTED}
    points, stepped = state.get("points", 0), state.get("stepped", 0)
    named["null_steps"] = points - stepped
    if stepped:
        for name in ("first_step", "last_step"):
            named[name] = state.get(name, 0)
    return SeriesCounts(**named)

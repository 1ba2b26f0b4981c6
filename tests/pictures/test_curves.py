"""What is drawn of a series is what drawing all of it would show."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.pictures.rows import batch, curve_of

from runferry.cli.dots import _fill, _join, dots
from runferry.model import SeriesCounts
from runferry.pictures.curves import Axis, Curve, Rows
from runferry.pictures.scales import Scale, along, number

ROWS, WIDTH, SPAN = 40, 16, 99
FINITE = st.floats(-1e308, 1e308)
ROW = st.tuples(st.integers(0, SPAN), FINITE | st.sampled_from([math.nan, math.inf, -math.inf]))
LOG = st.lists(ROW, min_size=1, max_size=200)


def place(step: int, value: float, scale: Scale) -> tuple[int, float]:
    column = min(int(np.floor(step / SPAN * WIDTH)), WIDTH - 1)
    return column, (1 - scale.place(value)) * (ROWS - 1)


@given(LOG)
def test_every_value_that_can_be_drawn_has_its_dot(log: list[tuple[int, float]]) -> None:
    curve = curve_of(batch(*zip(*log, strict=True)), WIDTH, SPAN)
    if curve.range is None:
        assert not any(map(math.isfinite, (value for _, value in log)))
        return
    scale = Scale(*curve.range)
    grid = dots(curve, scale, ROWS)
    for step, value in log:
        if math.isfinite(value):
            column, row = place(step, value, scale)
            assert grid[round(row), column], (step, value)


@given(LOG)
def test_the_line_is_that_of_all_values_by_step(log: list[tuple[int, float]]) -> None:
    """Every value joined to the next one, where nothing without a height stands between them."""
    log = [(step, value) for step, value in log if math.isfinite(value)] or [(0, 1.0)]
    curve = curve_of(batch(*zip(*log, strict=True)), WIDTH, SPAN)
    scale = Scale(*(curve.range or (0, 0)))
    whole = np.zeros((ROWS, WIDTH), np.bool_)
    placed = [place(*row, scale) for row in sorted(log, key=lambda row: row[0])]
    _fill(whole, placed[0][0], placed[0][1], placed[0][1])
    for left, right in pairwise(placed):
        _join(whole, left, right)
    assert (dots(curve, scale, ROWS) == whole).all()


@given(LOG, st.randoms(use_true_random=False), st.integers(1, 200))
def test_how_rows_are_cut_and_in_what_order_they_come_is_not_seen(
    log: list[tuple[int, float]], random: np.random.Generator, cut: int
) -> None:
    steps, values = zip(*log, strict=True)
    whole = batch(steps, values)
    curve = curve_of(whole, WIDTH, SPAN)
    parts = [whole.slice(at, cut) for at in range(0, len(log), cut)]
    random.shuffle(parts)
    other = Curve(curve.axis, WIDTH)
    for part in parts:
        other.add(Rows.of(part, "step"))
    assert list(other.strokes()) == list(curve.strokes())
    assert other.oddities == curve.oddities


def test_one_spike_among_a_million_values_is_drawn() -> None:
    values = np.zeros(1_000_000)
    values[777_777] = 5.0
    curve = Curve(Axis("step", 0, len(values) - 1), 160)
    for at in range(0, len(values), 65_536):
        part = values[at : at + 65_536]
        curve.add(Rows.of(batch(np.arange(at, at + len(part)), part, at), "step"))
    assert [y for stroke in curve.strokes() for _, y in stroke].count(5.0) == 1
    held = sum(a.nbytes for a in vars(curve).values() if isinstance(a, np.ndarray))
    assert held < 160 * 8 * 20  # of the width alone, whatever came


@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf, None])
def test_a_value_without_a_height_breaks_the_line(odd: float | None) -> None:
    steps, values = [0, 1, 2, 3, 4], [1.0, 2.0, odd, 3.0, 4.0]
    for width in (1000, 5):
        curve = curve_of(batch(steps, values), width, 4)
        assert [[x for x, _ in stroke] for stroke in curve.strokes()] == [[0, 1], [3, 4]]
        assert sum(curve.oddities.values()) == 1


def test_what_is_not_positive_has_no_place_on_a_logarithmic_axis() -> None:
    curve = curve_of(batch([0, 1, 2, 3], [1.0, 0.0, -3.0, 10.0]), 100, 3, is_log=True)
    assert curve.oddities == {"≤ 0": 2}
    assert curve.range == (1.0, 10.0)
    assert len(list(curve.strokes())) == 2


def test_rows_without_a_step_or_beyond_the_axis_are_counted() -> None:
    curve = curve_of(batch([0, None, 7, -3], [1.0, 2.0, 3.0, 4.0]), 10, 5)
    assert (curve.points, curve.drawn, curve.unplaced, curve.outside) == (4, 1, 1, 2)


def test_steps_at_the_ends_of_64_bits_have_their_places() -> None:
    low, high = -(2**63), 2**63 - 1
    axis = Axis.of("step", SeriesCounts(points=2, min_step=low, max_step=high))
    assert axis is not None
    curve = Curve(axis, 10)
    curve.add(Rows.of(batch([low, high], [1.0, 2.0]), "step"))
    assert curve.count.nonzero()[0].tolist() == [0, 9]


@given(st.tuples(FINITE, FINITE).map(sorted), st.integers(2, 10), st.booleans())
def test_ticks_stand_within_their_axis_and_can_be_told_apart(
    ends: list[float], most: int, is_log: bool
) -> None:
    low, high = ends
    if is_log:
        low, high = sorted((abs(low) + 1e-300, abs(high) + 1e-300))
    ticks = Scale(low, high, is_log).ticks(most)
    assert all(-1e-9 <= tick.place <= 1 + 1e-9 for tick in ticks)
    assert 1 <= len(ticks) <= most + 1


@given(st.integers(-(2**62), 2**62), st.integers(0, 2**62), st.integers(1, 12))
def test_steps_at_an_axis_are_whole_and_few(origin: int, span: int, most: int) -> None:
    ticks = along(Axis("step", origin, span), most)
    assert len(ticks) <= most + 1
    assert all(0 <= tick.place <= 1 for tick in ticks)


def test_numbers_are_short_and_keep_their_size() -> None:
    values = [0, 1500, 0.0123456, 1.25e-7, 11_234.5, 3e12, -2.5, 999_999]
    assert [number(value) for value in values] == [
        "0", "1,500", "0.0123", "1.25e-7", "11,234", "3e12", "-2.5", "999,999",
    ]  # fmt: skip

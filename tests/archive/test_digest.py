"""What the content digest promises of rows: of scalars, and of those of every other table."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from typing import Any, TypeAlias

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runferry.archive.digest import RowSum

Add: TypeAlias = Callable[[RowSum, pa.Table], None]

DOUBLES = st.floats(width=64)
WORDS = st.text("ab", max_size=3)
CELLS: dict[pa.DataType, st.SearchStrategy[Any]] = {
    pa.string(): WORDS,
    pa.dictionary(pa.int32(), pa.string()): WORDS,
    pa.binary(): st.binary(max_size=9),
    pa.list_(pa.float64()): st.lists(DOUBLES, max_size=3),
    pa.int64(): st.integers(-(2**63), 2**63 - 1),
    pa.int16(): st.integers(-(2**15), 2**15 - 1),
    pa.timestamp("us", "UTC"): st.integers(-(2**63), 2**63 - 1),
    pa.bool_(): st.booleans(),
}


SCALARS: dict[pa.DataType, st.SearchStrategy[Any]] = {
    pa.dictionary(pa.int32(), pa.string()): WORDS,
    pa.float64(): DOUBLES,
    **{kind: cells for kind, cells in CELLS.items() if pa.types.is_integer(kind)},
    pa.timestamp("us", "UTC"): CELLS[pa.timestamp("us", "UTC")],
}


def sum_of(rows: pa.Table, add: Add = RowSum.add_rows) -> object:
    total = RowSum()
    add(total, rows)
    return total.state()


@st.composite
def tables(draw: st.DrawFn, of: dict[pa.DataType, st.SearchStrategy[Any]]) -> pa.Table:
    types = draw(st.lists(st.sampled_from(list(of)), min_size=1, max_size=4))
    rows = draw(st.integers(0, 6))
    columns = [
        pa.array(draw(st.lists(st.none() | of[kind], min_size=rows, max_size=rows)), kind)
        for kind in types
    ]
    return pa.table(columns, names=[f"column {number}" for number in range(len(types))])


def check_order_and_cuts(data: st.DataObject, rows: pa.Table, add: Add) -> None:
    whole = sum_of(rows, add)
    order = data.draw(st.permutations(range(rows.num_rows)))
    assert sum_of(rows.take(pa.array(order, pa.int64())), add) == whole
    cut = data.draw(st.integers(0, rows.num_rows))
    by_part = RowSum()
    add(by_part, rows.slice(cut))
    add(by_part, rows.slice(0, cut))
    assert by_part.state() == whole


@given(st.data(), tables(CELLS))
def test_neither_the_order_of_rows_nor_how_they_are_cut_matters(
    data: st.DataObject, rows: pa.Table
) -> None:
    check_order_and_cuts(data, rows, RowSum.add_rows)


@given(st.data(), tables(SCALARS))
def test_neither_the_order_of_scalars_nor_how_they_are_cut_matters(
    data: st.DataObject, rows: pa.Table
) -> None:
    check_order_and_cuts(data, rows, RowSum.add_points)


def test_many_scalars_count_as_they_do_in_parts() -> None:
    steps = [None if step % 7 == 0 else step for step in range(3000)]
    rows = pa.table(
        {"step": pa.array(steps, pa.int64()), "value": [step / 3 for step in range(3000)]}
    )
    by_part = RowSum()
    for start in range(0, 3000, 700):
        by_part.add_points(rows.slice(start, 700))
    assert by_part.state() == sum_of(rows, RowSum.add_points)


@given(st.lists(WORDS, max_size=5))
def test_words_count_as_they_are_however_a_dictionary_numbers_them(words: list[str]) -> None:
    plain = pa.array(words, pa.string())
    backwards = pa.array([*words, "one more"][::-1], pa.string()).dictionary_encode()[:0:-1]
    assert sum_of(pa.table({"word": plain})) == sum_of(pa.table({"word": backwards}))


def double_of(bits: int) -> float:
    (value,) = struct.unpack("<d", struct.pack("<Q", bits))
    return float(value)


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        (pa.int64(), 0, None),
        (pa.string(), "", None),
        (pa.list_(pa.float64()), [], None),
        (pa.list_(pa.float64()), [0.0], [-0.0]),
        (pa.list_(pa.float64()), [math.nan], [double_of(0x7FF8_0000_0000_0001)]),
        (pa.binary(), b"\0", b"\0\0"),
    ],
)
def test_cells_that_are_not_the_same_make_other_sums(
    kind: pa.DataType, one: object, other: object
) -> None:
    assert sum_of(pa.table([pa.array([one], kind)], ["cell"])) != sum_of(
        pa.table([pa.array([other], kind)], ["cell"])
    )


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        (pa.int64(), 0, None),
        (pa.int64(), 1, 1 << 32),
        (pa.int16(), 1, -1),
        (pa.float64(), 0.0, -0.0),
        (pa.float64(), math.nan, double_of(0x7FF8_0000_0000_0001)),
        (pa.dictionary(pa.int32(), pa.string()), "a", "b"),
        (pa.dictionary(pa.int32(), pa.string()), "", None),
    ],
)
def test_scalars_that_are_not_the_same_make_other_sums(
    kind: pa.DataType, one: object, other: object
) -> None:
    sums = {
        str(
            sum_of(
                pa.table([pa.array(row, kind)[i : i + 1] for i in (0, 1)], ["a", "b"]),
                RowSum.add_points,
            )
        )
        for row in ([one, one], [one, other], [other, one], [other, other])
    }
    assert len(sums) == 4


def test_what_stands_in_one_cell_cannot_be_taken_for_what_stands_in_two() -> None:
    ab_c = pa.table({"one": ["ab"], "two": ["c"]})
    a_bc = pa.table({"one": ["a"], "two": ["bc"]})
    assert sum_of(ab_c) != sum_of(a_bc)


def test_a_type_that_no_table_has_is_refused() -> None:
    with pytest.raises(ValueError, match="no row has cells of type"):
        sum_of(pa.table({"one": pa.array([1.5], pa.float32())}))

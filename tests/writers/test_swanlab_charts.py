"""Tables, plots and histograms as SwanLab's charts are JSON, whatever the numbers and texts."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runferry.writers.swanlab.charts import histogram_chart, plot_chart, table_chart

CELLS = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=2), inner, max_size=2)
    ),
    max_leaves=6,
)


def strict(content: bytes | None) -> Any:
    assert content is not None
    return json.loads(content, parse_constant=pytest.fail)


def table(columns: list[Any], rows: list[Any]) -> bytes:
    return json.dumps({"columns": columns, "data": rows}).encode()


@given(rows=st.lists(st.lists(CELLS, min_size=2, max_size=2), max_size=4))
@settings(max_examples=100)
def test_every_table_is_json_and_has_its_rows(rows: list[list[Any]]) -> None:
    assert len(strict(table_chart(table(["a", "b"], rows)))["rowData"]) == len(rows)


def test_cells_that_json_has_no_number_for_are_words() -> None:
    content = table_chart(table(["a", "b"], [[math.nan, [math.inf]], [-math.inf, {"x": 1.5}]]))
    assert strict(content)["rowData"] == [
        {"a": "nan", "b": ["inf"]}, {"a": "-inf", "b": {"x": 1.5}}
    ]  # fmt: skip


def test_half_a_pair_of_surrogates_is_the_replacement_character() -> None:
    """No UTF-8 can hold it: U+FFFD stands in its place, in names too."""
    content = table_chart(table(["\ud800", "b"], [["x\udc00", "\U0001f600"]]))
    assert strict(content)["rowData"] == [{"\ufffd": "x\ufffd", "b": "\U0001f600"}]


def test_tables_and_charts_of_swanlab_stay_and_gaps_stand_for_no_numbers() -> None:
    own = b'{"_swanLab": "table", "rowData": [{"a": 1.50}]}'
    assert table_chart(own) == own
    assert strict(table_chart(own.replace(b"1.50", b"NaN")))["rowData"] == [{"a": None}]
    chart = plot_chart(b'{"series": [{"data": [1, Infinity, NaN]}]}').content
    assert strict(chart)["series"] == [{"data": [1, None, None]}]


def test_a_histogram_whose_counts_are_no_numbers_has_gaps() -> None:
    chart = strict(histogram_chart([0.0, 1.0, math.inf], [math.nan, 2.0]))
    assert chart["series"][0]["data"] == [None, 2.0]
    assert chart["xAxis"][0]["data"] == ["[0, 1)", "[1, inf)"]

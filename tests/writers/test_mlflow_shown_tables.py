"""Copies of tables that MLflow can show: whatever the bytes, and as many as its tag holds."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from runferry.dialects.mlflow.tags import MAX_TAG
from runferry.model import Blob
from runferry.writers.mlflow.shown_tables import split_form, tables_tag

cells = st.none() | st.integers() | st.floats() | st.text(max_size=5)


@given(st.lists(st.text(max_size=3), max_size=3), st.integers(0, 4), st.data())
def test_columns_and_rows_stay_in_place_and_json_stays_strict(
    columns: list[str], height: int, data: st.DataObject
) -> None:
    rows = [[data.draw(cells) for _ in columns] for _ in range(height)]
    logged = json.dumps({"_type": "table", "columns": columns, "data": rows, "nrows": height})
    form = split_form(Blob.from_bytes(logged.encode()))
    assert form is not None
    shown = json.loads(form, parse_constant=lambda name: name)
    assert shown["columns"] == columns
    for row, sent in zip(shown["data"], rows, strict=True):
        for cell, value in zip(row, sent, strict=True):
            is_finite = not isinstance(value, float) or abs(value) < float("inf")
            assert cell == (value if is_finite else None)


@given(st.binary(max_size=20) | st.sampled_from([b"[1]", b'{"columns":["a"],"data":[[1,2]]}']))
def test_what_is_no_table_is_not_shown(content: bytes) -> None:
    assert split_form(Blob.from_bytes(content)) is None


def test_bytes_that_are_missing_are_not_shown() -> None:
    assert split_form(Blob(12)) is None


@given(st.lists(st.text(min_size=1, max_size=700), max_size=40))
def test_the_tag_names_the_latest_tables_that_it_has_room_for(paths: list[str]) -> None:
    value = tables_tag(paths)
    named = [item["path"] for item in json.loads(value)]
    assert len(value) <= MAX_TAG
    distinct = list(dict.fromkeys(paths))
    assert named == distinct[len(distinct) - len(named) :]
    assert named == distinct or len(value) > MAX_TAG // 3

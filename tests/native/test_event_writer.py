"""Tables that are written as events are read back to the last bit."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runferry import _native, tables

KEYS = ("loss", "a/b", "损失", "")
_US = st.integers(-(2**53), 2**53)
_ADDRESS = {
    "key": st.sampled_from(KEYS),
    "step": st.none() | st.integers(-(2**63), 2**63 - 1),
    "step_frac": st.none() | st.integers(0, 999_999),
    "time": st.none() | _US,
    "time_ns": st.integers(0, 999),
    "seq": st.integers(0, 3),
}
_SINGLE = st.floats(width=32).map(lambda value: ("float32", value, None))
_DOUBLE = st.floats().map(lambda value: ("float64", value, None))
_WHOLE = st.integers(-(2**63), 2**63 - 1).map(
    lambda value: ("int", float(value), None if int(float(value)) == value else value)
)
_TRUTH = st.booleans().map(lambda value: ("bool", float(value), None))
_VALUE = _SINGLE | _DOUBLE | _WHOLE | _TRUTH | st.just(("null", None, None))
_LIST = st.none() | st.lists(st.floats(), max_size=4)

Rows = list[dict[str, Any]]


def batch(rows: Rows, schema: pa.Schema) -> pa.RecordBatch:
    """Rows, the times of which are numbers of µs."""
    columns = []
    for column in schema:
        values = [row[column.name] for row in rows]
        if column.name == "time":
            columns.append(pa.array(values, pa.int64()).cast(column.type))
        elif pa.types.is_dictionary(column.type):
            columns.append(pa.array(values, pa.string()).cast(column.type))
        else:
            columns.append(pa.array(values, column.type))
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def in_order(rows: Rows) -> Rows:
    """By source row, whose values share an address; a time has no ns where there is none."""
    first: dict[int, dict[str, Any]] = {}
    for row in rows:
        at = first.setdefault(row["seq"], row)
        row |= {name: at[name] for name in ("step", "step_frac", "time", "time_ns")}
        if row["time"] is None:
            row["time_ns"] = None
    return sorted(rows, key=lambda row: int(row["seq"]))


def bits(value: object) -> object:
    """Tells floats that are equal from those that are the same."""
    if isinstance(value, float):
        return struct.pack("<d", value)
    return [bits(item) for item in value] if isinstance(value, list) else value


def read_back(path: Path, table: str) -> list[list[object]]:
    """Cells by row, keys as names."""
    scanner, tags, found = _native.EventScanner(str(path)), [], []
    while (some := scanner.next()) is not None:
        assert some.damage == []
        tags += [tag for tag, _, _ in some.series]
        rows = getattr(some, table)
        if rows is not None:
            found += cells(pa.record_batch(rows), tags)
    return found


def cells(rows: pa.RecordBatch, tags: list[str] | None = None) -> list[list[object]]:
    """Each row as its cells in the order of their names."""
    at = rows.schema.get_field_index("time")
    rows = rows.set_column(at, "time", rows.column("time").cast(pa.int64()))
    found = []
    for row in rows.to_pylist():
        if tags is not None:
            row["key"] = tags[row.pop("series")]
        found.append([bits(row[name]) for name in sorted(row)])
    return found


def written(path: Path, table: str, *batches: pa.RecordBatch, doubles: bool = False) -> None:
    path.unlink(missing_ok=True)
    writer = _native.EventWriter(path, offset=0, tags={}, doubles=doubles)
    for one in batches:
        getattr(writer, table)(one)
    writer.flush()
    assert path.stat().st_size == writer.offset


def holds(folder: Path, table: str, schema: pa.Schema, rows: Rows, cut: int) -> None:
    """The law, for rows that are sent as two batches."""
    whole = batch(in_order(rows), schema)
    cut = min(cut, whole.num_rows)
    path = folder / "events.out.tfevents.1.x"
    for doubles in (False, True):
        written(path, table, whole.slice(0, cut), whole.slice(cut), doubles=doubles)
        assert read_back(path, table) == cells(whole)


_LAW = settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])


@_LAW
@given(
    st.lists(st.fixed_dictionaries({**_ADDRESS, "is": _VALUE}), min_size=1, max_size=12),
    st.integers(0, 12),
)
def test_points_come_back_as_they_were(tmp_path: Path, rows: Rows, cut: int) -> None:
    for row in rows:
        row["kind"], row["value"], row["value_i64"] = row.pop("is")
    holds(tmp_path, "points", tables.POINTS, rows, cut)


@_LAW
@given(
    st.lists(
        st.fixed_dictionaries(
            {**_ADDRESS, "text": st.none() | st.text(), "form": st.sampled_from(["text", "json"])}
        ),
        min_size=1,
        max_size=8,
    ),
    st.integers(0, 8),
)
def test_texts_come_back_as_they_were(tmp_path: Path, rows: Rows, cut: int) -> None:
    for row in rows:
        row["form"] = row["form"] if row["text"] is not None else "text"
    holds(tmp_path, "texts", tables.TEXTS, rows, cut)


@_LAW
@given(
    st.lists(
        st.fixed_dictionaries(
            {
                **_ADDRESS,
                "edges": _LIST,
                "counts": _LIST,
                "counts_kind": st.sampled_from(["int", "float64"]),
                "extra": st.none() | st.text() | st.just('{"min":0.0,"max":1.0}'),
            }
        ),
        min_size=1,
        max_size=8,
    ),
    st.integers(0, 8),
)
def test_histograms_come_back_as_they_were(tmp_path: Path, rows: Rows, cut: int) -> None:
    holds(tmp_path, "histograms", tables.HISTOGRAMS, rows, cut)


def test_what_stood_behind_the_place_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "events.out.tfevents.1.x"
    path.write_bytes(b"x" * 100)
    _native.EventWriter(path, offset=40, tags={}, doubles=False).flush()
    assert path.read_bytes() == b"x" * 40


def test_other_columns_are_an_error(tmp_path: Path) -> None:
    writer = _native.EventWriter(tmp_path / "f", offset=0, tags={}, doubles=False)
    with pytest.raises(ValueError, match="key"):
        writer.points(pa.RecordBatch.from_pydict({"value": [1.0]}))


def test_rows_of_a_series_that_two_plugins_show_have_two_tags(tmp_path: Path) -> None:
    writer = _native.EventWriter(tmp_path / "f", offset=0, tags={"known": "text"}, doubles=False)
    assert writer.tag("a", "scalars") == ("a", True)
    assert writer.tag("a", "text") == ("runferry/text/a", True)
    assert writer.tag("a", "scalars") == ("a", False)
    assert writer.tag("known", "scalars") == ("runferry/scalars/known", True)

"""What one record becomes: points, values, lines, summary, other records."""

from __future__ import annotations

import json
import math
import struct
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from wandb_log import Scan, blob, double, history, item, line, one, read, row, stats, summary, whole

quick = settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
names = st.text(max_size=8).filter(lambda name: name not in ("_type", "_step", "_timestamp"))
int64 = st.integers(-(2**63), 2**63 - 1)


def bits(value: float) -> bytes:
    return struct.pack("<d", value)


@quick
@given(value=st.floats(allow_nan=False, allow_infinity=False), style=st.sampled_from("reEgG"))
def test_floats_are_read_to_the_last_bit(tmp_path: Path, value: float, style: str) -> None:
    text = repr(value) if style == "r" else f"{value:.17{style}}"
    (point,) = one(tmp_path, text).points
    expected = json.loads(text)
    if isinstance(expected, int):  # "-0", or a whole number of 17 digits
        assert point.value == expected
    else:
        assert (bits(point.value), point.kind) == (bits(expected), "float64")


@pytest.mark.parametrize(
    ("text", "value", "kind", "exact"),
    [
        ("1", 1.0, "int", None),
        ("1.0", 1.0, "float64", None),
        ("-0", -0.0, "float64", None),
        ("-0.0", -0.0, "float64", None),
        ("1e400", math.inf, "float64", None),
        ("-1e400", -math.inf, "float64", None),
        ("4.9e-324", 5e-324, "float64", None),
        ("1.1805916207174113e+21", 2.0**70, "float64", None),
        ("NaN", math.nan, "float64", None),
        ("Infinity", math.inf, "float64", None),
        ("-Infinity", -math.inf, "float64", None),
        ("true", 1.0, "bool", None),
        ("false", 0.0, "bool", None),
        ("null", None, "null", None),
        ("9007199254740992", 2.0**53, "int", None),
        ("9007199254740993", 2.0**53, "int", 2**53 + 1),
        ("9223372036854775807", 2.0**63, "int", 2**63 - 1),
        ("-9223372036854775808", -(2.0**63), "int", None),
    ],
)
def test_scalars_keep_value_and_kind(
    tmp_path: Path, text: str, value: float | None, kind: str, exact: int | None
) -> None:
    (point,) = one(tmp_path, text).points
    same = point.value is None if value is None else bits(point.value) == bits(value)
    assert same
    assert (point.kind, point.exact) == (kind, exact)


@quick
@given(value=int64)
def test_integers_are_exact(tmp_path: Path, value: int) -> None:
    (point,) = one(tmp_path, str(value)).points
    assert point.value == float(value)
    assert point.exact == (None if int(float(value)) == value else value)


@pytest.mark.parametrize("text", ["9223372036854775808", "-9223372036854775809", "1" + "0" * 400])
def test_integers_beyond_64_bits_stay_text(tmp_path: Path, text: str) -> None:
    found = one(tmp_path, text)
    assert ([v.value for v in found.values], found.points) == ([text], [])


@pytest.mark.parametrize(
    "text", ["", "01", "1.", ".5", "+1", "1e", "nan", "inf", "tru", "'a'", "[1", "{}}", '"\x01"']
)
def test_what_is_no_json_is_reported_and_nothing_is_made_of_it(tmp_path: Path, text: str) -> None:
    record = history([item(["bad"], text), item(["good"], "1")], 0)
    found = read(tmp_path, record)
    assert [point.path for point in found.points] == [("good",)]
    assert found.values == []
    assert found.damage == [(7, len(record) + 7, "bad-json")]


trees = st.recursive(
    st.none() | st.booleans() | int64 | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)


def leaves(path: tuple[str, ...], tree: object) -> list[tuple[tuple[str, ...], object]]:
    if isinstance(tree, dict) and tree:
        return [leaf for name, inner in tree.items() for leaf in leaves((*path, name), inner)]
    return [(path, tree)]


def seen(found: Scan) -> dict[tuple[str, ...], object]:
    values = {value.path: json.loads(value.value) for value in found.values}
    for point in found.points:
        value = point.value if point.exact is None else point.exact
        as_kind = {"int": int, "bool": bool, "null": lambda _: None}.get(point.kind, float)
        values[point.path] = as_kind(value)
    return values


@quick
@given(row_values=st.dictionaries(names, trees, max_size=4), nested=st.booleans())
def test_old_rows_and_core_rows_give_the_same_series(
    tmp_path: Path, row_values: dict[str, object], nested: bool
) -> None:
    flat = [leaf for name, tree in row_values.items() for leaf in leaves((name,), tree)]
    if nested:
        items = [item(list(path), json.dumps(value)) for path, value in flat]
    else:
        items = [item(name, json.dumps(tree)) for name, tree in row_values.items()]
    found = read(tmp_path, history(items, 3))
    assert found.damage == []
    assert {path: repr(value) for path, value in seen(found).items()} == {
        path: repr(value) for path, value in flat
    }


def test_a_dotted_key_is_one_element(tmp_path: Path) -> None:
    found = read(tmp_path, history([item(["a.b", "c/d"], "1"), item("e.f", "2")], 0))
    assert [point.path for point in found.points] == [("a.b", "c/d"), ("e.f",)]


def test_key_and_nested_key_of_one_path_are_one_series(tmp_path: Path) -> None:
    found = read(tmp_path, history([item("a", "1")], 0), history([item(["a"], "2")], 1))
    assert [(p.path, p.value) for p in found.points] == [(("a",), 1.0), (("a",), 2.0)]


def test_an_empty_mapping_is_a_value(tmp_path: Path) -> None:
    found = read(tmp_path, history([item("a", '{"b":{},"c":[]}')], 0))
    assert [(v.path, v.value) for v in found.values] == [(("a", "b"), "{}"), (("a", "c"), "[]")]


@pytest.mark.parametrize("seed", range(6))
def test_media_that_core_took_apart_is_one_value_again(tmp_path: Path, seed: int) -> None:
    hist = {"_type": "histogram", "values": [1, 2], "bins": [0.0, 0.5, 1.0], "more": {"a": "b"}}
    leaf = [(("h", *path), value) for path, value in leaves((), hist)]
    items = [item(list(path), json.dumps(value)) for path, value in leaf]
    items += [item(["x"], "1"), item(["other", "values"], "[3]"), item(["_step"], "4")]
    items = items[seed:] + items[:seed]
    found = read(tmp_path, history(items, 4), history([item(["y"], "2")], 5))
    assert {v.path: json.loads(v.value) for v in found.values} == {
        ("h",): hist,
        ("other", "values"): [3],
    }
    assert [(p.path, p.step) for p in found.points] == [(("x",), 4), (("y",), 5)]


def test_media_in_one_json_stays_one_value(tmp_path: Path) -> None:
    image = '{"_type": "image-file", "path": "media/a.png", "size": 3}'
    found = read(tmp_path, history([item("a", '{"img":' + image + ',"n":1}')], 0))
    assert [(v.path, v.value) for v in found.values] == [(("a", "img"), image)]
    assert [p.path for p in found.points] == [("a", "n")]


def test_a_series_that_was_only_part_of_media_does_not_exist(tmp_path: Path) -> None:
    items = [item(["h", "n"], "1"), item(["h", "_type"], '"histogram"'), item(["x"], "1")]
    found = read(tmp_path, history(items, 0), history([item(["h", "n"], "2")], 1))
    assert [(v.path, v.value) for v in found.values] == [(("h",), '{"_type":"histogram","n":1}')]
    assert [(p.path, p.value) for p in found.points] == [(("x",), 1.0), (("h", "n"), 2.0)]


# --- typed values of 0.31 -------------------------------------------------------------------------


@pytest.mark.parametrize("beside", ["1", ""])
@pytest.mark.parametrize(
    ("typed", "value", "kind"),
    [
        (whole(3, 0), None, "null"),
        (whole(4, 1), 1.0, "bool"),
        (whole(5, 13), -7.0, "int"),
        (double(6, 1.0), 1.0, "float64"),
    ],
)
def test_a_typed_value_says_the_kind(
    tmp_path: Path, beside: str, typed: bytes, value: float | None, kind: str
) -> None:
    (point,) = one(tmp_path, beside, typed).points
    assert (point.value, point.kind) == (value, kind)


def test_typed_text_and_json_are_values(tmp_path: Path) -> None:
    text = 'a "quoted" \\ line\n\x02é'
    found = read(
        tmp_path,
        history([item(["t"], None, blob(7, text)), item(["j"], None, blob(8, "[1,NaN]"))], 0),
    )
    assert json.loads(found.values[0].value) == text
    assert found.values[1].value == "[1,NaN]"


# --- step and time --------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ['"5"', "5.5", "null", "true", '{"a":1}', "[1]", "1e30", "NaN"])
def test_a_step_that_is_none_stays_a_value(tmp_path: Path, text: str) -> None:
    found = read(tmp_path, history([item(["x"], "1"), item(["_step"], text)]))
    assert [p.step for p in found.points + found.values] == [None, None]
    assert {p.path[0] for p in found.points + found.values} == {"x", "_step"}


def test_the_step_is_the_item_or_else_the_field(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        history([item(["x"], "1"), item(["_step"], "7")]),
        history([item(["x"], "2")], 0),
        history([item(["x"], "3")]),
        history([item(["x"], "4"), item(["_step"], "-3")], -3),
    )
    assert [p.step for p in found.points] == [7, 0, None, -3]
    assert found.records == []


def test_two_steps_that_differ_are_both_kept(tmp_path: Path) -> None:
    found = read(tmp_path, history([item(["x"], "1"), item(["_step"], "7")], 8))
    assert [p.step for p in found.points] == [7]
    ((name, _, message),) = found.records
    assert (name, message["step"]) == ("history", {"num": 8})


def test_a_row_of_nothing_but_its_step_leaves_a_trace(tmp_path: Path) -> None:
    found = read(tmp_path, row(4))
    assert [(p.path, p.step, p.value) for p in found.points] == [(("_step",), 4, 4.0)]


@quick
@given(seconds=st.floats(-9e9, 9e9) | st.floats(1e9, 2e9))
def test_the_double_of_a_time_can_be_had_back(tmp_path: Path, seconds: float) -> None:
    found = read(tmp_path, history([item(["x"], "1"), item(["_timestamp"], repr(seconds))], 0))
    x = found.points[0]
    if x.time_ns is None:
        assert bits(found.points[1].value) == bits(seconds)
        assert abs(seconds) < 2**23
    else:
        assert bits(x.time_ns / 10**9) == bits(seconds)
        assert len(found.points) == 1


@pytest.mark.parametrize("text", ['"now"', "1e300", "NaN", "null", "9300000000"])
def test_a_time_that_is_none_stays_a_value(tmp_path: Path, text: str) -> None:
    found = read(tmp_path, history([item(["x"], "1"), item(["_timestamp"], text)], 0))
    assert [p.time_ns for p in found.points + found.values] == [None, None]


def test_statistics_are_a_stream_of_their_own(tmp_path: Path) -> None:
    found = read(tmp_path, row(0, cpu=1), stats(-2, 999_999_999, cpu=0.5, _step=3), row(1, cpu=2))
    assert [(p.stream, p.path, p.step, p.time_ns, p.seq, p.value) for p in found.points] == [
        ("user", ("cpu",), 0, None, 0, 1.0),
        ("system", ("cpu",), None, -1_000_000_001, 1, 0.5),
        ("system", ("_step",), None, -1_000_000_001, 1, 3.0),
        ("user", ("cpu",), 1, None, 2, 2.0),
    ]


# --- summary, console -----------------------------------------------------------------------------


def test_the_summary_is_the_last_value_of_each_path(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        summary([item(["a"], "1"), item(["b", "c"], "2"), item(["e"], "5")]),
        summary([item(["a"], "3"), item("b", '{"d":4}')], [item(["e"], None)]),
        summary([item(["f"], "1"), item(["f"], "2")]),
    )
    expected = {("a",): "3", ("b",): '{"d":4}', ("e",): None, ("f",): "2"}
    assert found.summary == expected
    assert found.records == []


def test_a_summary_that_is_no_json_is_reported(tmp_path: Path) -> None:
    found = read(tmp_path, row(0, x=1), summary([item(["a"], "{")]))
    assert found.summary == {}
    assert [reason for _, _, reason in found.damage] == ["bad-json"]


def test_console_lines_keep_stream_and_line_end(tmp_path: Path) -> None:
    old = blob(4, whole(1, 0) + blob(3, "e\r"))
    found = read(tmp_path, line("a\n"), old, line("", stdout=True))
    assert found.lines == [("stdout", "a\n"), ("stderr", "e\r"), ("stdout", "")]


def test_an_address_that_was_a_value_once_is_an_address_again(tmp_path: Path) -> None:
    def logged(**values: object) -> bytes:
        return history([item([name], json.dumps(value)) for name, value in values.items()])

    found = read(
        tmp_path,
        logged(_step=0),  # a row of nothing else: its step is its value
        logged(_step=1, _timestamp=5.5, x=0.5),
        logged(_step="?", _timestamp="?", x=0.25),  # no address
        logged(x=0.125, _step=2, _timestamp=6.5),
    )
    points = [(p.path, p.step, p.time_ns, p.value) for p in found.points]
    assert points == [
        (("_step",), 0, None, 0.0),
        (("x",), 1, 5_500_000_000, 0.5),
        (("x",), None, None, 0.25),
        (("x",), 2, 6_500_000_000, 0.125),
    ]
    assert [(v.path, v.value) for v in found.values] == [
        (("_step",), '"?"'),
        (("_timestamp",), '"?"'),
    ]

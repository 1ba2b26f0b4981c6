"""Tables of JSON lines: every leaf is a value, and damage costs its line alone."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from plain_tables import Held, curve, one_held, same, write_jsonl

from runferry.errors import Damaged
from runferry.losses import Fate
from runferry.ports import Location
from runferry.readers import lines
from runferry.readers.jsonl_tables import JsonLinesReader
from runferry.testing.reader_contract import ReaderContract


class TestJsonTables(ReaderContract):
    reader = JsonLinesReader

    @pytest.fixture
    def source(self, tmp_path: Path) -> Location:
        home = tmp_path / "tables"
        write_jsonl(home / "a.jsonl", curve(30))
        path = write_jsonl(home / "b.ndjson", [{"step": 1, "val": {"acc": 0.5, "list": [1]}}])
        path.write_bytes(path.read_bytes() + b'oops\n[1]\n{"late": null, "a": NaN}\n{"cu')
        return Location("jsonl", str(home))

    def grow(self, source: Location) -> None:
        write_jsonl(source.path / "a.jsonl", [{"step": 30, "new": {"key": True}}], "a")

    @classmethod
    def sized(cls, folder: Path, rows: int) -> Location:
        wide = [{f"m{n}": step / 7 for n in range(50)} for step in range(rows // 50)]
        write_jsonl(folder / "a.jsonl", wide)
        return Location("jsonl", str(folder))


LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(st.characters(codec="utf-8")),
    st.lists(st.integers(-9, 9), max_size=3),
)
OBJECTS = st.dictionaries(
    st.sampled_from(["a", "b", "c.d"]),
    LEAVES | st.dictionaries(st.sampled_from(["x", "y"]), LEAVES, max_size=2),
    max_size=3,
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(OBJECTS, min_size=1, max_size=6))
def test_json_lines_are_read_as_they_are(tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    found = one_held(JsonLinesReader, write_jsonl(tmp_path / "t.jsonl", rows))
    expected: dict[tuple[int, tuple[str, ...]], Any] = {}
    for number, row in enumerate(rows):
        for name, value in row.items():
            below = value.items() if isinstance(value, dict) and value else [(None, value)]
            for inner, leaf in below:
                expected[number, (name,) if inner is None else (name, inner)] = leaf
    met = json_cells(found)
    assert met.keys() == expected.keys()
    for place, leaf in expected.items():
        assert same(met[place], leaf), (place, met[place], leaf)


def json_cells(found: Held) -> dict[tuple[int, tuple[str, ...]], Any]:
    cells: dict[tuple[int, tuple[str, ...]], Any] = {}
    for key, rows in found.points.items():
        for row in rows:
            value = row["value"] if row["value_i64"] is None else row["value_i64"]
            as_kind = {"int": int, "bool": bool, "null": lambda _: None}.get(row["kind"], float)
            cells[row["seq"], found.series[key].path] = as_kind(value)
    for key, rows in found.texts.items():
        for row in rows:
            text = row["text"]
            is_json = row["form"] == "json"
            cells[row["seq"], found.series[key].path] = json.loads(text) if is_json else text
    return cells


def test_json_truncated_anywhere_gives_an_exact_prefix(tmp_path: Path) -> None:
    rows = [{"step": n, "a": {"b": n / 7}, "t": 'é"\n'} for n in range(3)]
    whole = write_jsonl(tmp_path / "t.jsonl", rows).read_bytes()
    complete = one_held(JsonLinesReader, tmp_path / "t.jsonl").cells()
    for end in range(whole.index(b"\n"), len(whole)):
        path = tmp_path / "cut.jsonl"
        path.write_bytes(whole[:end])
        found = one_held(JsonLinesReader, path)
        rows_met = {row for row, _ in found.cells()}
        assert found.cells() == {at: v for at, v in complete.items() if at[0] in rows_met}, end
        is_between = whole[:end].endswith((b"\n", b"}")) and whole[:end].rstrip()[-2:] == b'"}'
        left = len(whole[:end].rpartition(b"\n")[2])
        assert found.codes().get("cut-tail", 0) == (0 if is_between else left), end


@pytest.mark.parametrize("end", ["\n", ""], ids=["ended", "last and unended"])
def test_a_line_of_json_that_is_too_long_is_told_as_such_and_passed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    monkeypatch.setattr(lines, "LINE_AT_MOST", 100)
    rows = [{"a": 1}, {"a": "x" * 1000}, {"a": 3}]
    path = write_jsonl(tmp_path / "t.jsonl", rows if end else rows[:2])
    if not end:
        path.write_bytes(path.read_bytes().rstrip())
    found = one_held(JsonLinesReader, path)
    assert found.cells() == ({(0, "a"): 1, (2, "a"): 3} if end else {(0, "a"): 1})
    (loss,) = [loss for loss in found.losses if loss.fate > Fate.KEPT]
    assert (loss.code, loss.fate, loss.where) == ("long-line", Fate.DROPPED, "t.jsonl:2")
    path.write_bytes(b'{"a": "' + b"x" * 1000)
    with pytest.raises(Damaged, match="longer than 100 bytes"):
        one_held(JsonLinesReader, path)


def test_json_that_says_a_key_twice_is_told(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text('{"step": 1, "a": 1, "a": 2}\n{"step": 2, "a": "\\ud800"}\n')
    found = one_held(JsonLinesReader, path)
    assert found.cells() == {(0, "a"): 2, (1, "a"): "\ufffd"}
    told = {loss.code: (loss.fate, loss.where) for loss in found.losses}
    assert told["repeated-key"] == (Fate.DROPPED, "t.jsonl:1")
    assert told["lone-surrogate"] == (Fate.ROUNDED, "t.jsonl:2")


def test_json_numbers_beyond_a_double_keep_their_text(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text('{"a": 1e400, "b": -1e-400, "c": 0e5, "d": Infinity}\n')
    found = one_held(JsonLinesReader, path)
    assert found.cells() == {
        (0, "a"): "1e400",
        (0, "b"): "-1e-400",
        (0, "c"): 0.0,
        (0, "d"): math.inf,
    }
    assert found.codes()["number-beyond-double"] == 2

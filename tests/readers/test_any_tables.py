"""The readers of any table: `csv`, `parquet` and `jsonl`, their columns named by the user."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from plain_tables import Held, all_held, csv_file, held, one_held, opened, same

from runferry import chunks
from runferry.archive.store import Archive
from runferry.errors import (
    BadLocation,
    Damaged,
    ExitCode,
    NotFound,
    RunferryError,
    SourceError,
)
from runferry.losses import Fate
from runferry.ports import Location, Reader, ReadOptions, TableColumns
from runferry.readers import lines
from runferry.readers.csv_tables import CsvReader
from runferry.readers.jsonl_tables import JsonLinesReader
from runferry.readers.parquet_tables import ParquetReader
from runferry.readers.tabular import csv_table
from runferry.readers.tabular.addresses import Addresses, instant_of, take_dates
from runferry.readers.tabular.cells import Words
from runferry.testing.reader_contract import ReaderContract
from runferry.transfer.pull import pull

Rows = Sequence[dict[str, Any]]


def write_csv(path: Path, rows: Rows) -> Path:
    names = list(dict.fromkeys(name for row in rows for name in row))
    return csv_file(path, [names, *([row.get(name, "") for name in names] for row in rows)])


def write_jsonl(path: Path, rows: Rows, mode: str = "w") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open(mode, encoding="utf-8") as stream:
        stream.writelines(json.dumps(row) + "\n" for row in rows)
    return path


def write_parquet(path: Path, rows: Rows) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = {name: [row.get(name) for row in rows] for name in names}
    pq.write_table(pa.table(columns), path, row_group_size=50_000)
    return path


def curve(rows: int) -> list[dict[str, Any]]:
    return [{"step": n, "loss": 1 / (n + 1), "note": f"n{n}"} for n in range(rows)]


def named(**columns: str) -> ReadOptions:
    return ReadOptions(columns=TableColumns(**columns))


class TestCsv(ReaderContract):
    reader = CsvReader

    @pytest.fixture
    def source(self, tmp_path: Path) -> Location:
        home = tmp_path / "tables"
        write_csv(home / "a.csv", curve(30))
        path = write_csv(home / "b" / "odd.csv", curve(5))
        path.write_bytes(path.read_bytes() + b"7\n8,0.5,caf\xe9\n\0,\0,\0\n9,0.25,whole\n10,0.2")
        csv_file(home / "c.tsv", [["epoch", "x"], [0, 1], [1, "text"]], delimiter="\t")
        return Location("csv", str(home))

    def grow(self, source: Location) -> None:
        with (source.path / "a.csv").open("a") as stream:
            stream.write('30,0.5,"two\nlines"\n31,,\n')

    @classmethod
    def sized(cls, folder: Path, rows: int) -> Location:
        wide = [{f"m{n}": step / 7 + n for n in range(50)} for step in range(rows // 50)]
        write_csv(folder / "a.csv", wide)
        return Location("csv", str(folder))


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


class TestParquet(ReaderContract):
    reader = ParquetReader

    @pytest.fixture
    def source(self, tmp_path: Path) -> Location:
        home = tmp_path / "tables"
        write_parquet(home / "a.parquet", curve(30))
        write_parquet(home / "b" / "b.parquet", [{"x": 1.5, "deep": {"a": 1, "b": [1, 2]}}])
        return Location("parquet", str(home))

    @classmethod
    def sized(cls, folder: Path, rows: int) -> Location:
        wide = [{f"m{n}": step / 7 for n in range(50)} for step in range(rows // 50)]
        write_parquet(folder / "a.parquet", wide)
        return Location("parquet", str(folder))


EACH = [
    pytest.param(CsvReader, write_csv, "t.csv", id="csv"),
    pytest.param(JsonLinesReader, write_jsonl, "t.jsonl", id="jsonl"),
    pytest.param(ParquetReader, write_parquet, "t.parquet", id="parquet"),
]
each = pytest.mark.parametrize(("reader", "write", "name"), EACH)
Write = Callable[[Path, Rows], Path]


@each
def test_a_well_known_step_is_taken_and_told(
    tmp_path: Path, reader: type[Reader], write: Write, name: str
) -> None:
    rows = [{"epoch": n // 2, "global_step": 10 * n, "loss": 0.5} for n in range(3)]
    found = one_held(reader, write(tmp_path / name, rows))
    assert found.steps("loss") == [0, 10, 20]
    assert "epoch" in found.series
    assert "global_step" not in found.series
    (loss,) = found.losses
    assert (loss.code, loss.fate) == ("guessed-step", Fate.KEPT)
    assert "global_step" in loss.detail


@each
def test_named_columns_are_step_and_time(
    tmp_path: Path, reader: type[Reader], write: Write, name: str
) -> None:
    rows = [{"step": 7, "i": n, "at": 1.7e9 + n / 4, "loss": 0.5} for n in range(3)]
    found = one_held(reader, write(tmp_path / name, rows), named(step="i", time="at"))
    assert found.steps("loss") == [0, 1, 2]
    assert found.values("step") == [7.0] * 3
    began = datetime.fromtimestamp(1.7e9, UTC)
    assert [row["time"] - began for row in found.points["loss"]] == [
        timedelta(milliseconds=250 * n) for n in range(3)
    ]
    assert not found.losses


@each
def test_without_a_step_there_is_none(
    tmp_path: Path, reader: type[Reader], write: Write, name: str
) -> None:
    found = one_held(reader, write(tmp_path / name, [{"loss": 0.5}, {"loss": 0.25}]))
    assert found.steps("loss") == [None, None]
    assert [row["seq"] for row in found.points["loss"]] == [0, 1]
    assert found.codes() == {"guessed-step": 1}


@each
def test_a_column_that_is_not_there_is_an_error_that_names_those_there_are(
    tmp_path: Path, reader: type[Reader], write: Write, name: str
) -> None:
    path = write(tmp_path / name, curve(2))
    with pytest.raises(BadLocation, match="'iter'") as caught:
        opened(reader, path, named(step="iter"))
    assert "step, loss, note" in caught.value.hint
    assert caught.value.exit_code == ExitCode.USAGE


@each
def test_a_column_tells_runs_apart(
    tmp_path: Path, reader: type[Reader], write: Write, name: str
) -> None:
    rows = [{"run": f"r{n % 2}", "step": n, "loss": n / 2} for n in range(5)]
    first, second = all_held(reader, write(tmp_path / name, rows), named(run="run"))
    assert (first.run.name, second.run.name) == ("r0", "r1")
    assert first.steps("loss") == [0, 2, 4]
    assert second.values("loss") == [0.5, 1.5]
    assert [row["seq"] for row in second.points["loss"]] == [1, 3]
    assert set(first.series) == {"loss"}


def test_names_of_runs_are_told_apart_as_they_are_written(tmp_path: Path) -> None:
    rows = [["run", "loss"], ["1.1", 1], ["1.10", 2], ["007", 3], ["7", 4], ["1e2", 5], [" 7", 6]]
    found = all_held(CsvReader, csv_file(tmp_path / "t.csv", rows), named(run="run"))
    assert {one.run.name: one.values("loss") for one in found} == {
        "1.1": [1], "1.10": [2], "007": [3], "7": [4, 6], "1e2": [5],
    }  # fmt: skip


def test_rows_that_name_no_run_are_told(tmp_path: Path) -> None:
    rows = [["run", "loss"], ["a", 1], ["", 2], [3, 3], ["", 4]]
    found = all_held(CsvReader, csv_file(tmp_path / "t.csv", rows), named(run="run"))
    assert [(one.run.name, one.values("loss")) for one in found] == [("a", [1]), ("3", [3])]
    assert [one.codes()["row-without-run"] for one in found] == [2, 2]


@each
def test_a_folder_holds_a_run_a_file(
    tmp_path: Path, reader: type[Reader], write: Write, name: str
) -> None:
    write(tmp_path / "b" / name, curve(2))
    write(tmp_path / "a" / name, curve(3))
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / name).write_bytes(b"")
    assert [found.run.name for found in all_held(reader, tmp_path)] == [f"a/{name}", f"b/{name}"]
    assert reader.recognises(tmp_path / "a" / name)
    assert not reader.recognises(tmp_path)


@each
def test_a_pointer_of_git_lfs_is_named(
    tmp_path: Path, reader: type[Reader], write: Write, name: str
) -> None:
    write(tmp_path / "a" / name, curve(2))
    path = tmp_path / name
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    with pytest.raises(NotFound, match="LFS") as caught:
        opened(reader, path)
    assert caught.value.hint == "git lfs pull"
    pointer, _ = all_held(reader, tmp_path)
    assert [(loss.code, loss.fate) for loss in pointer.losses] == [
        ("git-lfs-pointer", Fate.DROPPED)
    ]


@each
def test_a_file_that_is_no_table_fails_alone(
    tmp_path: Path, reader: type[Reader], write: Write, name: str
) -> None:
    write(tmp_path / "a" / name, curve(2))
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / name).write_bytes(b"\x89PNG\r\n\x1a\n\0\0")
    with pytest.raises(Damaged) as caught:
        opened(reader, tmp_path / "b" / name)
    assert caught.value.hint
    source = opened(reader, tmp_path)
    good, bad = source.runs()
    assert held(source, good).steps("loss") == [0, 1]
    with pytest.raises(Damaged):
        held(source, bad)


@each
@pytest.mark.usefixtures("modes_hold")
def test_a_file_that_is_closed_fails_alone(
    tmp_path: Path, reader: type[Reader], write: Write, name: str
) -> None:
    write(tmp_path / "a" / name, curve(2))
    shut = write(tmp_path / "b" / name, curve(2))
    shut.chmod(0)
    source = opened(reader, tmp_path)
    good, bad = source.runs()
    assert held(source, good).steps("loss") == [0, 1]
    with pytest.raises(SourceError, match="cannot be read"):
        held(source, bad)
    with pytest.raises(SourceError, match="cannot be read"):
        opened(reader, shut)


def test_a_file_that_goes_while_its_folder_is_looked_through_fails_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("gone.csv", "there.csv"):
        (tmp_path / name).write_text("step,loss\n0,1.5\n")
    table = CsvReader.table

    def gone(reader: CsvReader, path: Path, label: str) -> object:
        if path.name == "gone.csv":
            path.unlink()
        return table(reader, path, label)

    monkeypatch.setattr(CsvReader, "table", gone)
    source = opened(CsvReader, tmp_path)
    bad, good = source.runs()
    assert held(source, good).steps("loss") == [0]
    with pytest.raises(SourceError, match="No such file"):
        held(source, bad)


def test_a_line_that_never_ends_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_table, "_LINE_AT_MOST", 5000)
    path = tmp_path / "t"
    path.write_bytes(b"a,b\n1,2\n" + b"[" * (2 << 20))
    with pytest.raises(Damaged, match="a line of more than 5,000 bytes") as caught:
        all_held(CsvReader, path)
    assert str(path) in caught.value.hint


@each
def test_a_pull_of_an_unchanged_file_brings_nothing_new(
    tmp_path: Path, reader: type[Reader], write: Write, name: str
) -> None:
    write(tmp_path / "t" / name, curve(5))
    archive = Archive.open(tmp_path / "archive", create=True)
    where = Location(reader.name, str(tmp_path / "t"))
    for _ in range(2):
        assert not pull(where, archive, reserve_bytes=0).failures
    (record,) = archive.records()
    assert record.generation == 1
    assert archive.inventory(record).rows == {"scalar": 5, "text": 5}


# --- addresses ------------------------------------------------------------------------------------

NS = 1_700_000_000_123_456_789
TIMES = {
    "1700000000": 1_700_000_000 * 10**9,
    "1700000000.25": 1_700_000_000 * 10**9 + 250_000_000,
    "1700000000123": NS // 10**6 * 10**6,
    "1700000000123456": NS // 1000 * 1000,
    "1700000000123456789": NS,
    "2023-11-14T22:13:20Z": 1_700_000_000 * 10**9,
    "2023-11-14 22:13:20.123456789+00:00": NS,
    "2023-11-14T23:13:20+01:00": 1_700_000_000 * 10**9,
    "2023-11-14 22:13:20": 1_700_000_000 * 10**9,
    "2023-11-14": 1_700_000_000 * 10**9 - (22 * 3600 + 13 * 60 + 20) * 10**9,
}


def time_ns(row: dict[str, Any]) -> int | None:
    if row["time"] is None:
        return None
    since = row["time"] - datetime(1970, 1, 1, tzinfo=UTC)
    return since // timedelta(microseconds=1) * 1000 + (row["time_ns"] or 0)


@pytest.mark.parametrize("spelled", TIMES)
def test_a_time_is_known_by_its_size_or_by_iso_8601(tmp_path: Path, spelled: str) -> None:
    path = write_csv(tmp_path / "t.csv", [{"step": 1, "at": spelled, "loss": 0.5}])
    found = one_held(CsvReader, path, named(time="at"))
    assert time_ns(found.points["loss"][0]) == TIMES[spelled]
    assert "at" not in found.series


def test_naive_times_are_read_in_the_zone_that_was_given_and_told(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "t.csv", [{"at": "2024-07-01 12:00:00", "loss": 0.5}])
    options = ReadOptions(timezone=ZoneInfo("Europe/Berlin"), columns=TableColumns(time="at"))
    found = one_held(CsvReader, path, options)
    assert found.points["loss"][0]["time"] == datetime(2024, 7, 1, 10, tzinfo=UTC)
    assert found.codes()["naive-time"] == 1


@pytest.mark.parametrize("spelled", ["12.5", "0", "soon", "nan", "1e300", "2024-02-30", "True"])
def test_what_is_no_time_stays_a_value(tmp_path: Path, spelled: str) -> None:
    path = write_csv(tmp_path / "t.csv", [{"at": spelled, "loss": 0.5}])
    found = one_held(CsvReader, path, named(time="at"))
    assert time_ns(found.points["loss"][0]) is None
    assert "at" in found.series
    assert found.codes()["no-time"] == 1


STEPS: dict[str, tuple[int | None, int | None]] = {
    "5": (5, None),
    "5.0": (5, None),
    "-3": (-3, None),
    "0.25": (0, 250_000),
    "-0.5": (-1, 500_000),
    "9007199254740993": (9007199254740993, None),
    "9223372036854775807": (2**63 - 1, None),
    "1e18": (10**18, None),
    "text": (None, None),
    "nan": (None, None),
    "1e19": (None, None),
    "True": (None, None),
    "9223372036854775808": (None, None),
}


@pytest.mark.parametrize("spelled", STEPS)
def test_a_step_is_taken_as_it_is_or_stays_a_value(tmp_path: Path, spelled: str) -> None:
    found = one_held(CsvReader, write_csv(tmp_path / "t.csv", [{"step": spelled, "loss": 0.5}]))
    row = found.points["loss"][0]
    assert (row["step"], row["step_frac"]) == STEPS[spelled]
    assert ("step" in found.series) == (STEPS[spelled][0] is None)


def test_a_step_that_is_rounded_is_kept_as_a_value_as_well(tmp_path: Path) -> None:
    found = one_held(CsvReader, write_csv(tmp_path / "t.csv", [{"step": 1 / 3, "loss": 0.5}]))
    assert (found.steps("loss"), found.points["loss"][0]["step_frac"]) == ([0], 333_333)
    assert found.values("step") == [1 / 3]


def test_a_row_of_nothing_but_its_step_leaves_a_trace(tmp_path: Path) -> None:
    found = one_held(CsvReader, csv_file(tmp_path / "t.csv", [["step", "a"], [0, 1], [1, ""]]))
    assert found.values("step") == [1]
    assert found.steps("step") == [1]


# --- values ---------------------------------------------------------------------------------------


def test_numbers_are_points_and_texts_are_texts_of_the_same_key(tmp_path: Path) -> None:
    rows = [{"step": 0, "loss": 0.5}, {"step": 1, "loss": "diverged"}, {"step": 2, "loss": 0.25}]
    found = one_held(CsvReader, write_csv(tmp_path / "t.csv", rows))
    assert found.cells() == {(0, "loss"): 0.5, (1, "loss"): "diverged", (2, "loss"): 0.25}
    assert found.series["loss"].kind == "scalar"


def test_numbers_that_columns_cannot_hold_keep_their_text(tmp_path: Path) -> None:
    rows = [{"step": 0, "a": "1e400", "b": 2**64}, {"step": 1, "a": "1,5", "b": 1}]
    found = one_held(CsvReader, write_csv(tmp_path / "t.csv", rows))
    assert [row["text"] for row in found.texts["a"]] == ["1e400", "1,5"]
    (large,) = found.texts["b"]
    assert (large["text"], large["form"]) == (str(2**64), "json")
    told = {(loss.code, loss.where): loss.fate for loss in found.losses}
    assert told["number-beyond-double", "a"] == Fate.REENCODED
    assert told["decimal-comma", "a"] == Fate.KEPT


def test_a_batch_names_only_keys_that_have_rows(tmp_path: Path) -> None:
    rows = [["step", "at", "a", "b"], [0, 1.7e9, "", 1]]
    reader = opened(CsvReader, csv_file(tmp_path / "t.csv", rows), named(time="at"))
    (run,) = reader.runs()
    batches = [chunk.batch for chunk in reader.read(run) if isinstance(chunk, chunks.Points)]
    assert [batch.column("key").dictionary.to_pylist() for batch in batches] == [["b"]]


def test_columns_without_a_value_are_told_together(tmp_path: Path) -> None:
    rows = [["step", "a", "b", "c"], [0, "", "", 1]]
    found = one_held(CsvReader, csv_file(tmp_path / "t.csv", rows))
    (loss,) = [loss for loss in found.losses if loss.code == "empty-column"]
    assert (loss.count, loss.fate) == (2, Fate.KEPT)
    assert "a, b" in loss.detail


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


def pulled(path: Path, archive: Archive) -> list[list[float]]:
    """The values of every run that an archive has after a pull, by its key."""
    assert not pull(Location("csv", str(path)), archive, reserve_bytes=0).failures
    found = sorted(archive.records(), key=lambda record: record.run.key.run_id)
    return [
        [
            value
            for chunk in archive.chunks(record)
            if isinstance(chunk, chunks.Points)
            for value in chunk.batch.column("value").to_pylist()
        ]
        for record in found
    ]


def test_an_export_whose_last_line_gets_its_break_stays_one_run(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    archive = Archive.open(tmp_path / "archive", create=True)
    path.write_text("step,loss\n0,0.5\n1,0.25")
    for _ in range(2):
        assert pulled(path, archive) == [[0.5, 0.25]]
    path.write_text("step,loss\n0,0.5\n1,0.25\n2,0.125\n")
    assert pulled(path, archive) == [[0.5, 0.25, 0.125]]


def test_a_column_without_a_value_is_told_once_however_often_the_file_grows(
    tmp_path: Path,
) -> None:
    path = tmp_path / "t.csv"
    archive = Archive.open(tmp_path / "archive", create=True)
    path.write_text("step,loss,none\n0,0.5,\n")
    for step in range(1, 4):
        pulled(path, archive)
        with path.open("a") as stream:
            stream.write(f"{step},0.5,\n")
    (record,) = archive.records()
    told = [(loss.count, loss.detail) for loss in record.losses if loss.code == "empty-column"]
    assert told == [(1, "columns without a value: none")]


def test_a_last_row_that_was_cut_after_all_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    archive = Archive.open(tmp_path / "archive", create=True)
    path.write_text("step,loss\n0,0.5\n1,0.2")
    assert pulled(path, archive) == [[0.5, 0.2]]
    path.write_text("step,loss\n0,0.5\n1,0.25\n2,0.125\n")
    for _ in range(2):
        assert pulled(path, archive) == [[0.5, 0.2], [0.5, 0.25, 0.125]]


def test_parquet_keeps_types_and_takes_structs_apart(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    moment = datetime(2024, 1, 1, 12, tzinfo=UTC)
    columns = {
        "step": pa.array([1, 2], pa.int32()),
        "f32": pa.array([0.1, None], pa.float32()),
        "half": pa.array([0.5, 1.5], pa.float16()),
        "u64": pa.array([2**64 - 1, 2**63 - 1], pa.uint64()),
        "i64": pa.array([2**53 + 1, None], pa.int64()),
        "flag": pa.array([True, False]),
        "word": pa.array(["a", ""]).dictionary_encode(),
        "list": pa.array([[1, 2], None]),
        "deep": pa.array([{"x": 1, "y": "z"}, {"x": None, "y": None}]),
        "when": pa.array([moment, None], pa.timestamp("us", "UTC")),
        "exact": pa.array([Decimal("1.10"), None]),
        "bytes": pa.array([b"\xff", None]),
        "took": pa.array([1_500_000_001, None], pa.duration("ns")),
        "nothing": pa.nulls(2),
    }
    pq.write_table(pa.table(columns), path)
    found = one_held(ParquetReader, path)
    assert found.steps("f32") == [1]
    assert {key: [row["kind"] for row in rows] for key, rows in found.points.items()} == {
        "f32": ["float32"],
        "half": ["float32", "float32"],
        "i64": ["int"],
        "flag": ["bool", "bool"],
        "u64": ["int"],
        "took": ["int"],
        "deep.x": ["int"],
    }
    assert found.points["u64"][0]["value_i64"] == 2**63 - 1
    assert found.values("took") == [1_500_000_001]
    (unit,) = (loss for loss in found.losses if loss.code == "duration")
    assert (unit.where, unit.fate) == ("took", Fate.REENCODED)
    assert "of ns" in unit.detail
    (large,) = (loss for loss in found.losses if loss.code == "large-integer")
    assert (large.where, large.fate, large.count) == ("u64", Fate.REENCODED, 1)
    assert found.points["i64"][0]["value_i64"] == 2**53 + 1
    texts = {key: [row["text"] for row in rows] for key, rows in found.texts.items()}
    assert texts == {
        "u64": [str(2**64 - 1)],
        "word": ["a", ""],
        "list": ["[1,2]"],
        "deep.y": ["z"],
        "when": ["2024-01-01 12:00:00.000000Z"],
        "exact": ["1.10"],
        "bytes": ['{"$bytes":"/w=="}'],
    }
    assert found.codes()["empty-column"] == 1


def test_a_null_is_no_step_no_time_and_no_run(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    rows = [{"step": None, "at": None, "run": None, "loss": 0.5}]
    rows += [{"step": 3, "at": 1.7e9, "run": 7, "loss": 1.5}]
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    named = ReadOptions(columns=TableColumns(step="step", time="at"))
    found = one_held(JsonLinesReader, path, named)
    assert [(row["step"], row["time"] is None) for row in found.points["loss"]] == [
        (None, True), (3, False)
    ]  # fmt: skip
    assert [row["kind"] for key in ("step", "at") for row in found.points[key]] == ["null"] * 2
    assert {"no-step", "no-time"} <= found.codes().keys()
    (run,) = all_held(JsonLinesReader, path, ReadOptions(columns=TableColumns(run="run")))
    assert (run.run.name, run.codes()["row-without-run"]) == ("7", 1)


def test_times_that_python_has_none_for_are_told_by_their_texts_or_numbers(tmp_path: Path) -> None:
    """Years beyond 9,999, nanoseconds in lists; texts in the layout that Polars has."""
    path = tmp_path / "t.parquet"
    zoned, us = pa.timestamp("us", "Europe/Berlin"), pa.timestamp("us")
    columns = {
        "far": pa.array([2**62, 0], us),
        "far zoned": pa.array([2**62, 0], zoned),
        "day": pa.array([2**30, None], pa.date32()),
        "late": pa.array([[253_402_300_800], None], pa.list_(pa.timestamp("s"))),
        "later": pa.array([[2**62], [0]], pa.list_(zoned)),
        "fine": pa.array([[1], None], pa.list_(pa.timestamp("ns", "Europe/Berlin"))),
        "clock": pa.array([[1], None], pa.list_(pa.time64("ns"))),
        "took": pa.array([[1], None], pa.list_(pa.duration("ns"))),
        "views": pa.array([None, "a"], pa.string_view()),
    }
    pq.write_table(pa.table(columns), path)
    found = one_held(ParquetReader, path)
    texts = {key: [row["text"] for row in rows] for key, rows in found.texts.items()}
    assert texts == {
        "far": [str(2**62), "1970-01-01 00:00:00.000000"],
        "far zoned": [str(2**62), "1970-01-01 00:00:00.000000Z"],
        "day": [str(2**30)],
        "late": ['["10000-01-01 00:00:00.000"]'],
        "later": [f'["<value out of range: {2**62}>"]', '["1970-01-01 00:00:00.000000"]'],
        "fine": ['["1970-01-01 00:00:00.000000001Z"]'],
        "clock": ['["00:00:00.000000001"]'],
        "took": ["[1]"],
        "views": ["a"],
    }
    told = {loss.where for loss in found.losses if loss.code == "large-integer"}
    assert told == {"far", "far zoned", "day"}


def test_lists_of_a_fixed_size_are_read_though_some_are_null(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pair = pa.list_(pa.int32(), 2)
    deep = pa.struct([pa.field("pair", pair), pa.field("x", pa.float32())])
    columns = {
        "pair": pa.array([[1, 2], None, [3, None]], pair),
        "none": pa.nulls(3, pair),
        "pairs": pa.array([[[1, 2], None], [], None], pa.list_(pair)),
        "deep": pa.array([{"pair": [5, 6], "x": 0.5}, {"pair": None, "x": 1.5}, None], deep),
        "took": pa.array([1, 2, 3], pa.duration("ms")),
    }
    pq.write_table(pa.table(columns), path)
    found = one_held(ParquetReader, path)
    assert {key: [row["text"] for row in rows] for key, rows in found.texts.items()} == {
        "pair": ["[1,2]", "[3,null]"],
        "pairs": ["[[1,2],null]", "[]"],
        "deep.pair": ["[5,6]"],
    }
    assert [row["kind"] for row in found.points["deep.x"]] == ["float32", "float32"]
    assert found.values("took") == [1, 2, 3]


@pytest.mark.parametrize("reader", [CsvReader, JsonLinesReader])
def test_an_integer_beyond_64_bits_is_a_text_and_the_rest_stays(
    tmp_path: Path, reader: type[Reader]
) -> None:
    rows = [{"step": 0, "a": 2**63 - 1}, {"step": 1, "a": 2**63}]
    write, name = (write_csv, "t.csv") if reader is CsvReader else (write_jsonl, "t.jsonl")
    found = one_held(reader, write(tmp_path / name, rows))
    assert [row["value_i64"] for row in found.points["a"]] == [2**63 - 1]
    assert [(row["text"], row["form"]) for row in found.texts["a"]] == [(str(2**63), "json")]
    assert found.codes()["large-integer"] == 1


def test_times_are_the_same_one_by_one_and_together() -> None:
    written = [
        f"{day}{mark}{clock}{fraction}{zone}"
        for day in (
            "1999-02-28",
            "2024-02-29",
            "2024-12-31",
            "2023-02-30",
            "2024-01-01",
            "1812-01-01",
        )
        for mark in "T "
        for clock in ("00:00:00", "23:59:59", "24:00:00", "12:00")
        for fraction in ("", ".5", ".123456789", ",25", ".1234567891")
        for zone in ("", "Z", "+00:00", "+02:00", " Z", "+0000")
    ]
    count = len(written)
    row, column = np.arange(count), np.zeros(count, np.int64)
    words = Words(row, column, pa.array(written), np.zeros(count, np.bool_))
    for zone in (UTC, ZoneInfo("Europe/Berlin")):
        at = Addresses.none(count)
        taken = take_dates(words, 0, at, zone)
        expected = [instant_of(text, zone) for text in written]
        assert taken.tolist() == at.has_time.tolist() == [one is not None for one in expected]
        assert at.time_ns[taken].tolist() == [one[0] for one in expected if one is not None]
        assert at.naive == sum(one[1] for one in expected if one is not None)


def test_times_of_parquet_are_times(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    columns = {"at": pa.array([NS], pa.timestamp("ns", "UTC")), "loss": pa.array([0.5])}
    pq.write_table(pa.table(columns), path)
    found = one_held(ParquetReader, path, named(time="at"))
    assert time_ns(found.points["loss"][0]) == NS


def test_parquet_of_twenty_thousand_columns_is_read(tmp_path: Path) -> None:
    row = {f"m{n}": n / 7 for n in range(20_000)}
    found = one_held(ParquetReader, write_parquet(tmp_path / "t.parquet", [row] * 3))
    assert len(found.series) == 20_000
    assert found.values("m19999") == [19_999 / 7] * 3


@pytest.mark.parametrize("reader", [CsvReader, JsonLinesReader, ParquetReader])
def test_an_empty_folder_is_no_source(tmp_path: Path, reader: type[Reader]) -> None:
    with pytest.raises(RunferryError) as caught:
        list(opened(reader, tmp_path).runs())
    assert "name a" in caught.value.hint

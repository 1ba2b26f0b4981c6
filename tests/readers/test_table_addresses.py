"""Where a row of a table stands: its step and its time, however they are written."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from plain_tables import NS, all_held, csv_file, named, one_held, time_ns, write_csv

from runferry.ports import ReadOptions, TableColumns
from runferry.readers.csv_tables import CsvReader
from runferry.readers.jsonl_tables import JsonLinesReader
from runferry.readers.parquet_tables import ParquetReader
from runferry.readers.tabular.addresses import Addresses, instant_of, take_dates
from runferry.readers.tabular.cells import Words

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

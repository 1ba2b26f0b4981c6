"""Tables of Parquet: what its types become."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from plain_tables import curve, one_held, write_parquet

from runferry.losses import Fate
from runferry.ports import Location
from runferry.readers.parquet_tables import ParquetReader
from runferry.testing.reader_contract import ReaderContract


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


def test_parquet_of_twenty_thousand_columns_is_read(tmp_path: Path) -> None:
    row = {f"m{n}": n / 7 for n in range(20_000)}
    found = one_held(ParquetReader, write_parquet(tmp_path / "t.parquet", [row] * 3))
    assert len(found.series) == 20_000
    assert found.values("m19999") == [19_999 / 7] * 3

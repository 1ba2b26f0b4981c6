"""Queries answer right, over what the commits name and nothing else."""

from __future__ import annotations

import math
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from tests.archive.every_kind import everything
from tests.archive.runs import Row, archived, batch_of, bits_of, run_named

from runferry.archive import catalog
from runferry.archive.catalog import Catalog
from runferry.archive.record import DamagedRun
from runferry.archive.store import Archive
from runferry.chunks import Points
from runferry.tables import POINTS


def noisy(start: int = 0) -> list[Row]:
    values = [1.0, math.nan, 250.0, -math.inf, math.inf, 3.0]
    return [
        Row("loss", start + n, start + n, bits=bits_of(values[n % len(values)]))
        for n in range(6_000)
    ]


def one(archive: Archive, query: str) -> object:
    return archive.sql().execute(query).fetchone()


def test_queries_about_nan_are_right(archive: Archive) -> None:
    record = archived(archive, run_named("r"), [Points(batch_of(noisy()))])
    assert one(archive, "select count(*) from points where isnan(value)") == (1000,)
    assert one(archive, "select sum(isnan(value)::int) from points") == (1000,)
    assert one(archive, "select count(*) from points where value > 100 and not isnan(value)") == (
        2000,
    )
    # DuckDB, like Postgres, holds NaN to be the greatest
    assert one(archive, "select count(*) from points where value > 100") == (3000,)
    assert one(archive, "select count(*) from points where value = 'inf'") == (1000,)
    uid = record.run.uid
    assert one(archive, f"select count(*) from points where uid = '{uid}'") == (6000,)


def test_superseded_segments_are_not_queried(archive: Archive) -> None:
    archived(archive, run_named("r"), [Points(batch_of(noisy()))])
    archived(archive, run_named("r"), [Points(batch_of(noisy()[:10]))])
    assert one(archive, "select count(*) from points") == (10,)


@pytest.mark.parametrize(
    "above", ["value=9", "key=3", "run=abc", "project=foo", "seq=x", "exp[1]", "a*", "it's"]
)
def test_the_name_of_a_folder_above_changes_no_answer(tmp_path: Path, above: str) -> None:
    (tmp_path / "exp1").mkdir()
    archive = Archive.open(tmp_path / above / "archive", create=True)
    record = archived(archive, run_named("r"), [Points(batch_of(noisy()[:3]))])
    archived(archive, run_named("other"), [Points(batch_of(noisy()[:5]))])
    rows = archive.sql().sql(f"select * from points where uid = '{record.run.uid}'")
    assert rows.columns == ["uid", *POINTS.names]
    found = rows.select("uid, key, seq, value").fetchall()
    assert found[0] == (record.run.uid, "loss", 0, 1.0)
    assert len(found) == 3
    assert one(archive, "select count(*) from points join runs using (uid)") == (8,)


def test_a_question_about_one_run_opens_only_its_files(archive: Archive) -> None:
    record = archived(archive, run_named("r"), [Points(batch_of(noisy()[:3]))])
    other = archived(archive, run_named("other"), [Points(batch_of(noisy()[:3]))])
    connection = archive.sql()
    (archive.path / other.segments[0].path).write_bytes(b"unreadable")
    query = f"select count(*) from points where uid = '{record.run.uid}'"
    assert connection.execute(query).fetchone() == (3,)


@pytest.mark.parametrize("table", ["texts", "histograms", "media", "console", "raw", "series",
                                   "files", "artifacts", "documents", "attributes", "losses",
                                   "runs", "points"])  # fmt: skip
def test_every_view_exists_with_and_without_rows(archive: Archive, table: str) -> None:
    empty = archive.sql().sql(f"select * from {table}")
    assert empty.fetchall() == []
    archived(archive, run_named("all"), everything())
    full = archive.sql().sql(f"select * from {table}")
    assert full.columns == empty.columns
    assert len(full.fetchall()) == {
        "media": 2, "files": 3, "attributes": 6, "points": 0, "series": 3,
    }.get(table, 1)  # fmt: skip


def test_points_join_runs_and_series(archive: Archive) -> None:
    for name in ("r1", "r2"):
        archived(archive, run_named(name), [Points(batch_of(noisy()[:6]))])
    found = archive.sql().sql(
        "select r.run_id, s.nan, count(*) from runs r join series s using (uid)"
        " join points p using (uid, key) group by all order by 1"
    )
    assert found.fetchall() == [("r1", 1, 6), ("r2", 1, 6)]


def test_the_catalog_is_only_a_cache(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog, "_WORTH_WRITING", 2)
    for name in ("r1", "r2", "r3"):
        archived(archive, run_named(name), [Points(batch_of(noisy()[:6]))])
    assert list(Catalog(archive).records([])) == list(archive.records())
    (cached,) = (archive.path / "catalog").iterdir()
    archived(archive, run_named("r2"), [Points(batch_of(noisy()[:4]))])
    assert list(Catalog(archive).records([])) == list(archive.records())
    cached.write_bytes(b"damaged")
    assert list(Catalog(archive).records([])) == list(archive.records())
    assert [path.name for path in (archive.path / "catalog").iterdir()] == ["runs-2.parquet"]


def test_a_cached_catalog_with_any_byte_damaged_is_not_believed(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalog, "_WORTH_WRITING", 1)
    archived(archive, run_named("r1"), [Points(batch_of(noisy()[:6]))])
    records = list(Catalog(archive).records([]))
    (cached,) = (archive.path / "catalog").iterdir()
    whole = cached.read_bytes()
    monkeypatch.setattr(catalog, "_WORTH_WRITING", 2)
    for place in range(0, len(whole), 3):
        flipped = bytes([whole[place] ^ 0x81])
        cached.write_bytes(whole[:place] + flipped + whole[place + 1 :])
        damaged: list[DamagedRun] = []
        assert (list(Catalog(archive).records(damaged)), damaged) == (records, []), place


def test_segments_are_encoded_as_the_layout_says(archive: Archive) -> None:
    record = archived(archive, run_named("r"), [Points(batch_of(noisy()))])
    file = pq.ParquetFile(archive.path / record.segments[0].path)
    group = file.metadata.row_group(0)
    columns = {group.column(n).path_in_schema: group.column(n) for n in range(group.num_columns)}
    assert not columns["value"].is_stats_set
    assert columns["seq"].is_stats_set
    assert {column.compression for column in columns.values()} == {"ZSTD"}
    assert "DELTA_BINARY_PACKED" in columns["step"].encodings
    assert "DELTA_BINARY_PACKED" in columns["seq"].encodings
    assert "BYTE_STREAM_SPLIT" in columns["value"].encodings
    assert "BYTE_STREAM_SPLIT" in columns["time"].encodings
    assert columns["key"].has_dictionary_page
    schema = file.schema_arrow
    assert str(schema.field("key").type) == "string"
    assert str(schema.field("kind").type) == "string"
    assert str(schema.field("time").type) == "timestamp[us, tz=UTC]"
    assert str(schema.field("time_ns").type) == "int16"

"""What goes into an archive comes out of it, however it was cut."""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.archive.every_kind import ODD_BITS, everything, rows_strategy
from tests.archive.runs import Row, archived, batch_of, bits_of, content, points_in, run_named
from tests.blobs import bytes_of

from runferry.archive.record import run_to_json
from runferry.archive.store import Archive
from runferry.chunks import Attributes, Chunk, File, Histograms, Points, Texts
from runferry.model import Blob, SeriesCounts, same_value


def cut(draw: st.DrawFn, rows: list[Row]) -> list[list[Row]]:
    borders = sorted(draw(st.sets(st.integers(0, len(rows)), max_size=4)))
    return [rows[a:b] for a, b in pairwise([0, *borders, len(rows)])]


@settings(max_examples=40)
@given(st.data())
def test_every_way_of_cutting_gives_equal_content_counts_and_digest(data: st.DataObject) -> None:
    rows = data.draw(rows_strategy())
    with tempfile.TemporaryDirectory() as folder:
        archive = Archive.open(Path(folder) / "a", create=True)
        run = run_named("r")
        whole = archived(archive, run, [Points(batch_of(rows))])
        other = Archive.open(Path(folder) / "b", create=True)
        other.segment_rows = data.draw(st.integers(1, 7))
        record = None
        for draft in cut(data.draw, rows):
            pieces = [Points(batch_of(piece)) for piece in cut(data.draw, draft) if piece]
            record = archived(other, run, pieces, after=record)
        assert record is not None
        assert record.digest == whole.digest
        assert content(other, record) == sorted(rows, key=lambda row: (row.key, row.seq))
        assert content(archive, whole) == content(other, record)
        assert set(other.series(record)) == set(archive.series(whole))


@settings(max_examples=40)
@given(rows_strategy())
def test_the_counts_are_those_of_a_plain_loop(rows: list[Row]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        archive = Archive.open(Path(folder) / "a", create=True)
        archive.segment_rows = 5
        record = archived(archive, run_named("r"), [Points(batch_of(rows))] if rows else [])
        found = {series.key: series.counts for series in archive.series(record)}
    assert found == {
        key: counts_by_hand([row for row in rows if row.key == key])
        for key in sorted({row.key for row in rows})
    }


def test_times_beyond_what_ns_can_tell_keep_their_order(archive: Archive) -> None:
    year_9999, year_0 = 253_402_300_799_000_000, -62_135_596_800_000_000
    for time, sign in ((year_9999, 1), (year_0, -1)):
        rows = [Row("a", 0, time=0), Row("a", 1, time=time)]
        record = archived(archive, run_named(str(time)), [Points(batch_of(rows))])
        (series,) = archive.series(record)
        assert series.counts is not None
        assert series.counts.submillisecond_times == 0
        furthest = series.counts.max_time_ns if sign > 0 else series.counts.min_time_ns
        assert abs(furthest or 0) > 9 * 10**18
        assert sorted(row.time or 0 for row in points_in(archive, record)) == sorted([0, time])


def test_equal_headers_give_equal_digests_whoever_spelled_them(archive: Archive) -> None:
    run = run_named("r")
    spelled = replace(run, kind=json.loads('"run"'), state="".join(["un", "known"]), tags=())
    assert run == spelled
    assert run_to_json(run) == run_to_json(spelled)
    first = archived(archive, run, [])
    assert archived(archive, spelled, []) == first


def counts_by_hand(rows: list[Row]) -> SeriesCounts:
    values = [
        float(np.array([row.bits], np.uint64).view(np.float64)[0])
        for row in rows
        if row.bits is not None
    ]
    finite = [value for value in values if np.isfinite(value)]
    stepped = [(row.step, row.frac or 0) for row in rows if row.step is not None]
    pairs = list(pairwise(stepped))
    times = [row.time * 1000 + (row.ns or 0) for row in rows if row.time is not None]
    whole = [step for step, _ in stepped]
    return SeriesCounts(
        points=len(rows),
        nan=sum(value != value for value in values),
        positive_inf=values.count(float("inf")),
        negative_inf=values.count(float("-inf")),
        null_values=sum(row.bits is None for row in rows),
        inexact_ints=sum(row.exact is not None for row in rows),
        not_float=sum(row.kind not in ("float64", "null") for row in rows),
        null_steps=len(rows) - len(stepped),
        fractional_steps=sum(frac != 0 for _, frac in stepped),
        negative_steps=sum(step < 0 for step in whole),
        falling_steps=sum(late < early for early, late in pairs),
        duplicate_steps=sum(late == early for early, late in pairs),
        null_times=len(rows) - len(times),
        submillisecond_times=sum(time % 1_000_000 != 0 for time in times),
        first_step=whole[0] if whole else None,
        last_step=whole[-1] if whole else None,
        min_step=min(whole, default=None),
        max_step=max(whole, default=None),
        min_time_ns=min(times, default=None),
        max_time_ns=max(times, default=None),
        min_value=min(finite, default=None),
        max_value=max(finite, default=None),
    )


@pytest.mark.parametrize("bits", ODD_BITS)
def test_one_changed_bit_changes_the_digest(archive: Archive, bits: int) -> None:
    rows = [Row("a", seq, seq, bits=bits) for seq in range(3)]
    changed = [*rows[:2], Row("a", 2, 2, bits=bits ^ (1 << 63))]
    one = archived(archive, run_named("r"), [Points(batch_of(rows))])
    two = archived(archive, run_named("r"), [Points(batch_of(changed))])
    assert one.digest != two.digest


def test_null_and_zero_are_two_contents(archive: Archive) -> None:
    digests = {
        archived(archive, run_named("r"), [Points(batch_of([row]))]).digest
        for row in (
            Row("a", 0),
            Row("a", 0, step=0),
            Row("a", 0, time=0),
            Row("a", 0, step=0, frac=0),
            Row("a", 0, time=0, ns=0),
            Row("a", 0, bits=None),
            Row("a", 0, exact=0),
            Row("b", 0),
        )
    }
    assert len(digests) == 8


def test_ten_thousand_keys_come_back_in_order(archive: Archive) -> None:
    archive.segment_rows = 30_000
    keys = [f"layer{n}/w" for n in range(10_000)]
    count = len(keys) * 7
    seq = np.arange(count) // len(keys)
    index = pa.array((np.arange(count) % len(keys)).astype(np.int32))
    batch = pa.record_batch(
        {
            "key": pa.DictionaryArray.from_arrays(index, pa.array(keys)),
            "step": seq,
            "value": np.arange(count, dtype=np.float64),
            "kind": pa.DictionaryArray.from_arrays(
                pa.array(np.zeros(count, np.int8)), pa.array(["float64"])
            ),
            "seq": seq,
        }
    )
    record = archived(archive, run_named("wide"), [Points(batch)])
    assert len(record.of("points")) == 3
    assert {series.counts.points for series in archive.series(record) if series.counts} == {7}
    table = archive.table(record, "points")
    assert table.schema.field("key").type == pa.string()
    assert sorted(table["value"].to_pylist()) == list(range(count))
    in_steps = points_in(archive, record, "step")
    assert [row.step for row in in_steps] == sorted(row.step or 0 for row in in_steps)


def test_row_groups_written_beside_each_other_count_like_one(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rows(number: int) -> list[Chunk]:
        shared = {"key": [f"k{number % 3}"], "step": [number], "seq": [number]}
        counts = {"edges": [[0.5 * number, 9.0]], "counts": [[1.0]], "counts_kind": ["int"]}
        return [
            Histograms(pa.record_batch({**shared, **counts})),
            Texts(pa.record_batch({**shared, "text": [f"{number}"], "form": ["text"]})),
            Points(batch_of([Row(f"k{number % 3}", number, bits=bits_of(number))])),
        ]

    chunks = [chunk for number in range(40) for chunk in rows(number)]
    whole = archived(archive, run_named("whole"), chunks)
    monkeypatch.setattr("runferry.archive.rows.FLUSH_ROWS", 3)
    archive.segment_rows = 3
    cut = archived(archive, run_named("cut"), chunks)
    assert cut.sums == whole.sums
    assert set(archive.series(cut)) == set(archive.series(whole))
    for table in ("histograms", "texts", "points"):
        one, other = (archive.table(record, table).sort_by("seq") for record in (whole, cut))
        assert one.equals(other)


def comparable(chunk: Chunk) -> object:
    batch = getattr(chunk, "batch", None)
    if batch is not None:
        return type(chunk).__name__, str(batch.to_pylist())
    return chunk


@pytest.mark.parametrize("order", ["any", "step"])
def test_every_kind_of_chunk_comes_back_as_it_was(archive: Archive, order: str) -> None:
    record = archived(archive, run_named("all"), everything())
    again = Archive.open(archive.path.parent / "again", create=True)
    copy = archived(again, run_named("all"), archive.chunks(record, order=order))
    assert copy.digest == record.digest
    assert copy.losses == record.losses
    assert copy.position == record.position
    before = list(archive.chunks(record))
    after = list(again.chunks(copy))
    assert [comparable(c) for c in after if not isinstance(c, Attributes)] == [
        comparable(c) for c in before if not isinstance(c, Attributes)
    ]
    for ours, theirs in zip(record.attributes, copy.attributes, strict=True):
        assert ours.path == theirs.path
        assert same_value(ours.value, theirs.value)
    given = {c.path: c.blob for c in everything() if isinstance(c, File)}
    for chunk in after:
        if isinstance(chunk, File):
            wanted = given[chunk.path]
            assert chunk.blob.is_missing == wanted.is_missing
            assert bytes_of(chunk.blob) == bytes_of(wanted)


def test_the_inventory_needs_no_rows(archive: Archive) -> None:
    record = archived(archive, run_named("all"), everything())
    for segment in record.segments:
        if segment.table != "series":
            (archive.path / segment.path).unlink()
    found = archive.inventory(record)
    assert found.rows == {
        "text": 1, "histogram": 1, "console": 1, "raw": 1, "image": 2, "config": 4, "summary": 1,
        "other": 1, "file": 3, "artifact": 1, "document": 1,
    }  # fmt: skip
    assert found.missing == {"image": 1, "file": 1}


def test_no_name_from_the_data_becomes_a_path(archive: Archive) -> None:
    archived(archive, run_named("../../evil"), everything())
    outside = [p for p in archive.path.parent.rglob("*") if archive.path not in p.parents]
    assert outside == [archive.path]
    allowed = set("0123456789abcdefghijklmnopqrstuvwxyz-=.")
    for path in archive.path.rglob("*"):
        assert set(path.name) <= allowed, path


def test_many_files_move_to_a_segment_of_their_own(archive: Archive) -> None:
    files = [File(f"f{n}", "other", Blob.from_bytes(bytes([n % 7]))) for n in range(600)]
    record = archived(archive, run_named("r"), files)
    assert [segment.table for segment in record.segments] == ["files"]
    grown = archived(archive, run_named("r"), [File("f3", "source", Blob(9))], after=record)
    found = {c.path: c for c in archive.chunks(grown) if isinstance(c, File)}
    assert len(found) == 600
    assert found["f3"].role == "source"
    assert found["f3"].blob.is_missing


def test_many_series_move_to_a_segment_and_count_on(archive: Archive) -> None:
    first = [Row(f"k{n}", 0, step=5, frac=1) for n in range(700)]
    second = [Row(f"k{n}", 1, step=5) for n in range(700)]
    record = archived(archive, run_named("r"), [Points(batch_of(first))])
    grown = archived(archive, run_named("r"), [Points(batch_of(second))], after=record)
    whole = archived(archive, run_named("r2"), [Points(batch_of(first + second))])
    assert [s.table for s in grown.segments] == ["points", "points", "series"]
    assert archive.series(grown) == archive.series(whole)
    assert archive.series(grown)[0].counts.falling_steps == 1  # type: ignore[union-attr]


def test_a_blob_that_is_not_what_its_source_states_is_kept_and_told(archive: Archive) -> None:
    lying = Blob(3, None, "0" * 64, Blob.from_bytes(b"four").open)
    record = archived(archive, run_named("r"), [File("f", "other", lying)])
    assert [(loss.code, loss.where) for loss in record.losses] == [("blob-differs", "f")]
    (file,) = [c for c in archive.chunks(record) if isinstance(c, File)]
    assert bytes_of(file.blob) == b"four"


def test_equal_bytes_are_kept_once(archive: Archive) -> None:
    for name in ("r1", "r2"):
        archived(archive, run_named(name), [File("f", "other", Blob.from_bytes(b"same"))])
    assert len([p for p in (archive.path / "blobs").rglob("*") if p.is_file()]) == 1

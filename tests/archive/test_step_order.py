"""All series merged by (step, seq), rows whole, in buckets of any size."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.archive.every_kind import rows_strategy
from tests.archive.runs import Row, archived, batch_of, points_in, rows_of, run_named

from runferry.archive import step_buckets, step_order
from runferry.archive.store import Archive
from runferry.chunks import Points, Texts


def place(row: Row) -> tuple[int, int, int, int]:
    if row.step is not None:
        return (0, row.step, row.frac or 0, row.seq)
    return (1, 2**63 - 1 if row.time is None else row.time, row.ns or 0, row.seq)


@settings(max_examples=60)
@given(rows_strategy(), st.integers(1, 9), st.integers(1, 12))
def test_any_run_comes_in_step_order_with_rows_whole(
    rows: list[Row], bucket: int, chunk: int
) -> None:
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.setattr(step_buckets, "BUCKET_ROWS", bucket)
        patch.setattr(step_order, "CHUNK_ROWS", chunk)
        archive = Archive.open(Path(folder) / "a", create=True)
        archive.segment_rows = 6
        record = archived(archive, run_named("r"), [Points(batch_of(rows))] if rows else [])
        found = [
            rows_of([c.batch])
            for c in archive.chunks(record, order="step")
            if isinstance(c, Points)
        ]
        merged = [row for part in found for row in part]
        assert [place(row) for row in merged] == sorted(place(row) for row in rows)
        assert sorted(map(repr, merged)) == sorted(map(repr, rows))
        for part, later in pairwise(found):
            assert len(part) <= chunk
            if place(part[-1]) == place(later[0]):  # only a row that is larger than a chunk
                assert len({place(row) for row in part}) == 1
        assert not list((archive.path / "locks").iterdir())


@settings(max_examples=60)
@given(rows_strategy())
def test_segments_that_follow_each_other_are_in_order_too(rows: list[Row]) -> None:
    """As a run's are that was pulled: all series of a step, then the next step."""
    steps = sorted(row.step for row in rows if row.step is not None)
    rising = iter(steps)
    rows = [row if row.step is None else replace(row, step=next(rising)) for row in rows]
    with tempfile.TemporaryDirectory() as folder:
        archive = Archive.open(Path(folder) / "a", create=True)
        archive.segment_rows = 5
        record = archived(archive, run_named("r"), [Points(batch_of(rows))] if rows else [])
        found = points_in(archive, record, "step")
    assert [place(row) for row in found] == sorted(place(row) for row in rows)
    assert sorted(map(repr, found)) == sorted(map(repr, rows))


def test_a_run_that_was_pulled_in_order_is_not_written_to_the_disk_again(archive: Archive) -> None:
    rows = [Row(key, step, step) for step in range(300) for key in "abc"]
    archive.segment_rows = 200  # ends within a step
    record = archived(archive, run_named("r"), [Points(batch_of(rows))])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(step_buckets, "in_order", None)
        found = points_in(archive, record, "step")
    assert [row.step for row in found] == [row.step for row in rows]


def test_texts_and_points_share_windows_that_never_overlap(archive: Archive) -> None:
    rows = [Row(key, seq, seq) for seq in range(300) for key in "ab"]
    texts = pa.record_batch(
        {
            "key": ["t"] * 100,
            "step": list(range(0, 300, 3)),
            "text": ["x"] * 100,
            "form": ["text"] * 100,
            "seq": list(range(0, 300, 3)),
        }
    )
    record = archived(archive, run_named("r"), [Texts(texts), Points(batch_of(rows))])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(step_order, "CHUNK_ROWS", 64)
        chunks = [c for c in archive.chunks(record, order="step") if isinstance(c, (Points, Texts))]
    windows: list[list[int]] = []
    for chunk in chunks:
        found = chunk.batch.column("step").to_pylist()
        windows.append([*windows.pop(), *found] if isinstance(chunk, Texts) else found)
    for one, next_one in pairwise(windows):
        assert max(one) < min(next_one)
    assert sum(len(window) for window in windows) == 700


def test_a_long_run_of_one_step_and_an_outlier_are_split_by_seq(archive: Archive) -> None:
    count = 5_000
    step = np.zeros(count, np.int64)
    step[17] = 2**62
    seq = np.arange(count)[::-1]
    batch = pa.record_batch(
        {
            "key": pa.array(["a"] * count),
            "step": step,
            "value": np.ones(count),
            "kind": pa.array(["float64"] * count),
            "seq": seq,
        }
    )
    record = archived(archive, run_named("r"), [Points(batch)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(step_buckets, "BUCKET_ROWS", 300)
        found = points_in(archive, record, "step")
    assert [row.step for row in found] == [0] * (count - 1) + [2**62]
    assert [row.seq for row in found[:-1]] == [s for s in range(count) if s != count - 18]


@pytest.mark.parametrize("order", ["any", "step"])
def test_long_texts_come_whole_and_a_few_at_a_time(archive: Archive, order: str) -> None:
    texts = [f"{number}" * (1 if number < 3000 else 250_000) for number in range(3100)]
    steps = np.random.default_rng(7).permutation(len(texts)).tolist()
    record = archived(archive, run_named("r"), texts_of(texts, steps))
    found: list[tuple[int, str]] = []
    for chunk in archive.chunks(record, order=order):
        if isinstance(chunk, Texts):
            assert chunk.batch.nbytes < step_buckets.BUCKET_BYTES
            found += ((row["step"], row["text"]) for row in chunk.batch.to_pylist())
    assert sorted(found) == sorted(zip(steps, texts, strict=True))
    assert order == "any" or found == sorted(found)


def texts_of(texts: list[str], steps: list[int]) -> Iterator[Texts]:
    """A few at once, as a reader gives them."""
    for start in range(0, len(texts), 20):
        part = texts[start : start + 20]
        columns = {
            "key": ["notes"] * len(part),
            "step": steps[start : start + 20],
            "text": part,
            "form": ["text"] * len(part),
            "seq": list(range(start, start + len(part))),
        }
        yield Texts(pa.RecordBatch.from_pydict(columns))

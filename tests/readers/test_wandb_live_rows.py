"""Rows that W&B's service gives page by page mean the same, taken by columns or one by one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as some

from runferry import chunks, tables
from runferry.chunks import Chunk
from runferry.model import Tree
from runferry.ports import BATCH_ROWS
from runferry.readers.declared import Declared
from runferry.readers.wandb.json_rows import JsonRows
from runferry.readers.wandb.service.column_rows import ColumnRows
from runferry.readers.wandb.service.live_rows import LiveRows
from runferry.readers.wandb.service.names import Names
from runferry.readers.wandb.service.stated import Stated

Row = dict[str, Tree]

FLOATS = some.floats()
INTEGERS = some.integers(-(2**65), 2**65)
ANY = some.one_of(
    FLOATS, INTEGERS, some.booleans(), some.none(), some.sampled_from(["NaN", "text"]),
    some.just([1, 2]), some.dictionaries(some.sampled_from("xy"), FLOATS),
)  # fmt: skip
TIMES = some.one_of(
    some.floats(1.6e9, 1.7e9), some.integers(-(2**62), 2**62), FLOATS, some.just("yesterday")
)


@some.composite
def pages(draw: some.DrawFn) -> list[Row]:
    """Rows of columns that hold one type, mostly, with gaps and strangers."""
    count = draw(some.integers(0, 30))
    kinds = draw(
        some.lists(some.sampled_from([FLOATS, INTEGERS, some.booleans(), ANY]), max_size=4)
    )
    is_plain = draw(some.booleans())
    rows: list[Row] = []
    for step in range(count):
        row: Row = {"_step": step, "_timestamp": 1.7e9 + step / 8}
        if not is_plain:
            row["_timestamp"] = draw(TIMES)
            if draw(some.integers(0, 9)) == 0:
                del row[draw(some.sampled_from(["_step", "_timestamp"]))]
        for number, kind in enumerate(kinds):
            if is_plain or draw(some.booleans()):
                row[f"m{number}"] = draw(kind)
        rows.append(row)
    return rows


def taken(rows: list[Row], *, by_columns: bool) -> tuple[Names, list[Chunk]]:
    """All chunks of the rows, numbered from 7 on."""
    names, stated = Names((), {}, {}), Stated(len(rows), None)
    sink = JsonRows("user", Declared.after(()), None, lambda paths: None)
    live = LiveRows(sink, ColumnRows(sink, names), names, stated)

    def found() -> Iterator[Chunk]:
        yield from live.give(rows, 7) if by_columns else live._one_by_one(rows, 7)
        yield from sink.drain()

    return names, list(found())


def told(found: list[Chunk]) -> dict[str, list[Any]]:
    """The rows of each table in an order of their own, and the series with their kinds."""
    batches: dict[str, list[pa.RecordBatch]] = {}
    series: dict[str, str] = {}
    for chunk in found:
        if isinstance(chunk, chunks.SeriesFacts):
            series |= {one.key: one.kind for one in chunk.items}
        elif isinstance(chunk, (chunks.Points, chunks.Texts, chunks.Histograms)):
            batches.setdefault(type(chunk).__name__, []).append(chunk.batch)
        else:
            raise AssertionError(chunk)
    rows = {
        name: sorted(repr(row) for batch in parts for row in batch.to_pylist())
        for name, parts in batches.items()
    }
    return {**rows, "series": sorted(series.items())}


@settings(deadline=None, max_examples=150)
@given(pages())
def test_rows_by_columns_are_the_rows_one_by_one(rows: list[Row]) -> None:
    names, found = taken(rows, by_columns=True)
    plain_names, plain = taken(rows, by_columns=False)
    assert told(found) == told(plain)
    assert names.counts() == plain_names.counts()


def test_no_row_is_split_between_chunks_of_points() -> None:
    width = BATCH_ROWS // 10 + 1
    rows: list[Row] = [
        {"_step": step, "_timestamp": 1.7e9, **{f"m{n}": 0.5 for n in range(width)}}
        for step in range(20)
    ]
    _, found = taken(rows, by_columns=True)
    steps = [
        {*chunk.batch.column("step").to_pylist()}
        for chunk in found
        if isinstance(chunk, chunks.Points)
    ]
    assert sum(map(len, steps)) == len(rows) > len(steps) > 1


def test_columns_of_nulls_are_shared_by_batches_of_any_length() -> None:
    for rows in (0, 3, BATCH_ROWS, BATCH_ROWS + 1):
        batch = tables.conform(
            pa.RecordBatch.from_pydict(
                {
                    "key": pa.array(["a"] * rows, pa.string()).dictionary_encode(),
                    "kind": pa.array(["null"] * rows, pa.string()).dictionary_encode(),
                    "seq": pa.array(range(rows), pa.int64()),
                }
            ),
            tables.POINTS,
        )
        assert batch.schema == tables.POINTS
        assert batch.column("value").null_count == batch.num_rows == rows
        batch.validate(full=True)

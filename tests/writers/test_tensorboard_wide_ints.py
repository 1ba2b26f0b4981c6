"""Integers beyond 64 bits, as a plugin may give them: a double that is called an integer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from tensorboard_shown import written

from runferry import chunks, settings
from runferry.model import Series
from runferry.ports import Location, ReadOptions
from runferry.readers.tensorboard import TensorboardReader
from runferry.testing.recording import Recording
from runferry.testing.samples import header

VALUES = [1e20, -1e300, 2.0**63, -(2.0**63), 2.0**64, 0.1, 7.0, 16777217.0, float("inf"), -0.0]


@pytest.fixture(params=[False, True])
def doubles(request: pytest.FixtureRequest) -> Iterator[None]:
    before = settings.current()
    settings.install(settings.Settings(tensorboard_doubles=request.param))
    yield
    settings.install(before)


@pytest.mark.usefixtures("doubles")
def test_a_number_that_is_called_an_integer_is_the_number_that_it_was(tmp_path: Path) -> None:
    rows = len(VALUES)
    given = {
        "key": pa.array(["n"] * rows).dictionary_encode(),
        "step": pa.array(range(rows), pa.int64()),
        "value": pa.array(VALUES, pa.float64()),
        "kind": pa.array(["int"] * rows).dictionary_encode(),
        "seq": pa.array(range(rows), pa.int64()),
    }
    recording = Recording(header("wide")).put(chunks.SeriesFacts((Series("n", ("n",)),)))
    recording.put(chunks.Points(pa.RecordBatch.from_pydict(given)))
    written(tmp_path, recording.sample())
    reader = TensorboardReader.open(Location("tensorboard", str(tmp_path)), ReadOptions())
    (run,) = reader.runs()
    found = [
        row
        for chunk in reader.read(run)
        if isinstance(chunk, chunks.Points)
        for row in chunk.batch.to_pylist()
    ]
    assert [repr(row["value"]) for row in found] == [repr(value) for value in VALUES]
    assert {row["kind"] for row in found} == {"int"}
    assert {row["value_i64"] for row in found} == {None}

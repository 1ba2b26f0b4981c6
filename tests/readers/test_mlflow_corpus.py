"""Strangers' MLflow stores are read as the vendor's own client reads them."""

from __future__ import annotations

import json
import math
import os
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from runferry.chunks import Attributes, Chunk, Header, Lost, Points
from runferry.model import Run
from runferry.ports import Location, ReadOptions
from runferry.readers.mlflow import MlflowReader

CORPUS = Path(
    os.environ.get("RUNFERRY_CORPUS", Path(__file__).parents[2].parent / "shared" / "corpus")
)
pytestmark = pytest.mark.skipif(
    not (CORPUS / "mlflow").is_dir(), reason="the corpus of strangers' stores is not here"
)


def expected() -> dict[str, list[dict[str, object]]]:
    stores: dict[str, list[dict[str, object]]] = defaultdict(list)
    if (CORPUS / "EXPECTED.jsonl").is_file():
        with (CORPUS / "EXPECTED.jsonl").open() as lines:
            for line in lines:
                row = json.loads(line)
                if row["kind"] == "mlflow":
                    stores[row["store"]].append(row)
    return stores


EXPECTED = expected()


def read(store: str) -> Iterator[tuple[Run, list[Chunk]]]:
    where = Location("mlflow", str(CORPUS / store))
    assert MlflowReader.recognises(where.path)
    reader = MlflowReader.open(where, ReadOptions(include_deleted=True))
    for run in reader.runs():
        yield run, list(reader.read(run))
    reader.close()


@pytest.mark.parametrize("store", sorted(EXPECTED))
def test_a_store_is_read_as_the_vendor_reads_it(store: str) -> None:
    rows = EXPECTED[store]
    runs = {row["run_id"]: row for row in rows if "param_values" in row}
    series = {(row["run_id"], row["metric"]): row for row in rows if "metric" in row}
    seen_runs, seen_series = set(), set()
    for run, chunks in read(store):
        seen_runs.add(run.key.run_id)
        row = runs[run.key.run_id]
        check_header(run, chunks, row)
        for key, (steps, values, times) in columns(chunks).items():
            seen_series.add((run.key.run_id, key))
            check_series(series[run.key.run_id, key], steps, values, times)
    assert seen_runs == set(runs)
    assert seen_series == set(series)


def check_header(run: Run, chunks: list[Chunk], row: dict[str, object]) -> None:
    header = [chunk.run for chunk in chunks if isinstance(chunk, Header)][-1]
    assert header == run
    assert header.name == (row["run_name"] or None)
    assert header.status == row["status"]
    for mine, theirs in ((header.started_ns, "start_time"), (header.ended_ns, "end_time")):
        assert mine == (None if row[theirs] is None else row[theirs] * 1_000_000)
    config = {
        a.path[0]: a.value
        for chunk in chunks
        if isinstance(chunk, Attributes)
        for a in chunk.items
        if a.role == "config"
    }
    assert len(config) == row["params"]
    for key, value in row["param_values"].items():
        assert config[key][:100] == value
    assert not [chunk for chunk in chunks if isinstance(chunk, Lost)]


def columns(chunks: list[Chunk]) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    found = defaultdict(list)
    for chunk in chunks:
        if isinstance(chunk, Points):
            for point in chunk.batch.to_pylist():
                found[point["key"]].append(
                    (point["step"], point["value"], point["time"].timestamp())
                )
    return {key: tuple(np.array(column) for column in zip(*points, strict=True))
            for key, points in found.items()}  # fmt: skip


def check_series(
    row: dict[str, object], steps: np.ndarray, values: np.ndarray, times: np.ndarray
) -> None:
    finite = values[np.isfinite(values)]
    assert len(steps) == row["count"]
    assert (steps[0], steps[-1]) == (row["first_step"], row["last_step"])
    assert (steps.min(), steps.max()) == (row["min_step"], row["max_step"])
    assert (finite.min(), finite.max()) == (row["min"], row["max"])
    assert math.isclose(finite.sum(), row["sum"], rel_tol=1e-12)
    assert int(np.isnan(values).sum()) == row["nan"]
    assert round(times.min() * 1000) == row["first_timestamp"]
    assert round(times.max() * 1000) == row["last_timestamp"]

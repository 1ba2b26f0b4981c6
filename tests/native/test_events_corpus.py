"""Every event file of the corpus against what the vendor's own loader counted in it."""

from __future__ import annotations

import json
import math
import os
from collections import defaultdict
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from event_files import TABLES, Gathered, scan

PLACE = Path(__file__).parents[3] / "shared" / "corpus"
CORPUS = Path(os.environ.get("RUNFERRY_CORPUS", PLACE))
pytestmark = pytest.mark.skipif(
    not (CORPUS / "EXPECTED.jsonl").is_file(), reason="no corpus; set RUNFERRY_CORPUS"
)

# The vendor's loader turns these events into values of a tag that the file does not have.
MIGRATED = {"__run_graph__": "graph_def"}
# These become records; what is in them is compared below.
RECORDS = {"hparams", "custom_scalars"}


@cache
def expected() -> dict[str, tuple[dict[str, Any], list[dict[str, Any]]]]:
    heads: dict[str, dict[str, Any]] = {}
    rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
    if not (CORPUS / "EXPECTED.jsonl").is_file():
        return {}
    with (CORPUS / "EXPECTED.jsonl").open() as lines:
        for row in map(json.loads, lines):
            if row["kind"] == "tensorboard" and row.get("file"):
                heads[row["path"]] = row
            elif row["kind"] == "tensorboard":
                rows[row["path"]].append(row)
    return {path: (head, rows[path]) for path, head in heads.items()}


@pytest.mark.parametrize("path", sorted(expected()))
def test_a_file_gives_what_the_vendor_counted_in_it(path: str) -> None:
    head, rows = expected()[path]
    file = CORPUS / path
    if not file.is_file() or file.stat().st_size != head["bytes"]:
        pytest.skip("the corpus does not hold the bytes that were counted")
    found = scan(file)
    stopped_early = head["unread_tail_bytes"] > 0 or head["error"] is not None
    assert stopped_early or all(reason == "bad-tensor" for *_, reason in found.damage)
    values = _values_by_tag(found)
    for row in rows:
        if row["plugin"] in RECORDS:
            _check_record(found, row)
            continue
        mine = values[MIGRATED.get(row["tag"], row["tag"])]
        _check(mine if not stopped_early else mine[: row["count"]], row)
        if row.get("values") != "non-scalar" and "non_scalar_points" not in row:
            assert len(found.values(row["tag"])) >= row["count"]


def _values_by_tag(found: Gathered) -> dict[str, list[tuple[int, int, float, float]]]:
    """(seq, step, time in s, value) of each source row, in order; NaN for what is no scalar."""
    items: dict[str, dict[int, tuple[int, int, float, float]]] = defaultdict(dict)
    for table in TABLES:
        for row in found.rows[table]:
            seconds = row["time"] / 10**9
            value = row.get("value", math.nan)
            items[row["tag"]][row["seq"]] = (row["seq"], row["step"], seconds, value)
    for kind, _, seq, time, message in found.records:
        if kind == "unknown":
            assert time is not None
            items[message["tag"]][seq] = (seq, message["step"], time / 10**9, math.nan)
    return {tag: [rows[seq] for seq in sorted(rows)] for tag, rows in items.items()}


def _check(mine: list[tuple[int, int, float, float]], row: dict[str, Any]) -> None:
    assert len(mine) == row["count"], row["plugin"]
    steps = [step for _, step, _, _ in mine]
    assert (steps[0], steps[-1]) == (row["first_step"], row["last_step"])
    assert (min(steps), max(steps)) == (row["min_step"], row["max_step"])
    assert len(set(steps)) == row["distinct_steps"]
    assert sum(b < a for a, b in pairwise(steps)) == row["step_decreases"]
    assert (mine[0][2], mine[-1][2]) == (row["first_wall_time"], row["last_wall_time"])
    if row.get("values") == "non-scalar":
        return
    numbers = [value for *_, value in mine]
    finite = [value for value in numbers if math.isfinite(value)]
    assert (min(finite, default=None), max(finite, default=None)) == (row["min"], row["max"])
    assert (math.fsum(finite) if finite else None) == row["sum"]
    others = row["nan"] + row.get("non_scalar_points", 0)
    assert sum(map(math.isnan, numbers)) == others
    assert numbers.count(math.inf) == row["posinf"]
    assert numbers.count(-math.inf) == row["neginf"]


def _check_record(found: Gathered, row: dict[str, Any]) -> None:
    name = "layout" if row["plugin"] == "custom_scalars" else row["tag"].rpartition("/")[2]
    records = [(time, message) for kind, *_, time, message in found.records if kind == name]
    assert len(records) == row["count"]
    assert records[0][1]["step"] == row["first_step"]
    assert records[0][0] is not None
    assert records[0][0] / 10**9 == row["first_wall_time"]
    if "hparams" in row:
        hparams = records[0][1].get("hparams", {})
        assert {name: _plain(value) for name, value in hparams.items()} == row["hparams"]


def _plain(value: dict[str, Any]) -> Any:
    """A `google.protobuf.Value` as the vendor's counts have it; None if there is none."""
    return next(iter(value.values()), None)

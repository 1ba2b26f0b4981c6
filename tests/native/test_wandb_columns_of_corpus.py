"""Strangers' files: at least what the vendor's reader finds in them, to the last bit."""

from __future__ import annotations

import collections
import json
import math
import os
from pathlib import Path
from typing import Any

import pytest
from wandb_log import Point, scan

CORPUS = Path(os.environ.get("RUNFERRY_CORPUS", Path(__file__).parents[3] / "shared" / "corpus"))
ADDRESS = {"_step", "_timestamp"}  # columns here, series there

pytestmark = pytest.mark.skipif(
    not (CORPUS / "EXPECTED.jsonl").exists(),
    reason="the corpus of strangers' files is not here: set RUNFERRY_CORPUS",
)


def expectations() -> dict[str, list[dict[str, Any]]]:
    by_path = collections.defaultdict(list)
    with (CORPUS / "EXPECTED.jsonl").open(encoding="utf-8") as rows:
        for text in rows:
            expected = json.loads(text)
            if expected["kind"] == "wandb":
                by_path[expected["path"]].append(expected)
    return by_path


def facts(points: list[Point]) -> dict[str, Any]:
    values = [p.value if p.exact is None else float(p.exact) for p in points]
    finite = [v for v in values if v is not None and math.isfinite(v)]
    return {
        "count": len(values),
        "min": min(finite) if finite else None,
        "max": max(finite) if finite else None,
        "sum": math.fsum(finite) if finite else None,
        "nan": sum(math.isnan(v) for v in values),
        "posinf": values.count(math.inf),
        "neginf": values.count(-math.inf),
        "first_step": points[0].step,
        "last_step": points[-1].step,
    }


def test_every_series_has_the_vendor_s_counts_steps_and_sums() -> None:
    compared = 0
    for path, rows in expectations().items():
        head = next(row for row in rows if row.get("file"))
        found = scan(CORPUS / path)
        series = collections.defaultdict(list)
        for point in found.points:
            if point.kind != "null":
                series[point.stream, "\x1f".join(point.path)].append(point)
        whole = {value.path for value in found.values if '"_type"' in value.value}
        for row in rows:
            if row.get("file") or "media_type" in row or row.get("key") in ADDRESS:
                continue
            stream, key = ("user", row["key"]) if "key" in row else ("system", row["stat"])
            if any(tuple(key.split("\x1f"))[: len(prefix)] == prefix for prefix in whole):
                continue  # part of a histogram or image, one value here
            ours = facts(series[stream, key])
            if head["error"] is None:
                wanted = {name: row[name] for name in ours if name in row}
                assert {name: ours[name] for name in wanted} == wanted, (path, key)
            else:
                assert ours["count"] >= row["count"], (path, key)
            compared += 1
    assert compared > 100


def test_a_file_the_vendor_reads_whole_has_no_damage_but_a_tail_it_does_not_mention() -> None:
    for path, rows in expectations().items():
        head = next(row for row in rows if row.get("file"))
        found = scan(CORPUS / path)
        if head["error"] is None:
            assert {reason for _, _, reason in found.damage} <= {"cut-tail"}, path
            has_exit = "exit" in {name for name, _, _ in found.records}
            assert has_exit == (head["exit_code"] is not None), path
        for start, length, _ in found.damage:
            assert 0 <= start < start + length <= head["bytes"]


def test_records_are_as_many_as_the_vendor_counts() -> None:
    for path, rows in expectations().items():
        head = next(row for row in rows if row.get("file"))
        if head["error"] is not None:
            continue
        found = scan(CORPUS / path)
        counts = collections.Counter(name for name, _, _ in found.records)
        in_columns = {"history", "stats", "summary", "output", "output_raw"}
        for name, count in head["records"].items():
            if name not in in_columns | {"unknown"}:
                assert counts[name] == count, (path, name)
        assert len(found.lines) == head["output_records"]
        assert found.seq == head["history_rows"] + head["stats_records"] + len(found.lines)

"""Every `.wandb` file of the corpus against what the vendor's own reader counted in it."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from functools import cache
from itertools import pairwise
from typing import Any

import pytest
from wandb_runs import Gathered, corpus, gather_all, gather_one

from runferry.losses import Fate
from runferry.model import Tree
from runferry.readers.wandb.trees import parse_json, put

CORPUS = corpus()
pytestmark = pytest.mark.skipif(CORPUS is None, reason="no corpus; set RUNFERRY_CORPUS")

# Where the vendor gives up, and what is better here: beginning of its error → explanation.
BETTER = {
    "scan:AssertionError": "it stops at the first bad chunk; here the block is skipped, what was "
    "lost is stated by offset, and all that can be read behind it is read",
    "open:AssertionError": "it raises for a file of zero bytes; here the folder around it is read",
}


@cache
def expected(kind: str) -> dict[str, tuple[dict[str, Any], list[dict[str, Any]]]]:
    heads: dict[str, dict[str, Any]] = {}
    rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
    if CORPUS is None:
        return {}
    with (CORPUS / "EXPECTED.jsonl").open() as lines:
        for line in lines:
            row = json.loads(line)
            if row.get("kind") != kind:
                continue
            if row.get("file"):
                heads[row["path"]] = row
            else:
                rows[row["path"]].append(row)
    return {path: (head, rows[path]) for path, head in heads.items()}


def paths(kind: str) -> list[str]:
    return sorted(expected(kind))


def is_better(path: str) -> bool:
    error = expected("wandb")[path][0]["error"]
    assert error is None or error.split(":")[0] + ":" + error.split(":")[1] in BETTER
    return error is not None


@pytest.mark.parametrize("path", paths("wandb"))
def test_a_database_gives_what_the_vendor_counted_in_it(path: str) -> None:
    assert CORPUS is not None
    head, rows = expected("wandb")[path]
    found = gather_one(CORPUS / path)
    _check_header(found, head)
    _check_tree(found, "config", head.get("config", {}), head.get("config_keys"))
    if head.get("summary"):
        _check_tree(found, "summary", head["summary"], head["summary_keys"])
    series = _by_path(found)
    for row in rows:
        if "stat" in row:
            _check_series(series[("system", row["stat"])], row, is_better(path), has_steps=False)
        elif "media_type" in row:
            items = [item for item in found.media if item.key == row["key"]]
            assert len(items) == row["count"]
            assert items[0].at.step == row["first_step"]
        elif row["key"] in ("_step", "_timestamp"):
            _check_address(found, row)
        else:
            _check_series(series[("user", row["key"])], row, is_better(path))
    if is_better(path):
        assert found.losses
    else:
        assert {loss.fate for loss in found.losses} <= {Fate.KEPT, Fate.RENAMED}, found.losses


def _check_header(found: Gathered, head: dict[str, Any]) -> None:
    run, stated = found.header, head.get("run") or {}
    for ours, theirs in (
        (run.key.run_id, "run_id"),
        (run.project, "project"),
        (run.name, "display_name"),
        (run.notes, "notes"),
        (run.group, "run_group"),
        (run.job_type, "job_type"),
        (run.sweep, "sweep_id"),
    ):
        if stated.get(theirs):
            assert ours == stated[theirs], theirs
    assert list(run.tags) == stated.get("tags", [])
    if stated.get("start_time"):
        assert run.started_ns is not None
        assert abs(run.started_ns / 1e9 - stated["start_time"]) < 1e-6
    if not is_better(head["path"]):
        assert run.exit_code == head.get("exit_code")
        assert run.complete == (head.get("exit_code") is not None)
        console = found.rows("console")
        if head.get("output_records"):
            assert len(console) == head["output_records"]


def _check_tree(found: Gathered, role: Any, stated: dict[str, str], count: int | None) -> None:
    ours: dict[str, Tree] = {}
    for path, value in (*found.role("environment").items(), *found.role(role).items()):
        put(ours, path, value)
    for spelled, text in stated.items():
        path = tuple(spelled.split("\x1f"))
        if len(text) >= 120:
            continue  # cut short in EXPECTED
        value: Any = ours
        for name in path:
            value = value[name]
        expected_value = parse_json(text)
        if path == ("_wandb",) or (expected_value == {} and value):
            continue  # what other records add to it
        assert value == expected_value or (value != value and expected_value != expected_value)
    if count is not None and len(stated) == count and set(stated) - {"_wandb"}:
        # where records hold no config of the user's, config.yaml speaks
        own = {path[0] for path in found.role(role)}
        assert own <= {spelled.split("\x1f")[0] for spelled in stated}


def _by_path(found: Gathered) -> dict[tuple[str, str], list[dict[str, Any]]]:
    rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in found.rows("points"):
        rows[row["key"]].append(row)
    given = found.series.values()
    return {(one.stream, "\x1f".join(one.path)): rows[one.key] for one in given}


def _check_series(
    rows: list[dict[str, Any]], stated: dict[str, Any], is_more: bool, *, has_steps: bool = True
) -> None:
    if is_more:
        assert len(rows) >= stated["count"]
        rows = rows[: stated["count"]]
    values = [row["value"] for row in rows if row["value"] is not None]
    finite = [value for value in values if math.isfinite(value)]
    assert len(values) == stated["count"]
    assert sum(map(math.isnan, values)) == stated["nan"]
    assert values.count(math.inf) == stated["posinf"]
    assert values.count(-math.inf) == stated["neginf"]
    assert (min(finite) if finite else None) == stated["min"]
    assert (max(finite) if finite else None) == stated["max"]
    assert (math.fsum(finite) if finite else None) == stated["sum"]
    if has_steps:
        _check_steps([row["step"] for row in rows], stated)
    elif "first_timestamp" in stated:
        assert rows[0]["time"].timestamp() // 1 == stated["first_timestamp"]
        assert rows[-1]["time"].timestamp() // 1 == stated["last_timestamp"]


def _check_steps(steps: list[int | None], stated: dict[str, Any]) -> None:
    known = [step for step in steps if step is not None]
    assert (steps[0], steps[-1]) == (stated["first_step"], stated["last_step"])
    assert (min(known, default=None), max(known, default=None)) == (
        stated["min_step"],
        stated["max_step"],
    )
    assert len(set(known)) == stated["distinct_steps"]
    falls = sum(1 for a, b in pairwise(known) if b < a)
    assert falls == stated["step_decreases"]


def _check_address(found: Gathered, row: dict[str, Any]) -> None:
    """`_step` and `_timestamp` are columns of every row, not series."""
    times: dict[int, tuple[int | None, float | None]] = {}
    user = {key for key, series in found.series.items() if series.stream == "user"}
    for table in ("points", "texts", "histograms"):
        for point in found.rows(table):
            if point["key"] in user:
                when = point["time"].timestamp() if point["time"] is not None else None
                times[point["seq"]] = (point["step"], when)
    if row["key"] == "_timestamp":
        stamps = [when for _, when in times.values() if when is not None]
        if len(stamps) == row["count"]:
            assert min(stamps) == pytest.approx(row["min"], abs=1e-6)
            assert max(stamps) == pytest.approx(row["max"], abs=1e-6)


@pytest.mark.parametrize("path", paths("wandb-jsonl"))
def test_json_lines_give_what_they_hold(path: str) -> None:
    assert CORPUS is not None
    head, rows = expected("wandb-jsonl")[path]
    (found,) = gather_all((CORPUS / path).parent)
    stream, prefix = ("system", "system.") if "events" in path else ("user", "")
    series = _by_path(found)
    for row in rows:
        if row["key"] not in ("_step", "_timestamp"):
            name = row["key"].removeprefix(prefix)
            _check_series(series[(stream, name)], row, is_more=False, has_steps=stream == "user")
    histograms = [key for key in head["non_numeric"] if key.endswith(":histogram")]
    assert {key.removesuffix(":histogram") for key in histograms} <= {
        row["key"] for row in found.rows("histograms")
    }


def test_the_whole_corpus_is_one_tree_of_runs_with_keys_of_their_own() -> None:
    assert CORPUS is not None
    found = gather_all(CORPUS / "wandb")
    keys = [one.run.key for one in found]
    assert len(set(keys)) == len(keys)
    renamed = [one for one in found if "same-run-id" in one.codes()]
    assert all("~" in one.run.key.run_id for one in renamed)
    stated = {head["run"]["run_id"] for head, _ in expected("wandb").values() if head.get("run")}
    assert stated <= {key.run_id for key in keys}


def test_copies_in_several_folders_are_one_run() -> None:
    assert CORPUS is not None
    contents: dict[str, set[bytes]] = defaultdict(set)
    for path in sorted((CORPUS / "wandb").rglob("run-*.wandb")):
        contents[path.name.removeprefix("run-").removesuffix(".wandb")].add(path.read_bytes())
    found = [one.run.key.run_id.partition("~")[0] for one in gather_all(CORPUS / "wandb")]
    for run_id, different in contents.items():
        assert found.count(run_id) == len(different), run_id

"""Every event file of the corpus against what TensorBoard's own loader counted in it."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from tensorboard_runs import gather_one, opened
from tests.readers.gathered import Gathered, corpus, gather, pulled

from runferry.losses import Fate
from runferry.readers.tensorboard.folders import event_folders
from runferry.readers.tensorboard.identity import Group, grouped

CORPUS = corpus()
pytestmark = pytest.mark.skipif(CORPUS is None, reason="no corpus; set RUNFERRY_CORPUS")

Row = dict[str, Any]
_MEDIA = {"images", "pr_curves", "graphs", "graph_keras_model"}
_GRAPHS = "graph_"


@cache
def expected() -> dict[str, tuple[Row, list[Row]]]:
    """By path: what was counted in the file, and in each of its tags."""
    heads: dict[str, Row] = {}
    rows: dict[str, list[Row]] = defaultdict(list)
    if CORPUS is None:
        return {}
    with (CORPUS / "EXPECTED.jsonl").open() as lines:
        for line in lines:
            row = json.loads(line)
            if row["kind"] == "tensorboard" and row.get("file"):
                heads[row["path"]] = row
            elif row["kind"] == "tensorboard":
                rows[row["path"]].append(row)
    return {path: (head, rows[path]) for path, head in heads.items()}


def at(path: str) -> Path:
    """The file, if its bytes are there; else the test that asks for it is skipped."""
    assert CORPUS is not None
    size, stated = (CORPUS / path).stat().st_size, expected()[path][0]["bytes"]
    if size != stated:
        pytest.skip(f"the corpus has {size:,} of the {stated:,} bytes of an event file")
    return CORPUS / path


def is_cut(path: str) -> bool:
    """Whether the vendor's loader stopped before the end; we read on."""
    return bool(expected()[path][0]["unread_tail_bytes"])


def is_scalar(row: Row) -> bool:
    return row["plugin"] == "scalars" and "values" not in row


# --- by file --------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", sorted(expected()))
def test_a_file_gives_what_the_vendor_counted_in_it(path: str) -> None:
    head, rows = expected()[path]
    found = gather_one(at(path))
    assert found.header.created_ns is not None
    assert abs(found.header.created_ns / 1e9 - head["first_wall_time"]) < 1e-6
    points: dict[str, list[Row]] = defaultdict(list)
    for row in found.rows("points"):
        points[row["key"]].append(row)
    for row in rows:
        if is_scalar(row):
            _check_scalars(points[row["tag"]], row, is_cut(path))
        else:
            _check_other(found, row, is_cut(path))
    if is_cut(path):
        assert found.losses
    else:
        assert {loss.fate for loss in found.losses} <= {Fate.KEPT, Fate.RENAMED}, found.losses
    if set(points) - {row["tag"] for row in rows}:
        assert is_cut(path), "more than the vendor found"


def _check_scalars(points: list[Row], stated: Row, is_more: bool) -> None:
    if is_more:
        assert len(points) >= stated["count"]
        points = points[: stated["count"]]
    values = [row["value"] for row in points]
    steps = [row["step"] for row in points]
    finite = [value for value in values if math.isfinite(value)]
    assert len(values) == stated["count"]
    assert sum(map(math.isnan, values)) == stated["nan"]
    assert values.count(math.inf) == stated["posinf"]
    assert values.count(-math.inf) == stated["neginf"]
    assert (min(finite, default=None), max(finite, default=None)) == (stated["min"], stated["max"])
    assert (math.fsum(finite) if finite else None) == stated["sum"]
    assert (steps[0], steps[-1]) == (stated["first_step"], stated["last_step"])
    assert (min(steps), max(steps)) == (stated["min_step"], stated["max_step"])
    assert len(set(steps)) == stated["distinct_steps"]
    assert sum(b < a for a, b in pairwise(steps)) == stated["step_decreases"]
    times = (points[0]["time"].timestamp(), points[-1]["time"].timestamp())
    assert times == pytest.approx((stated["first_wall_time"], stated["last_wall_time"]), abs=2e-6)


def _check_other(found: Gathered, stated: Row, is_more: bool) -> None:
    tag, plugin, count = stated["tag"], stated["plugin"], stated["count"]
    rows: list[Any] = []
    if plugin == "text":
        rows = [row for row in found.rows("texts") if row["key"] == tag]
        if "first_text" in stated and rows[0]["form"] == "text":
            assert rows[0]["text"].startswith(stated["first_text"])
    elif plugin == "histograms":
        rows = [row for row in found.rows("histograms") if row["key"] == tag]
        _check_bins(rows, stated)
    elif plugin in _MEDIA or plugin.startswith(_GRAPHS):
        key = "graph_def" if tag == "__run_graph__" else tag
        items = [item for item in found.media if item.key == key]
        assert not any(item.blob.is_missing for item in items)
        rows = sorted({item.at.seq for item in items})
        images = sum((int(d[2:-1]) - 2) * n for d, n in stated["dtypes"].items() if d[:2] == "O[")
        if plugin == "images" and not is_more:
            assert len(items) == images
    elif plugin == "hparams":
        config = found.role("config")
        for name, value in stated.get("hparams", {}).items():
            assert str(config[(name,)]) == str(value) or config[(name,)] == value
        return
    elif plugin == "custom_scalars":
        rows = [one for one in found.documents if one.kind == "custom_scalars"]
    else:
        rows = [raw for raw in found.raws if tag.encode() in raw.payload]
    assert len(rows) == count or (is_more and len(rows) > count), (tag, plugin)


def _check_bins(rows: list[Row], stated: Row) -> None:
    bins: dict[int, int] = defaultdict(int)
    for row in rows:
        is_old = "num" in json.loads(row["extra"] or "{}")
        bins[_inner(row["counts"]) if is_old else len(row["counts"])] += 1
    for spelled, count in stated["dtypes"].items():
        if spelled.endswith(", 3]") and not spelled.startswith("float32[0"):
            size = int(spelled.partition("[")[2].partition(",")[0])
            assert bins[size] == count, spelled


def _inner(counts: list[float]) -> int:
    """How many bins the vendor's loader leaves of an old histogram: it cuts empty outer ones."""
    held = [index for index, count in enumerate(counts) if count > 0]
    return held[-1] - held[0] + 1 if held else 0


# --- by folder, and in an archive -----------------------------------------------------------------


def whole() -> Path:
    """The root of all event files, if the bytes of each are there."""
    assert CORPUS is not None
    for path in expected():
        at(path)
    return CORPUS / "tensorboard"


@cache
def groups() -> tuple[Group, ...]:
    if CORPUS is None:
        return ()
    root = CORPUS / "tensorboard"
    return tuple(grouped(event_folders(root), root))


def _stated(group: Group) -> dict[str, list[Row]]:
    """What was counted in the files of a run, by tag; several files add up."""
    assert CORPUS is not None
    found: dict[str, list[Row]] = defaultdict(list)
    for file in group.files:
        path = file.path.relative_to(CORPUS).as_posix()
        for row in expected()[path][1]:
            if is_scalar(row):
                found[row["tag"]].append(row | {"is_cut": is_cut(path)})
    return found


def test_every_file_belongs_to_one_run() -> None:
    assert CORPUS is not None
    files = [file.path for group in groups() for file in group.files]
    assert len(files) == len(set(files))
    assert {path.relative_to(CORPUS).as_posix() for path in files} == set(expected())
    assert len({group.key for group in groups()}) == len(groups())


def test_a_folder_is_the_sum_of_its_files() -> None:
    reader = opened(whole())
    by_key = {group.key: group for group in groups()}
    for run in reader.runs():
        _check_merged(gather(reader, run).rows("points"), by_key[run.key])


def test_an_archive_holds_the_same(tmp_path: Path) -> None:
    archive = pulled(whole(), tmp_path / "archive", "tensorboard")
    by_uid = {group.key.uid: group for group in groups()}
    records = list(archive.records())
    assert {record.run.uid for record in records} == set(by_uid)
    for record in records:
        _check_merged(archive.table(record, "points").to_pylist(), by_uid[record.run.uid])


def _check_merged(points: list[Row], group: Group) -> None:
    values: dict[str, list[float]] = defaultdict(list)
    for row in points:
        values[row["key"]].append(row["value"])
    for tag, rows in _stated(group).items():
        count = sum(row["count"] for row in rows)
        if any(row["is_cut"] for row in rows):
            assert len(values[tag]) >= count
            continue
        assert len(values[tag]) == count, tag
        finite = [value for value in values[tag] if math.isfinite(value)]
        sums = [row["sum"] for row in rows if row["sum"] is not None]
        assert math.fsum(finite) == pytest.approx(math.fsum(sums), rel=1e-12, abs=1e-12)
        assert sum(map(math.isnan, values[tag])) == sum(row["nan"] for row in rows)

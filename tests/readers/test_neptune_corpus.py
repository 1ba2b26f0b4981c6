"""Strangers' `.neptune` folders, against what can be counted in them without a reader."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest
from gathered import Gathered, corpus, gather

from runferry.losses import Fate
from runferry.ports import Location, ReadOptions
from runferry.readers.neptune.reader import NeptuneReader
from runferry.testing.content import snapshot

CORPUS = corpus()
pytestmark = pytest.mark.skipif(CORPUS is None, reason="no corpus; set RUNFERRY_CORPUS")
ROOT = (CORPUS or Path()) / "neptune"


@pytest.fixture(scope="module")
def found() -> dict[str, Gathered]:
    """Every run by its id."""
    if not ROOT.is_dir():
        pytest.skip("the corpus has no neptune folders")
    reader = NeptuneReader.open(Location("neptune", str(ROOT)), ReadOptions())
    return {run.key.run_id: gather(reader, run) for run in reader.runs()}


def logs() -> list[Path]:
    return sorted(ROOT.rglob("data-*.log"))


def databases() -> list[Path]:
    return sorted(ROOT.rglob("run_operations.sqlite3"))


def test_every_folder_is_a_run(found: dict[str, Gathered]) -> None:
    names = {path.parent.name for path in databases()}
    for name in names:
        assert any(run_id in name for run_id in found), name
    containers = {path.parent.parent.name for path in logs()}
    assert containers <= set(found)
    assert len(found) == len(names) + len(containers)


def test_every_operation_of_a_log_arrives(found: dict[str, Gathered]) -> None:
    for log in logs():
        run = found[log.parent.parent.name]
        assert not run.raws
        floats: dict[str, list[Any]] = defaultdict(list)
        lines: Counter[str] = Counter()
        for line in log.read_text().splitlines():
            told = json.loads(line)["obj"]
            key = ".".join(told["path"])
            if told["type"] == "LogFloats":
                floats[key] += [(one["value"], one["ts"]) for one in told["values"]]
            elif told["type"] == "LogStrings":
                lines[told["path"][-1]] += len(told["values"])
        assert floats.keys() == {key for key, one in run.series.items() if one.kind == "scalar"}
        for key, values in floats.items():
            read = [
                (p["value"], p["time"].timestamp()) for p in run.rows("points") if p["key"] == key
            ]
            assert [value for value, _ in read] == [value for value, _ in values]
            assert [time for _, time in read] == pytest.approx([ts for _, ts in values], abs=1e-6)
        assert lines == Counter(line["stream"] for line in run.rows("console"))


def test_every_operation_of_a_database_arrives(found: dict[str, Gathered]) -> None:
    for path in databases():
        if path.with_name(f"{path.name}-wal").exists():
            continue  # what lies in the log, a copy alone can show
        run = next(one for run_id, one in found.items() if run_id in path.parent.name)
        with sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True) as connection:
            count, size = connection.execute(
                "SELECT count(*), sum(length(operation)) FROM run_operations"
            ).fetchone()
        connection.close()
        assert count
        assert not run.raws
        told = sum(len(str(value)) for value in run.attributes.values())
        told += sum(len(line["line"]) for line in run.rows("console"))
        assert told > size / 4  # paths, tags and times are the rest of it


def test_nothing_is_lost_beyond_what_the_source_lacks(found: dict[str, Gathered]) -> None:
    for run in found.values():
        assert all(loss.fate <= Fate.REENCODED for loss in run.losses)


def test_nothing_is_written_into_strangers_folders(found: dict[str, Gathered]) -> None:
    before = snapshot(ROOT)
    reader = NeptuneReader.open(Location("neptune", str(ROOT)), ReadOptions())
    for run in reader.runs():
        assert gather(reader, run).attributes == found[run.key.run_id].attributes
    assert snapshot(ROOT) == before

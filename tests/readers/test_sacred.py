"""Runs of sacred's FileStorageObserver, made by sacred itself."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from run_folders import gather, gather_one

from runferry.chunks import Points
from runferry.errors import SourceChanged
from runferry.losses import Fate
from runferry.ports import Location
from runferry.python_apart import environment_apart
from runferry.readers.sacred import SacredReader
from runferry.testing.reader_contract import ReaderContract

SCRIPT = Path(__file__).with_name("sacred_script.py")


def experiment(runs: Path, steps: int, outcome: str = "return") -> None:
    """One run more below `runs`."""
    pytest.importorskip("sacred")
    command = [sys.executable, "-W", "ignore", str(SCRIPT), str(runs), str(steps), outcome]
    subprocess.run(command, check=True, capture_output=True, timeout=60, env=environment_apart())


def metrics(names: list[str], first: int, last: int) -> dict[str, Any]:
    """As `log_metrics` of the observer adds them up."""
    begin = datetime(2024, 1, 2)
    return {
        name: {
            "steps": list(range(first, last)),
            "timestamps": [(begin + timedelta(seconds=n)).isoformat() for n in range(first, last)],
            "values": [n / 7 for n in range(first, last)],
        }
        for name in names
    }


def folder(home: Path, logged: dict[str, Any], status: str = "RUNNING", **more: Any) -> Path:
    home.mkdir(parents=True, exist_ok=True)
    record = {
        "artifacts": [],
        "command": "main",
        "experiment": {"name": "exp", "sources": [["s.py", "_sources/s_1.py"]]},
        "host": {"hostname": "box"},
        "resources": [],
        "start_time": "2024-01-02T03:04:05.678901",
        "status": status,
        **more,
    }
    (home / "run.json").write_text(json.dumps(record, indent=2, sort_keys=True))
    (home / "config.json").write_text('{"seed": 1}')
    (home / "metrics.json").write_text(json.dumps(logged, indent=2, sort_keys=True))
    return home


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that sacred made, to be copied."""
    home = tmp_path_factory.mktemp("real")
    experiment(home / "runs", 4)
    return home


class TestSacred(ReaderContract):
    reader = SacredReader

    @pytest.fixture
    def source(self, tmp_path: Path, real: Path) -> Location:
        runs = tmp_path / "exp" / "runs"
        shutil.copytree(real, tmp_path / "exp")
        folder(runs / "2", metrics(["a", "b"], 0, 5))
        (runs / "2" / "cout.txt").write_text("one\ntwo\nthr")
        return Location("sacred", str(tmp_path / "exp"))

    def grow(self, source: Location) -> None:
        home = source.path / "runs" / "2"
        folder(home, metrics(["0 first", "a", "b"], 0, 9), "COMPLETED")
        (home / "cout.txt").write_text("one\ntwo\nthree\nfour")
        (home / "later.bin").write_bytes(b"1")

    @classmethod
    def sized(cls, folder_: Path, rows: int) -> Location:
        folder(folder_ / "1", metrics(["a", "b", "c"], 0, rows // 3))
        return Location("sacred", str(folder_))


def test_what_sacred_logged_is_read(real: Path) -> None:
    found = gather_one(SacredReader, real)
    assert found.series("train.loss") == [(0, 1.0), (1, 0.5), (2, 1 / 3), (3, 0.25)]
    assert found.series("acc") == [
        (n * 10, float.fromhex("0x1.99999a0000000p-4")) for n in range(4)
    ]
    assert found.series("count") == [(n, 2**60 + 1) for n in range(4)]
    assert str(found.series("odd")) == "[(0, None), (1, nan), (2, None), (3, nan)]"
    assert all(time is not None for time in found.times("acc"))
    assert "".join(row["line"] for row in found.console()) == "hello\nworld\n"


def test_values_are_in_the_order_in_which_they_were_logged(real: Path) -> None:
    found = gather_one(SacredReader, real)
    rows = [(row["seq"], key) for key in found.content.series for row in found.rows(Points, key)]
    names = [name for _, name in sorted(rows)]
    assert names == ["train.loss", "acc", "count", "odd"] * 4


def test_what_sacred_knew_of_the_run_is_its_header(tmp_path: Path) -> None:
    experiment(tmp_path / "runs", 1)
    experiment(tmp_path / "runs", 1, "fail")
    found = gather(SacredReader, tmp_path)
    good, bad = found["1"].run, found["2"].run
    assert (good.project, good.job_type, good.state, good.status, good.complete) == (
        "exp",
        "main",
        "finished",
        "COMPLETED",
        True,
    )
    assert (bad.state, bad.status) == ("failed", "FAILED")
    record = json.loads((tmp_path / "runs" / "1" / "run.json").read_text())
    assert good.started is not None
    assert good.started.isoformat() == record["start_time"] + "+00:00"
    assert good.ended is not None
    assert good.ended.isoformat() == record["stop_time"] + "+00:00"
    assert good.host == record["host"]["hostname"]
    assert good.key.run_id.startswith("runs/1@")
    assert good.key != bad.key


def test_config_result_and_info_are_attributes_and_nothing_is_unpickled(real: Path) -> None:
    found = gather_one(SacredReader, real)
    config = found.attributes("config")
    assert config.pop(("seed",)) is not None
    assert config == {
        ("lr",): 0.1,
        ("big",): 2**70,
        ("empty",): {},
        ("net", "layers"): [1, 2],
        ("net", "none"): None,
        ("array",): [0.0, 1.0, 2.0],
    }
    assert found.attributes("summary") == {("result", "score"): 0.5}
    other = found.attributes("other")
    assert other["info", "scalar"] == 2.5
    assert other["info", "grid"] == [[0, 1], [2, 3]]
    assert other["info", "set", "py/set"] == [1]
    assert found.attributes("environment")["host", "hostname"] == found.run.host
    assert {loss.fate for loss in found.losses} == {Fate.KEPT}
    assert found.codes() == {"numpy-value": 4, "python-object": 1}


def test_artifacts_sources_and_resources_are_files(real: Path) -> None:
    files = gather_one(SacredReader, real).content.files
    named = {name.rpartition("/")[2]: text.split()[0] for name, text in files.items()}
    assert named == {
        "best.pt": "checkpoint",
        "cout.txt": "other",
        "res.txt": "other",
        "sacred_script.py": "source",
    }
    assert not any("missing" in text for text in files.values())


def test_a_source_that_is_not_kept_is_named_as_missing(tmp_path: Path) -> None:
    folder(
        tmp_path / "1", {}, resources=[["/etc/passwd", "/etc/passwd"], ["x", "../../_sources/../x"]]
    )
    found = gather_one(SacredReader, tmp_path)
    assert found.content.files == {
        "sources/s.py": "source missing",
        "resources/etc/passwd": "other missing",
        "resources/x": "other missing",
    }
    assert found.codes() == {"missing-bytes": 3}


def test_a_source_that_is_a_link_to_elsewhere_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s")
    folder(tmp_path / "runs" / "1", {}, resources=[["r", "_resources/r"]])
    (tmp_path / "runs" / "_resources").mkdir()
    (tmp_path / "runs" / "_resources" / "r").symlink_to(tmp_path / "secret")
    found = gather_one(SacredReader, tmp_path / "runs")
    assert found.content.files["resources/r"] == "other missing"


def test_metrics_that_no_longer_begin_as_before_are_refused(tmp_path: Path) -> None:
    home = folder(tmp_path / "1", metrics(["a", "b"], 0, 5))
    cursor = gather_one(SacredReader, tmp_path).cursor()
    folder(home, metrics(["a", "b"], 1, 9))
    with pytest.raises(SourceChanged, match="no longer the beginning"):
        gather_one(SacredReader, tmp_path, cursor)
    folder(home, metrics(["a"], 0, 9))
    with pytest.raises(SourceChanged):
        gather_one(SacredReader, tmp_path, cursor)
    folder(home, metrics(["a", "b"], 0, 3))
    with pytest.raises(SourceChanged):
        gather_one(SacredReader, tmp_path, cursor)


def test_metrics_of_wrong_types_are_told_and_the_rest_is_read(tmp_path: Path) -> None:
    logged: dict[str, Any] = metrics(["good"], 0, 2)
    logged["number"] = 5
    logged["short"] = {"steps": [0], "timestamps": [], "values": [1, 2]}
    logged["long"] = {"steps": [0, 1], "timestamps": ["soon"], "values": [1], "extra": {}}
    logged["mixed"] = {"steps": [0, 1, 2], "timestamps": [None] * 3, "values": ["a", [1], {"x": 2}]}
    folder(tmp_path / "1", logged)
    found = gather_one(SacredReader, tmp_path)
    assert len(found.series("good")) == 2
    assert found.series("short") == [(0, 1), (None, 2)]
    assert found.series("long") == [(0, 1)]
    assert found.texts("mixed") == [(0, "a"), (1, "[1]")]
    assert found.series("mixed.x") == [(2, 2)]
    told = sorted((loss.code, loss.where) for loss in found.losses if loss.fate is Fate.DROPPED)
    assert told == [
        ("bad-step", "metrics.json: short[1]"),
        ("bad-time", "metrics.json: long[0]"),
        ("bad-time", "metrics.json: short[0]"),
        ("bad-time", "metrics.json: short[1]"),
        ("not-a-metric", "metrics.json: long/extra"),
        ("not-a-metric", "metrics.json: number"),
        ("unpaired", "metrics.json: long"),
    ]


def test_cut_anywhere_it_gives_the_values_before_and_says_where(tmp_path: Path) -> None:
    home = folder(tmp_path / "1", metrics(["a", "b"], 0, 4))
    text = (home / "metrics.json").read_text()
    for length in range(0, len(text) - 1, 23):
        (home / "metrics.json").write_text(text[:length])
        found = gather_one(SacredReader, tmp_path)
        assert "cut-json" in found.codes()
        for key in ("a", "b"):
            values = [value for _, value in found.series(key)]
            assert values == [n / 7 for n in range(4)][: len(values)]

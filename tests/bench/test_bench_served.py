"""The rows of the service and of Neptune run, and tell what two programs read otherwise."""

from __future__ import annotations

import copy
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("graphql", reason="needs graphql-core: pip install 'runferry[test]'")

from bench.rows import neptune, service
from bench.rows.service.history import differences
from bench.size import Size

from bench import environments, generate, scratch

SMALL = Size(history_rows=1_200, served_runs=(3, 6), allowed=(20, 1), headline_runs=4, models_mb=1)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Inputs and outputs of the benchmark in a folder of the test."""
    monkeypatch.setattr(generate, "HOME", tmp_path)
    monkeypatch.setattr(scratch, "HOME", tmp_path)
    monkeypatch.setattr(scratch, "_SPENT", tmp_path / "spent")
    yield tmp_path
    assert not list((tmp_path / "scratch").iterdir()), "a row clears what it wrote"


@pytest.mark.slow
@pytest.mark.skipif(find_spec("wandb") is None, reason="needs wandb: pip install 'wandb==0.31.*'")
def test_the_rows_of_the_service_run_and_find_equal_outputs(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environments.Environment, "python", Path(sys.executable))
    monkeypatch.setattr(environments.Environment, "__str__", lambda one: one.package)
    rows = list(service.measure(SMALL))
    assert [row.verdict for row in rows if row.verdict in ("failed", "outputs differ")] == []
    assert len(rows) == 4
    assert all("stand-in alone" in row.compared for row in rows)


@pytest.mark.slow
@pytest.mark.skipif(find_spec("neptune") is None, reason="needs neptune: pip install 'neptune<2'")
def test_the_rows_of_neptune_run_and_find_what_was_sent(home: Path) -> None:
    rows = list(neptune.measure(SMALL))
    assert {row.work: row.compared for row in rows if row.verdict == "outputs differ"} == {}
    assert len(rows) == 3


def test_whatever_two_programs_download_differently_is_told() -> None:
    ours: dict[str, Any] = {
        "series": {"user:loss": [2, 1.5]}, "history": 2, "step_sum": 1, "time_us_sum": 9,
        "losses": [],
    }  # fmt: skip
    assert differences(ours, ours) == []
    for name in ("history", "step_sum", "time_us_sum"):
        assert len(differences(ours, {**ours, name: 3})) == 1
    theirs = copy.deepcopy(ours)
    theirs["series"]["user:loss"][1] = 1.25
    assert differences(ours, theirs) == ["user:loss: [2, 1.5] ≠ [2, 1.25]"]
    assert len(differences(ours, {**ours, "series": {}})) == 1
    assert len(differences({**ours, "losses": ["one"]}, ours)) == 1


def test_a_slow_line_takes_its_round_trips_and_its_bytes() -> None:
    sys.path.insert(0, str(Path(generate.__file__).parent / "work"))
    try:
        from neptune_line import Line
    finally:
        sys.path.pop(0)
    line = Line(latency_seconds=0.01, down_bytes_per_second=1e6, up_bytes_per_second=1e5)
    begin = time.perf_counter()
    line.request(count=2)
    assert time.perf_counter() - begin >= 0.02
    begin = time.perf_counter()
    line.request(down=20_000)
    line.request(up=5_000)
    assert time.perf_counter() - begin >= 0.02 + 0.05 + 2 * 0.01
    assert (line.requests, line.down_bytes, line.up_bytes) == (4, 20_000, 5_000)

"""A run of SwanLab that the training process has begun is the one into which others are mirrored."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.writers.swanlab_service import SwanlabService, signed_in
from training import QUIET, ended, layout, settled, start, told, train

import runferry
from runferry.errors import UsageError
from runferry.live import swanlab_run
from runferry.live.layout import Layout, sessions
from runferry.live.status import Status
from runferry.python_apart import environment_apart

pytest.importorskip("swanlab", reason="no swanlab package")
pytest.importorskip("tensorboardX", reason="tensorboardX is not installed")

BEGINS = """
import json, runferry, swanlab
quiet = swanlab.Settings(
    interactive=False,
    probe=dict.fromkeys(("hardware", "runtime", "requirements", "conda", "git", "monitor"), False),
)
theirs = swanlab.init(
    project="zoo", experiment_name="lion", mode=sys.argv[1], settings=quiet,
    config={"lr": 0.1, "own": 1},
)
swanlab.log({"loss": 10.0}, step=0)
swanlab.log({"loss": 11.0}, step=7)
"""
LOGS_EVENTS = """
runferry.sync_tensorboard(root="runs")
from tensorboardX import SummaryWriter
with SummaryWriter("runs/a") as writer:
    for step in range(3):
        writer.add_scalar("loss", step, step, walltime=1_700_000_000 + step)
        writer.add_scalar("acc", step / 2, step, walltime=1_700_000_000 + step)
"""
THEIRS = [(0, 10.0), (7, 11.0)]
OURS = [(0, 0.0), (1, 1.0), (2, 2.0)]
ALL = {"loss": THEIRS, "tensorboard/loss": OURS, "acc": [(0, 0.0), (1, 0.5), (2, 1.0)]}


def run_in(folder: Path) -> Any:
    """The only run of SwanLab below a folder, as our reader reads it."""
    (found,) = runferry.load(f"swanlab:{folder / 'swanlog'}")
    return found


def rows_of(run: Any) -> dict[str, list[tuple[int, float]]]:
    found: dict[str, list[tuple[int, float]]] = {}
    for row in run.points.to_pylist():
        found.setdefault(row["key"], []).append((row["step"], row["value"]))
    return found


def config_of(run: Any) -> dict[str, Any]:
    return {
        ".".join(item.path): item.value
        for item in run.attributes
        if item.role == "config" and item.path[0] != "runferry"
    }


def resumed(root: Path, cwd: Path) -> None:
    command = [sys.executable, "-P", "-m", "runferry.live.deliver", str(root), "--here"]
    subprocess.run(command, cwd=cwd, env=environment_apart(), timeout=120, check=True)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[SwanlabService]:
    with signed_in(tmp_path / "home") as service:
        yield service


def sent(service: SwanlabService) -> dict[str, list[tuple[int, float]]]:
    found: dict[str, list[tuple[int, float]]] = {}
    for one in service.metrics.get("scalar", ()):
        found.setdefault(one["key"], []).append((one["index"], one["data"]))
    return found


def test_events_go_into_the_run_that_is_open_and_its_name_and_id_stay(tmp_path: Path) -> None:
    train(tmp_path, BEGINS + LOGS_EVENTS + "swanlab.finish()", "offline")
    status = settled(tmp_path)
    assert status.state == "done"
    run = run_in(tmp_path)
    assert rows_of(run) == ALL
    assert (run.run.name, run.run.project, run.run.state) == ("lion", "zoo", "finished")
    assert config_of(run) == {"lr": 0.1, "own": 1}
    (place,) = status.destinations
    assert place.losses["taken-key"] == 1
    times = [row["time"] for row in run.points.to_pylist() if row["key"] == "acc"]
    assert [int(time.timestamp()) for time in times] == [1_700_000_000 + step for step in range(3)]


def test_a_second_delivery_leaves_the_log_byte_for_byte_as_it_was(tmp_path: Path) -> None:
    train(tmp_path, BEGINS + LOGS_EVENTS, "offline")  # which ends it as Python ends
    settled(tmp_path)
    (log,) = (tmp_path / "swanlog").glob("run-*/run-*.swanlab")
    first = log.read_bytes()
    (root,) = sessions(tmp_path / ".runferry" / "live")
    for ledger in (root / "archive").rglob("*ledger*"):
        if ledger.is_file():
            ledger.unlink()
    resumed(root, tmp_path)
    assert log.read_bytes() == first
    assert rows_of(run_in(tmp_path)) == ALL

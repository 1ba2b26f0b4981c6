"""A run that is mirrored to SwanLab's cloud while it grows, by a delivery that is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.writers.swanlab_service import SwanlabService, signed_in
from training import ended, start

from runferry.live.layout import Layout, Stated
from runferry.live.status import Status
from runferry.python_apart import environment_apart

pytest.importorskip("tensorboardX", reason="tensorboardX is not installed")
pytest.importorskip("swanlab", reason="no swanlab package")

TRAINS = """
import sys
from runferry.live.interfaces import sync_tensorboard
sync_tensorboard(to="swanlab:team/proj", root="runs", journal="session")
from tensorboardX import SummaryWriter
writer = SummaryWriter("runs/a")
for step in range(6):
    writer.add_scalar("loss", step, step, walltime=1_700_000_000 + step)
    if step % 2:
        sys.stdin.readline()
writer.close()
"""


def _seen(service: SwanlabService) -> list[tuple[int, float, str]]:
    sent = [one for one in service.metrics.get("scalar", ()) if one["key"] == "loss"]
    return [(one["index"], one["data"], one["create_time"][:19]) for one in sent]


def _rows(count: int) -> list[tuple[int, float, str]]:
    return [(step, float(step), f"2023-11-14T22:13:{20 + step}") for step in range(count)]


def _wait(until: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 90
    while not until():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_rows_arrive_while_somebody_trains_and_once_although_deliveries_are_killed(
    tmp_path: Path,
) -> None:
    with signed_in(tmp_path / "home") as service:
        training = start(tmp_path, TRAINS, is_asked=True, RUNFERRY_LIVE_UPLOAD="growing")
        assert training.stdin is not None
        layout = Layout(tmp_path / "session")
        _wait(lambda: _seen(service) == _rows(2))
        training.stdin.write("\n")
        training.stdin.flush()
        _wait(lambda: len(_seen(service)) == 4)  # and before it is asked for
        status = Status.read(layout.status)
        assert status is not None
        os.kill(status.process, signal.SIGKILL)
        assert service.states == []
        training.stdin.write("\n\n")
        ended(training)
        # whoever resumes it needs no setting: the session knows how it was begun
        assert Stated.read(layout.root).options == {"live_upload": "growing"}
        command = [sys.executable, "-P", "-m", "runferry.live.deliver", str(layout.root), "--here"]
        subprocess.run(command, cwd=tmp_path, env=environment_apart(), timeout=120, check=True)
        assert _seen(service) == _rows(6)
        status = Status.read(layout.status)
        assert status is not None
        assert status.state == "done"
        (told,) = status.destinations
        assert (told.delivered, told.pending, told.failing) == (status.captured, 0, None)
        assert service.states == ["CRASHED"]  # event files have no end

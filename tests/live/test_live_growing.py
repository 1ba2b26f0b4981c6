"""A run that is mirrored to a vendor's service while it grows, by a delivery that is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from tests.writers.swanlab_service import SwanlabService, signed_in
from training import ended, start

from runferry.live.layout import Layout, Stated
from runferry.live.status import Status
from runferry.python_apart import environment_apart
from runferry.testing.clearml_server import ClearmlServer

pytest.importorskip("tensorboardX", reason="tensorboardX is not installed")

BEGAN_S = 1_700_000_000
TRAINS = """
import sys
from runferry.live.interfaces import sync_tensorboard
sync_tensorboard(to=sys.argv[1], root="runs", journal="session")
from tensorboardX import SummaryWriter
writer = SummaryWriter("runs/a")
for step in range(6):
    writer.add_scalar("loss", step, step, walltime=1_700_000_000 + step)
    if step % 2:
        sys.stdin.readline()
writer.close()
"""
Row = tuple[int, float, int]
"""Step, value, and how many seconds after `BEGAN_S` it says that it was logged."""


class There(ABC):
    """What a service shows of the run."""

    place: str
    ends_as: str
    """What it says of a run that has no end."""

    @abstractmethod
    def rows(self) -> list[Row]:
        """The points of `loss`, in the order in which they came."""

    @abstractmethod
    def endings(self) -> list[str]:
        """What it was told of its end."""


class OnSwanlab(There):
    place = "swanlab:team/proj"
    ends_as = "CRASHED"

    def __init__(self, service: SwanlabService) -> None:
        self._service = service

    def rows(self) -> list[Row]:
        sent = [one for one in self._service.metrics.get("scalar", ()) if one["key"] == "loss"]
        return [(one["index"], one["data"], int(one["create_time"][17:19]) - 20) for one in sent]

    def endings(self) -> list[str]:
        return self._service.states


class OnClearml(There):
    place = "clearml:lab/proj"
    ends_as = "stopped"

    def __init__(self, server: ClearmlServer) -> None:
        self._store = server.store

    def rows(self) -> list[Row]:
        with self._store.lock:
            events = [one for found in self._store.events.values() for one in found.values()]
        return [(one["iter"], one["value"], one["timestamp"] // 1000 - BEGAN_S) for one in events]

    def endings(self) -> list[str]:
        states = [task["status"] for task in self._store.tasks.values()]
        return [state for state in states if state not in ("created", "in_progress")]


@contextmanager
def swanlab_at(folder: Path) -> Iterator[There]:
    pytest.importorskip("swanlab", reason="no swanlab package")
    with signed_in(folder) as service:
        yield OnSwanlab(service)


@contextmanager
def clearml_at(folder: Path) -> Iterator[There]:
    pytest.importorskip("clearml", reason="clearml is not installed")
    with ClearmlServer() as server, pytest.MonkeyPatch.context() as patch:
        for name, value in server.environment(folder).items():
            patch.setenv(name, value)
        patch.delenv("CLEARML_OFFLINE_MODE", raising=False)
        yield OnClearml(server)


def _rows(count: int) -> list[Row]:
    return [(step, float(step), step) for step in range(count)]


def _wait(until: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not until():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.parametrize(
    "service_at", [pytest.param(swanlab_at, marks=pytest.mark.slow), clearml_at]
)
def test_rows_arrive_while_somebody_trains_and_once_although_deliveries_are_killed(
    service_at: Callable[[Path], AbstractContextManager[There]], tmp_path: Path
) -> None:
    with service_at(tmp_path / "home") as there:
        training = start(
            tmp_path, TRAINS, there.place, is_asked=True, RUNFERRY_LIVE_UPLOAD="growing"
        )
        assert training.stdin is not None
        layout = Layout(tmp_path / "session")
        _wait(lambda: there.rows() == _rows(2))
        training.stdin.write("\n")
        training.stdin.flush()
        _wait(lambda: len(there.rows()) == 4)  # and before it is asked for
        status = Status.read(layout.status)
        assert status is not None
        os.kill(status.process, signal.SIGKILL)
        assert there.endings() == []
        training.stdin.write("\n\n")
        ended(training)
        # whoever resumes it needs no setting: the session knows how it was begun
        assert Stated.read(layout.root).options == {"live_upload": "growing"}
        command = [sys.executable, "-P", "-m", "runferry.live.deliver", str(layout.root), "--here"]
        subprocess.run(command, cwd=tmp_path, env=environment_apart(), timeout=120, check=True)
        assert there.rows() == _rows(6)
        status = Status.read(layout.status)
        assert status is not None
        assert status.state == "done"
        (told,) = status.destinations
        assert (told.delivered, told.pending, told.failing) == (status.captured, 0, None)
        assert there.endings() == [there.ends_as]  # event files have no end

"""What could not be captured is counted, and whoever asks hears of it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.rights import is_done_with_mounts, small_disk
from training import ended, layout, rows, settled, start

from runferry.live.layout import Layout
from runferry.live.status import DestinationStatus, Status

pytest.importorskip("tensorboardX", reason="tensorboardX is not installed")


def test_what_a_hook_could_not_take_is_told_while_training_goes_on(tmp_path: Path) -> None:
    process = start(
        tmp_path,
        """
        import runferry
        session = runferry.sync_tensorboard(to="archive:./mirrored")
        from tensorboardX import SummaryWriter
        with SummaryWriter("runs/a") as writer:
            writer.add_scalar("loss", 1, 1)
            session.journal.drop("tensorboard")
            print("dropped", flush=True)
            sys.stdin.read()
            session.journal.drop("tensorboard")
        runferry.stop_logging()
        """,
        is_asked=True,
    )
    assert process.stdout is not None
    process.stdout.readline()
    deadline, status = time.monotonic() + 120, None
    while status is None or not status.dropped:
        assert time.monotonic() < deadline, status
        time.sleep(0.05)
        status = Status.read(layout(tmp_path).status)
    assert (status.state, status.dropped) == ("following", 1)
    ended(process)
    assert settled(tmp_path).dropped == 2


ENDS = {
    "with space": "resource.setrlimit(resource.RLIMIT_FSIZE, (-1, -1))",
    "full": "",
    "killed": "os.kill(os.getpid(), signal.SIGKILL)",
}


@pytest.mark.parametrize("ends", list(ENDS))
def test_what_a_full_disk_dropped_is_told_also_where_it_stays_full(
    tmp_path: Path, ends: str
) -> None:
    code = f"""
        import resource, signal, runferry
        experiment = runferry.start_logging("e", backend="jsonl:./lines", journal="session")
        from runferry.live.session import sessions
        (session,) = sessions.all()
        session.journal.drop("experiment")
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, -1))
        for step in range(1000):
            experiment.log_metric("loss", step, step)
        assert session.journal.is_stopped
        {ENDS[ends]}
        """
    ended(start(tmp_path, code), -signal.SIGKILL if ends == "killed" else 0)
    status = settled(tmp_path, root=Layout(tmp_path / "session"))
    if ends == "killed":  # what was counted after it was told last is gone with the process
        assert status.dropped == 2
    else:
        assert status.captured + status.dropped == 1003  # and that it began, and ended
        assert 100 < status.dropped < 1000
    assert len(rows(f"jsonl:{tmp_path / 'lines'}")["loss"]) == status.captured - 1


def test_a_status_takes_the_place_of_the_last_where_there_is_no_space(tmp_path: Path) -> None:
    path, place = tmp_path / "status.json", DestinationStatus("jsonl:lines")
    first = Status("following", 1, 10, 0, (place,), {"a.journal": 500})
    first.write(path)
    in_the_way = tmp_path / f".status.json.{os.getpid()}"
    in_the_way.mkdir()  # no second file can be made
    size = path.stat().st_size
    last = Status("gave-up", 1, 10, 7, (replace(place, failing="no space"),))
    for status in (last, first):  # a longer one, and a shorter
        status.write(path)
        assert Status.read(path) == status
        assert path.stat().st_size == size
    with pytest.raises(OSError, match="directory"):
        replace(last, destinations=(replace(place, failing="x" * size),)).write(path)
    assert Status.read(path) == first


FILL = """
import sys, runferry
def fill():
    with open(sys.argv[1] + "/fill", "wb", buffering=0) as file:
        try:
            while file.write(bytes(1000)):
                pass
        except OSError:
            pass
"""
FILLS = f"""{FILL}
experiment = runferry.start_logging("e", backend="jsonl:./lines", journal=sys.argv[1])
experiment.log_metric("loss", 0, 0)
sys.stdin.readline()
fill()
for step in range(5000):
    experiment.log_metric("loss", step, step)
sys.stdin.readline()
"""


def test_on_a_disk_that_is_full_to_the_last_byte_status_tells_what_is_dropped(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    if not is_done_with_mounts(request):
        with small_disk(tmp_path) as disk:
            _fill(tmp_path, disk / "session")


def _fill(folder: Path, session: Path) -> None:
    process = start(folder, FILLS, str(session), is_asked=True, RUNFERRY_PATIENCE="1")
    assert process.stdin is not None
    found = _status(session, lambda status: status.captured > 0)
    assert (found.state, found.dropped) == ("following", 0)
    process.stdin.write("\n")
    process.stdin.flush()
    _status(session, lambda status: status.dropped > 0 and bool(status.destinations[0].failing))
    ended(process)
    _status(session, lambda status: status.state == "gave-up")


FULL_FROM_THE_BEGINNING = f"""{FILL}
from runferry.live.session import Session
deliver = Session.deliver
def deliver_on_a_full_disk(session):
    fill()
    deliver(session)
Session.deliver = deliver_on_a_full_disk
experiment = runferry.start_logging("e", backend="jsonl:./lines", journal=sys.argv[1])
for step in range(5000):
    experiment.log_metric("loss", step, step)
sys.stdin.readline()
"""


def test_on_a_disk_that_is_full_before_the_first_status_it_tells_what_is_dropped(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    if not is_done_with_mounts(request):
        with small_disk(tmp_path) as disk:
            session = disk / "session"
            process = start(tmp_path, FULL_FROM_THE_BEGINNING, str(session), is_asked=True)
            found = _status(session, lambda status: status.dropped > 0)
            assert found.state == "delivering"
            assert "No space left" in (found.destinations[0].failing or "")
            os.kill(found.process, signal.SIGTERM)  # it would look again ten seconds later
            ended(process)


def test_the_space_of_a_first_status_is_none_yet_and_is_taken_once(tmp_path: Path) -> None:
    path = tmp_path / "status.json"
    Status.reserve(path, ("jsonl:lines",) * 100)
    size = path.stat().st_size
    assert Status.read(path) is None
    (tmp_path / f".status.json.{os.getpid()}").mkdir()  # no second file can be made
    first = Status("following", 1, destinations=(DestinationStatus("jsonl:lines"),) * 100)
    first.write(path)
    Status.reserve(path, ())
    assert (Status.read(path), path.stat().st_size) == (first, size)


def _status(session: Path, is_so: Callable[[Status], bool]) -> Status:
    deadline = time.monotonic() + 120
    while True:
        status = Status.read(session / "status.json")
        if status is not None and is_so(status):
            return status
        assert time.monotonic() < deadline, status
        time.sleep(0.05)

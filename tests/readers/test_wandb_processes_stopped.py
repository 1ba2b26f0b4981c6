"""Processes that pull are stopped, killed, or fail: each run is whole or told, and none is left."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from wandb_processes import RUNS, Processes, content, pulled
from wandb_processes import processes as processes  # noqa: PLC0414  a fixture
from wandb_processes import source as source  # noqa: PLC0414  a fixture
from wandb_runs import folder_with, small_run

from runferry.chunks import Attributes, Chunk
from runferry.errors import Damaged, RunferryError, Throttled
from runferry.http.waits import wait
from runferry.model import Run
from runferry.ports import RunReader
from runferry.python_apart import environment_apart
from runferry.readers.wandb.reader import WandbFilesReader
from runferry.transfer.progress import Silent, StopToken


class Endless:
    """Stands in for what reads one run: gives chunks for a minute."""

    def read(self, run: Run, after: object = None) -> Iterator[Chunk]:
        for _ in range(600):
            yield Attributes(())
            time.sleep(0.1)


class Waiting:
    """Stands in for what reads one run: waits for somebody else for a minute."""

    def read(self, run: Run, after: object = None) -> Iterator[Chunk]:
        yield Attributes(())
        wait(60, "somebody else is at it")


class OddError(Exception):
    """Can be taken down as a pickle, and not be made of it."""

    def __init__(self, *, wanted: str) -> None:
        super().__init__(f"odd: {wanted}")


class Failing:
    """Stands in for what reads one run: fails in a way of its own."""

    def read(self, run: Run, after: object = None) -> Iterator[Chunk]:
        yield Attributes(())
        raise OddError(wanted="this")


def read_by(kind: type[RunReader], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(WandbFilesReader, "alone", lambda self, run: kind())


def once_all_are_at_work(is_it: Callable[[], bool], act: Callable[[], object]) -> threading.Thread:
    """Acts as soon as it is so; after a minute in any case."""

    def wait_and_act() -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and not is_it():
            time.sleep(0.05)
        act()

    thread = threading.Thread(target=wait_and_act)
    thread.start()
    return thread


@pytest.mark.parametrize("kind", [Endless, Waiting])
@pytest.mark.parametrize("is_keyboard", [False, True])
def test_a_stop_is_heard_in_the_middle_of_a_run(
    kind: type[RunReader], is_keyboard: bool, source: Path, processes: Processes, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    reasons: list[str] = []

    class Listening(Silent):
        def waiting(self, reason: str, seconds: float) -> None:
            reasons.append(reason)

    def is_it() -> bool:
        return processes.are_at_work() and bool(reasons) == (kind is Waiting)

    stop, began = StopToken(), time.monotonic()
    options = {"observer": Listening(), "stop": stop}
    with monkeypatch.context() as patched:
        read_by(kind, patched)
        if is_keyboard:
            before = signal.signal(signal.SIGINT, signal.default_int_handler)
            ender = once_all_are_at_work(is_it, lambda: os.kill(os.getpid(), signal.SIGINT))
            try:
                with pytest.raises(KeyboardInterrupt):
                    pulled(source, tmp_path / "archive", **options)
            finally:
                signal.signal(signal.SIGINT, before)
        else:
            ender = once_all_are_at_work(is_it, stop.set)
            assert pulled(source, tmp_path / "archive", **options).is_interrupted
        ender.join()
        while not processes.are_gone():
            assert time.monotonic() - began < 90
            time.sleep(0.05)
    assert bool(reasons) == (kind is Waiting)
    pulled(source, tmp_path / "archive", 1)
    pulled(source, tmp_path / "clean", 1)
    assert content(tmp_path / "archive") == content(tmp_path / "clean")


def test_an_error_of_any_kind_is_told_as_what_it_is(
    source: Path, processes: Processes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_by(Failing, monkeypatch)
    report = pulled(source, tmp_path / "archive")
    assert len(report.failures) == len(report.outcomes) == RUNS + 2
    assert {failure.error for failure in report.failures} == {"RuntimeError: OddError: odd: this"}


def test_a_process_that_somebody_else_ends_costs_a_failure_and_no_silence(
    source: Path, processes: Processes, tmp_path: Path
) -> None:
    patched = pytest.MonkeyPatch()

    def end() -> None:
        patched.undo()
        for pid in processes.pids:
            os.kill(pid, signal.SIGTERM)

    read_by(Endless, patched)
    ender = once_all_are_at_work(processes.are_at_work, end)
    report = pulled(source, tmp_path / "archive")
    ender.join()
    broken = [o for o in report.failures if o.error and "ended before it was done" in o.error]
    assert len(broken) == 2
    assert report.exit_code
    assert len(report.outcomes) == RUNS + 2


_ENDLESS = """
import sys, time
from pathlib import Path
from runferry.archive.store import Archive
from runferry.ports import Location
from runferry.transfer import workplaces
from runferry.transfer.pull import pull
from runferry.transfer.progress import Silent

class Telling(Silent):
    ends = 0

    def ended(self, phase, outcome):
        self.ends += 1
        if self.ends > 8:
            print(*[p._process.pid for p in places._processes], flush=True)
        if self.ends > 40:  # whoever ends this process may be slower than it
            time.sleep(60)

begin = workplaces.PullProcess.__init__

def begun(self, *args):
    begin(self, *args)
    self._waiting.join()

workplaces.PullProcess.__init__ = begun
workplaces.os.cpu_count = lambda: 2

class Places(workplaces.Workplaces):
    def __init__(self, *args):
        global places
        super().__init__(*args)
        places = self

import runferry.transfer.pull
runferry.transfer.pull.Workplaces = Places
workplaces.RUNS_BEFORE = 1
source, archive = sys.argv[1:]
pull(Location("wandb", source), Archive.open(Path(archive), create=True), workers=2,
     reserve_bytes=0, observer=Telling())
"""


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="asks /proc which are there")
def test_killed_with_its_processes_still_at_work_then_rerun_equals_one_clean_pull(
    tmp_path: Path,
) -> None:
    for number in range(60):
        folder_with(tmp_path / "source", small_run(f"r{number}", steps=200), f"r{number}")
    command = [sys.executable, "-c", _ENDLESS, tmp_path / "source", tmp_path / "archive"]
    with subprocess.Popen(
        command, env=environment_apart(), stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        pids: set[int] = set()
        while len(pids) < 2:
            line = parent.stdout.readline()
            assert line, "it ended by itself"
            pids = set(map(int, line.split()))
        parent.kill()
    deadline = time.monotonic() + 60
    while any(map(is_there, pids)):
        assert time.monotonic() < deadline, "a process outlives its parent"
        time.sleep(0.05)
    assert len(content(tmp_path / "archive")) < 60
    pulled(tmp_path / "source", tmp_path / "archive")
    pulled(tmp_path / "source", tmp_path / "clean", 1)
    assert content(tmp_path / "archive") == content(tmp_path / "clean")


def is_there(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"  # one that nobody has asked about is gone all the same


@pytest.mark.parametrize(
    "error",
    [
        Damaged("broken", where="a", offset=7, hint="do"),
        Throttled("slowly", after=3.5),
        RunferryError("so", where="here", hint="cat"),
    ],
)
def test_an_error_is_the_same_on_the_other_side(error: RunferryError) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert (str(again), again.__dict__, again.args) == (str(error), error.__dict__, error.args)

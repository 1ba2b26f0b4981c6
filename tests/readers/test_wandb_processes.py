"""Many runs are pulled by processes: what comes of it is what threads make, whatever goes wrong."""

from __future__ import annotations

import itertools
import os
import pickle
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from wandb_processes import RUNS, Processes, content, pulled, told
from wandb_processes import processes as processes  # noqa: PLC0414  a fixture
from wandb_processes import source as source  # noqa: PLC0414  a fixture
from wandb_runs import folder_with, opened, small_run

from runferry.model import Run
from runferry.ports import PortableReader, RunReader
from runferry.python_apart import command_apart, environment_apart
from runferry.transfer.progress import Silent
from runferry.transfer.pull_process import PullProcess
from runferry.transfer.puller import Pulled
from runferry.transfer.selection import Selection


@pytest.mark.parametrize("selection", [Selection(), Selection(metrics=("loss",), run_ids=("r*",))])
def test_processes_bring_and_tell_what_one_thread_does(
    selection: Selection, source: Path, processes: Processes, tmp_path: Path
) -> None:
    alone = pulled(source, tmp_path / "alone", 1, selection=selection)
    together = pulled(source, tmp_path / "together", 3, selection=selection)
    assert len(processes.all) == 2  # no more than there are processors
    assert told(together) == told(alone)
    assert content(tmp_path / "together") == content(tmp_path / "alone")
    again = pulled(source, tmp_path / "together", 2, selection=selection)
    assert set(again.counts) <= {"unchanged", "failed"}
    assert again.counts.get("failed") == alone.counts.get("failed")
    assert processes.are_gone()


def test_what_grew_is_read_on_from_there(processes: Processes, tmp_path: Path) -> None:
    for run_id in ("a", "b", "c", "d"):
        folder_with(tmp_path / "source", small_run(run_id, steps=9)[:20], run_id)
    pulled(tmp_path / "source", tmp_path / "archive")
    shutil.rmtree(tmp_path / "source")
    for run_id in ("a", "b", "c", "d"):
        folder_with(tmp_path / "source", small_run(run_id, steps=9), run_id)
    assert pulled(tmp_path / "source", tmp_path / "archive").counts == {"grown": 4}
    pulled(tmp_path / "source", tmp_path / "clean", 1)
    assert content(tmp_path / "archive") == content(tmp_path / "clean")


class Hearing(Silent):
    """Does something as soon as so many runs have ended."""

    def __init__(self, after: int) -> None:
        self.after = after
        self.ends = 0
        self.rows = 0

    def advanced(self, phase: str, run: Run, rows: int, size_bytes: int) -> None:
        self.rows += rows

    def ended(self, phase: str, outcome: object) -> None:
        self.ends += 1
        if self.ends == self.after:
            self.act()

    def act(self) -> None: ...


def test_how_far_the_runs_have_come_is_told(
    source: Path, processes: Processes, tmp_path: Path
) -> None:
    hearing = Hearing(0)
    report = pulled(source, tmp_path / "archive", observer=hearing)
    assert hearing.rows == sum(outcome.rows for outcome in report.outcomes) > 0


def test_a_process_that_dies_costs_its_run_and_no_other(
    source: Path, processes: Processes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given, update = itertools.count(1), PullProcess.update

    def killed(self: PullProcess, reader: RunReader, run: Run) -> Pulled:
        if next(given) == 5:  # with this run in its hands
            for pid in processes.pids:
                os.kill(pid, signal.SIGKILL)
        return update(self, reader, run)

    monkeypatch.setattr(PullProcess, "update", killed)
    report = pulled(source, tmp_path / "archive")
    broken = [o for o in report.failures if o.error and "ended before it was done" in o.error]
    assert 1 <= len(broken) <= 2
    assert broken[0].hint
    assert len(report.outcomes) == RUNS + 2
    assert report.counts["new"] == RUNS + 1 - len(broken)
    pulled(source, tmp_path / "archive")
    pulled(source, tmp_path / "clean", 1)
    assert content(tmp_path / "archive") == content(tmp_path / "clean")


def test_what_lies_in_the_working_directory_is_not_imported(tmp_path: Path) -> None:
    for name in ("pickle", "signal", "runferry"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('from here')")
    code = "import pickle, signal, runferry.transfer.pull_process"
    subprocess.run(command_apart(code), env=environment_apart(), cwd=tmp_path, check=True)


def test_what_reads_a_run_alone_needs_nothing_else(source: Path) -> None:
    reader = opened(source)
    assert isinstance(reader, PortableReader)
    for run in reader.runs():
        if run.key.run_id in ("r07", "damaged"):
            alone = pickle.loads(pickle.dumps(reader.alone(run)))
            assert [type(c) for c in alone.read(run)] == [type(c) for c in reader.read(run)]

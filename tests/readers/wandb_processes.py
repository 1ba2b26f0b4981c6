"""Folders of W&B that processes pull, and those processes to look at."""

from __future__ import annotations

from pathlib import Path

import pytest
from wandb_runs import folder_with, framed, run_record, small_run

from runferry.archive.store import Archive
from runferry.model import Run
from runferry.ports import Location, RunReader
from runferry.transfer import workplaces
from runferry.transfer.pull import pull
from runferry.transfer.pull_process import PullProcess
from runferry.transfer.puller import Pulled
from runferry.transfer.report import Report

RUNS = 24


class Processes:
    """Every run of every worker is read by a process."""

    def __init__(self) -> None:
        self.all: list[PullProcess] = []
        self.at_work: set[int] = set()

    def are_at_work(self) -> bool:
        """Whether both were given a run."""
        return len(self.at_work) == 2

    @property
    def pids(self) -> list[int]:
        return [process._process.pid for process in self.all]

    def are_gone(self) -> bool:
        return all(process._process.poll() is not None for process in self.all)


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> Processes:
    found = Processes()
    begin = PullProcess.__init__

    def begun(self: PullProcess, *args: object) -> None:
        begin(self, *args)  # type: ignore[arg-type]
        self._waiting.join(60)
        assert self.is_ready
        found.all.append(self)

    update = PullProcess.update

    def updated(self: PullProcess, reader: RunReader, run: Run) -> Pulled:
        found.at_work.add(self._process.pid)
        return update(self, reader, run)

    monkeypatch.setattr(PullProcess, "update", updated)
    monkeypatch.setattr(workplaces, "RUNS_BEFORE", 1)
    monkeypatch.setattr(workplaces.os, "cpu_count", lambda: 2)
    monkeypatch.setattr(PullProcess, "__init__", begun)
    return found


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("source")
    for number in range(RUNS):
        run_id = f"r{number:02}"
        folder_with(folder, small_run(run_id, steps=5 + number), run_id)
    damaged = folder_with(folder, small_run("damaged"), "damaged") / "run-damaged.wandb"
    raw = bytearray(damaged.read_bytes())
    raw[len(raw) // 2] ^= 1
    damaged.write_bytes(raw)
    refused = folder_with(folder, [run_record("refused")], "refused") / "run-refused.wandb"
    refused.write_bytes(
        framed([run_record("refused")]).replace(b"\xe1\xbe\x00", b"\xe1\xbe\x07", 1)
    )
    return folder


def pulled(source: Path, archive: Path, workers: int = 2, **options: object) -> Report:
    opened_archive = Archive.open(archive, create=True)
    location = Location("wandb", str(source))
    return pull(location, opened_archive, workers=workers, reserve_bytes=0, **options)  # type: ignore[arg-type]


def content(archive: Path) -> dict[str, tuple[object, ...]]:
    records = Archive.open(archive).records()
    return {r.run.uid: (r.run, r.digest, r.losses, r.position) for r in records}


def told(report: Report) -> list[object]:
    shown = sorted(report.outcomes, key=lambda outcome: outcome.uid)
    return [report.left_out_series, report.aborted, *shown]

"""A run that is delivered to the stand-in for a ClearML server while it is logged."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import pytest
from tests.transfer.roads import archive_of

from runferry import registry, settings
from runferry.chunks import File
from runferry.losses import Fate
from runferry.model import Address, Blob, MediaItem, RunState
from runferry.ports import Location
from runferry.testing.clearml_server import ClearmlServer
from runferry.testing.recording import Histogram, Logged, Recording, Sample
from runferry.testing.samples import START_NS, header
from runferry.testing.writer_laws import numbered
from runferry.transfer.patience import Patience
from runferry.transfer.push import push
from runferry.transfer.report import Report

WHERE = Location("clearml", "lab/grown")
SECOND = 10**9
PICTURE = b"\x89PNG\r\n\x1a\n not really"


@dataclass
class Training:
    """A run that is delivered again and again, out of one archive."""

    server: ClearmlServer
    folder: Path

    def deliver(self, sample: Sample, *, is_ending: bool = False) -> Report:
        """As a live delivery does it."""
        archive = archive_of([sample], self.folder)
        report = push(
            archive,
            WHERE,
            allow=Fate.DROPPED,
            patience=Patience(seconds=0.0),
            open_writer=registry.growing_writer(WHERE, is_ending=is_ending),
        )
        if is_ending and not report.failures:
            registry.conclude(WHERE, [run for run in archive.headers() if not run.complete])
        return report

    def delivered(self, sample: Sample, *, is_ending: bool = False) -> None:
        report = self.deliver(sample, is_ending=is_ending)
        assert not report.failures, report.failures

    @property
    def task(self) -> dict[str, Any]:
        (task,) = self.server.store.tasks.values()
        return task

    def events(self, kind: str) -> list[dict[str, Any]]:
        found = self.server.store.events[self.task["id"]].values()
        return [event for event in found if event["type"] == kind]

    @property
    def loss(self) -> list[tuple[int, float, int]]:
        """Iteration, value and second of each point."""
        return [
            (event["iter"], event["value"], (event["timestamp"] - START_NS // 10**6) // 1000)
            for event in self.events("training_stats_scalar")
            if event["metric"] == "loss"
        ]

    @property
    def lines(self) -> list[str]:
        return [event["msg"] for event in self.events("log")]


@contextmanager
def training_at(folder: Path) -> Iterator[Training]:
    folder.mkdir(exist_ok=True)
    before = settings.current()
    settings.install(settings.Settings(live_upload="growing", patience=30.0))
    try:
        with ClearmlServer() as server, pytest.MonkeyPatch.context() as patch:
            for name, value in server.environment(folder).items():
                patch.setenv(name, value)
            patch.delenv("CLEARML_OFFLINE_MODE", raising=False)
            yield Training(server, folder)
    finally:
        settings.install(before)


class Growing:
    """A run that is logged row by row: the n-th has the value n, at the n-th second, and a line."""

    def __init__(self, *, has_all: bool = False, has_words: bool = False) -> None:
        """With `has_all`, each row has something of all kinds; with `has_words`, a text."""
        self._ended = header("growing")
        running = replace(self._ended, complete=False, state="running", ended_ns=None)
        self._recording = Recording(running).attributes("config", {"lr": 0.1})
        self._has_all = has_all
        self._has_words = has_words or has_all
        self._rows = 0
        if has_all:
            self._recording.put(File("notes.txt", "other", Blob.from_bytes(b"notes")))

    def row(self, step: int | None = None) -> Self:
        """One more."""
        row, time_ns = self._rows, START_NS + self._rows * SECOND
        values: dict[str, Logged] = {"loss": float(row)}
        if self._has_words:
            values["word"] = f"row {row}"
        if self._has_all:
            picture = Blob.from_bytes(PICTURE, "image/png")
            values |= {
                "weights": Histogram((0.0, 1.0, 2.0), (row, 1)),
                "nothing": math.nan,
                "pictures": MediaItem("", Address(0), "image", picture),
            }
        self._recording.log(values, step=row if step is None else step, time_ns=time_ns)
        self._recording.console([("stdout", f"line {row}\n", time_ns)])
        self._recording.attributes("summary", {"loss": float(row)})
        self._rows += 1
        return self

    def up_to(self, rows: int) -> Sample:
        """All that there is, once so many rows are logged."""
        while self._rows < rows:
            self.row()
        return self._recording.sample()

    def ended(self, state: RunState = "finished") -> Sample:
        """All of it, and it says that it has ended."""
        self._recording.run = replace(self._ended, state=state)
        return self._recording.sample()


def write(sample: Sample) -> None:
    """A delivery without an archive, which takes longer than the server."""
    writer = registry.growing_writer(WHERE, is_ending=False)()
    try:
        remote = writer.create(sample.run, sample.run.uid)
        for number, chunk in numbered(sample):
            writer.append(remote, number, chunk)
        writer.seal(remote, sample.run)
    finally:
        writer.close()


def rows_of(count: int) -> list[tuple[int, float, int]]:
    return [(row, float(row), row) for row in range(count)]

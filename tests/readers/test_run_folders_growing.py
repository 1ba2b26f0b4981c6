"""Run folders that grow between pulls: what every read meets again is told once."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import ClassVar

import pytest
from run_folders import gather_one, metric_file, result, results

from runferry.chunks import Lost
from runferry.losses import Fate, Loss, LossLedger
from runferry.model import Cursor
from runferry.ports import Reader
from runferry.readers.dvclive import DvcliveReader
from runferry.readers.hydra import HydraReader
from runferry.readers.ray_tune import RayTuneReader
from runferry.readers.run_folders.position import Position
from runferry.readers.sacred import SacredReader


class Folder:
    """A run's folder that has the files of another tracker in it, and grows."""

    reader: ClassVar[type[Reader]]
    expected: ClassVar[dict[str, int]]

    def __init__(self, home: Path) -> None:
        self.home = home
        (home / "wandb").mkdir(parents=True)

    def grow(self, pull: int) -> None:
        (self.home / "wandb" / f"{pull}.txt").write_text("theirs")
        self.log(pull)

    def log(self, pull: int) -> None:
        raise NotImplementedError


class HydraFolder(Folder):
    reader = HydraReader
    expected: ClassVar = {"other-tracker": 1, "naive-time": 1, "cut-tail": 1}

    def log(self, pull: int) -> None:
        (self.home / ".hydra").mkdir(exist_ok=True)
        (self.home / ".hydra" / "config.yaml").write_text("lr: 0.1\n")
        with (self.home / "train.log").open("a") as log:
            log.write(f" end\n[2024-01-02 03:04:05,00{pull}][__main__][INFO] - line\nno")


class SacredFolder(Folder):
    reader = SacredReader
    expected: ClassVar = {"other-tracker": 1, "numpy-value": 2}

    def log(self, pull: int) -> None:
        number = {"py/object": "numpy.float64", "dtype": "float64", "value": 0.5}
        (self.home / "run.json").write_text('{"status": "RUNNING", "experiment": {"name": "e"}}')
        (self.home / "config.json").write_text('{"lr": 0.1}')
        (self.home / "info.json").write_text(json.dumps({"a": number}))
        values = [1.0] * pull + [number]
        times = [f"2024-01-01T00:00:0{n}" for n in range(len(values))]
        loss = {"steps": [*range(len(values))], "timestamps": times, "values": values}
        if pull == 0:
            (self.home / "metrics.json").write_text(json.dumps({"loss": loss}))
        (self.home / "cout.txt").write_text("hello\n" * pull)


class RayFolder(Folder):
    reader = RayTuneReader
    expected: ClassVar = {"other-tracker": 1, "cut-tail": 1, "unreadable-file": 1}

    def log(self, pull: int) -> None:
        if pull == 0:
            results(self.home, [result(1)])
            (self.home / "params.json").write_text("{")
        whole = json.dumps(result(pull + 2))
        with (self.home / "result.json").open("a") as file:
            file.write(f'"b": 1}}\n{whole}\n{{"a": 1, ' if pull else '{"a": 1, ')


class DvcliveFolder(Folder):
    reader = DvcliveReader
    expected: ClassVar = {"other-tracker": 1, "unended-line": 1, "unreadable-file": 1}

    def log(self, pull: int) -> None:
        if pull == 0:
            metric_file(self.home, "loss", [(0, 0.5)])
            (self.home / "metrics.json").write_text("{")
        with next((self.home / "plots" / "metrics").iterdir()).open("a") as file:
            file.write(f"{pull + 1}\t0.5" if pull == 0 else f"\n{pull + 1}\t0.5")


@pytest.mark.parametrize("kind", [HydraFolder, SacredFolder, RayFolder, DvcliveFolder])
def test_losses_that_every_pull_meets_again_are_told_once(
    kind: type[Folder], tmp_path: Path
) -> None:
    folder, after = kind(tmp_path / "run"), None
    left = LossLedger()
    for pull in range(3):
        folder.grow(pull)
        found = gather_one(kind.reader, tmp_path, after)
        left.extend(found.losses)
        known = after.series if after else ()
        after = found.cursor()
        after = Cursor(after.position, (*known, *after.series))
    assert Counter(loss.code for loss in left) == kind.expected


def test_what_is_remembered_as_told_has_a_bound_and_nothing_beyond_it_is_silent() -> None:
    position = Position("hydra")
    met = [Lost(Loss("linked-file", Fate.DROPPED, f"a@{n}", 1, "")) for n in range(10_002)]
    assert len(list(position.news(met))) == 10_002
    again = Position.of("hydra", position.position())
    assert list(again.news(met)) == met[10_000:]

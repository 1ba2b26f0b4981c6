"""A run as W&B's own client makes it, with nothing odd: it loses nothing, and plan has said it."""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.readers.wandb_service_runs import served

from runferry.archive.store import Archive
from runferry.errors import ExitCode
from runferry.losses import Fate
from runferry.ports import Location
from runferry.python_apart import command_apart, environment_apart
from runferry.testing.wandb_service import WandbService
from runferry.transfer.pull import pull
from runferry.transfer.push import plan_all, push
from runferry.transfer.report import Report
from runferry.transfer.verify import verify_archive

_TRAINING = """
import numpy as np
import wandb
run = wandb.init(
    mode="offline", project="vision", name="first", notes="hello", group="g", job_type="train",
    tags=["paper"], config={"lr": 0.1, "layers": 3, "opt": {"name": "adam", "betas": [0.9, 0.99]}},
)
run.define_metric("train/step")
run.define_metric("train/*", step_metric="train/step")
run.define_metric("val/acc", summary="max")
for step in range(30):
    row = {"loss": 1.0 / (step + 1), "train/step": 10 * step, "train/loss": 2.0 / (step + 1)}
    run.log({**row, **({"val/acc": step / 30} if step % 10 == 0 else {})})
    print("step", step)
image = wandb.Image(np.zeros((8, 8, 3), np.uint8), caption="nothing")
table = wandb.Table(columns=["a", "b"], data=[[1, "x"], [2, "y"]])
run.log({"image": image, "table": table, "weights": wandb.Histogram(np.arange(100) / 7)})
run.summary["best"] = 0.5
made = wandb.Artifact("data", "dataset")
with made.new_file("a.txt") as file:
    file.write("x")
run.log_artifact(made)
run.finish()
"""


@pytest.fixture(scope="module")
def ordinary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive that holds the run."""
    home = tmp_path_factory.mktemp("ordinary")
    told = {"WANDB_SILENT": "true", "HOME": str(home)}
    subprocess.run(
        command_apart(_TRAINING),
        env={**environment_apart(), **told},
        cwd=home,
        check=True,
        capture_output=True,
        timeout=120,
    )
    archive = Archive.open(home / "archive", create=True, reserve=0)
    assert not pull(Location("wandb", str(home / "wandb")), archive, reserve_bytes=0).failures
    return home / "archive"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[WandbService]:
    with served(tmp_path / "account", exports_when_finished=True) as service:
        yield service
        assert not service.failures


def told(report: Report) -> Counter[tuple[str, Fate]]:
    """How many things of each kind, but for those that are as they were."""
    (outcome,) = report.outcomes
    counts: Counter[tuple[str, Fate]] = Counter()
    for loss in outcome.losses:
        counts[loss.code, loss.fate] += loss.count
    return counts


@pytest.mark.parametrize(
    "where",
    ["wandb:lab/moved", "wandb:./moved", "mlflow:sqlite:///runs.db", "tensorboard:./shown",
     "neptune:./export"],
)  # fmt: skip
def test_plan_has_told_what_push_tells_and_nothing_is_lost(
    ordinary: Path,
    service: WandbService,
    where: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    archive, there = Archive.open(ordinary), Location(*where.split(":", 1))
    planned = plan_all(archive, there)
    pushed = push(archive, there)
    assert not pushed.failures, pushed.failures
    assert told(planned) == told(pushed)
    verified = verify_archive(archive, there)
    assert verified.is_clean, [run.unexpected for run in verified.runs]
    assert planned.exit_code == pushed.exit_code == verified.exit_code == ExitCode.DONE

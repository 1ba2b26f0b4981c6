"""Each minor version of W&B: what is mirrored equals what conversion of the run's files gives."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from training import CLOCK, differences, settled

from runferry.live import autostart
from runferry.python_apart import environment_apart

VERSIONS = (
    *("0.13.11", "0.14.2", "0.15.12", "0.16.6", "0.17.9", "0.18.7", "0.19.11", "0.20.1", "0.21.4"),
    *("0.22.3", "0.23.1", "0.24.2", "0.25.1", "0.26.1", "0.27.2", "0.28.2", "0.29.0", "0.30.0"),
    *("0.13.0", "0.21.2", "0.22.0"),  # the first one, and others in which the client's calls differ
)
OF_GLOBS = "where='other._wandb.define_metric."  # 0.18 notes each metric that a glob took

SCRIPT = """
import sys
import wandb
import numpy as np
assert wandb.__version__ == sys.argv[1]
run = wandb.init(project="zoo", mode="offline", dir=".", config={"lr": 0.1, "deep": {"er": 1}})
run.define_metric("epoch")
run.define_metric("val/*", step_metric="epoch", summary="max")
for step in range(20):
    run.log({"loss": 1 / (step + 1), "nested": {"a": step}})
run.log({"held": 1}, commit=False)
run.log({"held": 2, "whole": 3.0, "nan": float("nan"), "text": "a"})
run.log({"explicit": 1}, step=50)
run.log({"together": 1}, step=50)
run.log({"backward": 1}, step=3)
run.log({"epoch": 1, "val/acc": 0.5})
run.log({"val/acc": 0.25})
run.log({"histogram": wandb.Histogram([1, 2, 3])})
run.log({"image": wandb.Image(np.zeros((4, 4, 3), "uint8"))})
run.summary["best"] = 3
run.finish()
"""


@pytest.mark.slow
@pytest.mark.parametrize("version", VERSIONS)
def test_mirrored_equals_converted(tmp_path: Path, version: str) -> None:
    python = tmp_path / "env" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "env"], check=True)
    wanted = [f"wandb=={version}", "setuptools<70", "numpy<2", "pillow"]
    installed = subprocess.run([python, "-m", "pip", "install", "-q", *wanted], check=False)
    if installed.returncode:
        pytest.skip(f"wandb {version} cannot be installed")
    (tmp_path / "train.py").write_text(SCRIPT)
    alone = f"PYTHONPATH={Path(autostart.__path__[0])}"  # else it would find our packages
    command = ["run", "--to", "archive:./mirrored", "--", "env", alone, str(python), "-W", "ignore"]
    subprocess.run(
        [sys.executable, "-P", "-m", "runferry", *command, "train.py", version],
        cwd=tmp_path,
        env=environment_apart() | {"WANDB_SILENT": "true"},
        check=True,
        timeout=120,
    )
    assert settled(tmp_path).state == "done"
    found = differences(f"wandb:{tmp_path / 'wandb'}", f"archive:{tmp_path / 'mirrored'}")
    assert [loss for loss in found if not any(one in loss for one in (*CLOCK, OF_GLOBS))] == []

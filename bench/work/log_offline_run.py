"""Logs one offline run with the real wandb client of the environment it runs in.

Usage: log_offline_run.py FOLDER STEPS METRICS
"""

from __future__ import annotations

import random
import sys

import wandb
from stopwatch import answer, stopwatch

folder, steps, metrics = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
keys = [f"train/metric_{number:02d}" for number in range(metrics)]
gauss = random.Random(20).gauss

run = wandb.init(
    project="bench",
    id="bench",
    name="bench",
    mode="offline",
    dir=folder,
    config={"lr": 0.001, "layers": [64, 64], "optimizer": {"name": "adam", "betas": [0.9, 0.999]}},
    settings=wandb.Settings(console="off", disable_git=True, save_code=False, quiet=True),
)
with stopwatch() as lap:
    for _ in range(steps):
        run.log({key: gauss(0.0, 1.0) for key in keys})
    run.finish()
answer(lap, {"wandb": wandb.__version__})

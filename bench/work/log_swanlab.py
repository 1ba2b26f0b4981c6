"""Logs one offline run with the real SwanLab client of the environment it runs in.

Nothing is collected but the values: no watch over the machine, no lines of the terminal.

Usage: log_swanlab.py FOLDER STEPS METRICS
"""

from __future__ import annotations

import random
import sys

import swanlab
from stopwatch import answer, stopwatch

folder, steps, metrics = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
keys = [f"train/metric_{number:02d}" for number in range(metrics)]
gauss = random.Random(20).gauss

run = swanlab.init(
    project="bench",
    name="bench",
    id="bench",
    mode="offline",
    log_dir=folder,
    config={"lr": 0.001, "layers": [64, 64], "optimizer": {"name": "adam", "betas": [0.9, 0.999]}},
    settings=swanlab.Settings(
        probe=swanlab.Settings.Probe(
            hardware=False, runtime=False, requirements=False, git=False, monitor=False
        ),
        terminal=swanlab.Settings.Terminal(proxy_type="none"),
        interactive=False,
    ),
)
with stopwatch() as lap:
    for step in range(steps):
        run.log({key: gauss(0.0, 1.0) for key in keys}, step=step)
    run.finish()
answer(lap, {"swanlab": swanlab.__version__})

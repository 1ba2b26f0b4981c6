"""Logs one run into a new repository with the real Aim of the environment it runs in.

Nothing is collected but the values: no watch over the machine, no lines of the terminal. A step's
values are tracked by one call.

Usage: log_aim.py FOLDER STEPS METRICS
"""

from __future__ import annotations

import random
import sys
from importlib.metadata import version

import aim
from stopwatch import answer, stopwatch

folder, steps, metrics = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
keys = [f"train/metric_{number:02d}" for number in range(metrics)]
gauss = random.Random(20).gauss

repository = aim.Repo(folder, init=True)
run = aim.Run(repo=repository, system_tracking_interval=None, log_system_params=False,
              capture_terminal_logs=False)  # fmt: skip
with stopwatch() as lap:
    run["lr"] = 0.001
    for step in range(steps):
        run.track({key: gauss(0.0, 1.0) for key in keys}, step=step)
    run.close()
answer(lap, {"aim": version("aim")})

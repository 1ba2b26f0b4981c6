"""Logs one offline task with the real ClearML client of the environment it runs in.

Usage: log_clearml.py STEPS METRICS
"""

from __future__ import annotations

import random
import sys

import clearml
from stopwatch import answer, stopwatch

steps, metrics = int(sys.argv[1]), int(sys.argv[2])
keys = [f"metric_{number:02d}" for number in range(metrics)]
gauss = random.Random(20).gauss

task = clearml.Task.init(
    project_name="bench",
    task_name="bench",
    reuse_last_task_id=False,
    auto_connect_frameworks=False,
    auto_connect_streams=False,
    auto_resource_monitoring=False,
)
logger = task.get_logger()
with stopwatch() as lap:
    for step in range(steps):
        for key in keys:
            logger.report_scalar("train", key, gauss(0.0, 1.0), step)
    logger.flush(wait=True)
    task.close()
answer(lap, {"clearml": clearml.__version__, "session": str(task.get_offline_mode_folder())})

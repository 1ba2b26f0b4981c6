"""Reads the history of one run of W&B's service with the vendor's `scan_history`.

It ends with dictionaries; turning them into columns is not asked of it. The client, its helper
process and the run are there before the clock starts.

Usage: service_scan.py ENTITY/PROJECT/RUN
"""

from __future__ import annotations

import math
import sys

import wandb
from stopwatch import answer, stopwatch

wandb.setup().ensure_service()
run = wandb.Api(timeout=120).run(sys.argv[1])
with stopwatch() as lap:
    rows = list(run.scan_history())

names = {name for row in rows for name in row} - {"_step", "_timestamp"}
series = {}
for name in sorted(names):
    values = [row[name] for row in rows if row.get(name) is not None]
    series[f"user:{name}"] = [len(values), math.fsum(values)]
answer(
    lap,
    {
        "series": series,
        "history": len(rows),
        "step_sum": sum(row["_step"] for row in rows),
        "time_us_sum": sum(round(row["_timestamp"] * 1e6) for row in rows),
    },
)

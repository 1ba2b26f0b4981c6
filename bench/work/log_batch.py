"""Sends points to MLflow on sqlite with the vendor's client, 1,000 metrics a call.

The entities are made outside of the measured time. Points: a Parquet file with key, value,
timestamp (ms) and step.

Usage: log_batch.py POINTS DATABASE
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pyarrow.parquet as pq
from mlflow import MlflowClient
from mlflow.entities import Metric
from stopwatch import answer, stopwatch

points, database = pq.read_table(sys.argv[1]).to_pydict(), Path(sys.argv[2])
os.chdir(database.parent)  # the vendor makes `./mlruns`
names = ("key", "value", "timestamp", "step")
metrics = [Metric(*row) for row in zip(*(points[name] for name in names), strict=True)]
client = MlflowClient(f"sqlite:///{database}")
client.search_experiments()  # connects, and imports what it needs
with stopwatch() as lap:
    run_id = client.create_run("0").info.run_id
    for begin in range(0, len(metrics), 1_000):
        client.log_batch(run_id, metrics=metrics[begin : begin + 1_000])
    client.set_terminated(run_id)
    with database.open("rb+") as file:
        os.fsync(file.fileno())
answer(lap, {"points": len(metrics)})

"""Pushes an archive into an MLflow database that exists.

At the end the database file is synced once more, inside the measured time, so that no setting of
sqlite can make the disk's share vanish.

Usage: push.py ARCHIVE DATABASE
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pyarrow.compute
import pyarrow.parquet
from stopwatch import answer, stopwatch

from runferry.archive.store import Archive
from runferry.ports import Location
from runferry.registry import writer
from runferry.transfer.push import push

folder, database = Path(sys.argv[1]), Path(sys.argv[2])
writer("mlflow")
pyarrow.array([])  # imports pandas where there is one
with stopwatch() as lap:
    report = push(Archive.open(folder), Location("mlflow", f"sqlite:///{database}"))
    with database.open("rb+") as file:
        os.fsync(file.fileno())
answer(lap, {"failed": [str(outcome.error) for outcome in report.outcomes if outcome.error]})

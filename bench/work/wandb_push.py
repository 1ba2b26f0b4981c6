"""Pushes an archive into a new folder of W&B run folders; what it writes is synced.

At the end the log is synced once more, inside the measured time, so that no setting can make the
disk's share vanish.

Usage: wandb_push.py ARCHIVE FOLDER
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

archive, folder = Path(sys.argv[1]), Path(sys.argv[2])
writer("wandb")
pyarrow.array([])  # imports pandas where there is one
with stopwatch() as lap:
    report = push(Archive.open(archive), Location("wandb", str(folder)))
    for file in folder.rglob("*.wandb"):
        with file.open("rb+") as written:
            os.fsync(written.fileno())
answer(lap, {"failed": [str(outcome.error) for outcome in report.outcomes if outcome.error]})

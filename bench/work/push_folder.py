"""Pushes an archive into a new folder of what some tracker reads; what is written is synced.

At the end the files of a PATTERN are synced once more, inside the measured time, so that no setting
can make the disk's share vanish.

Usage: push_folder.py TRACKER ARCHIVE FOLDER [PATTERN]
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

tracker, archive, folder = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
patterns = sys.argv[4:]
writer(tracker)
pyarrow.array([])  # imports pandas where there is one
with stopwatch() as lap:
    report = push(Archive.open(archive), Location(tracker, str(folder)))
    for pattern in patterns:
        for file in folder.rglob(pattern):
            with file.open("rb+") as written:
                os.fsync(written.fileno())
answer(lap, {"failed": [str(outcome.error) for outcome in report.outcomes if outcome.error]})

"""Pushes an archive into a new folder of offline sessions; what it writes is synced.

Usage: clearml_push.py ARCHIVE FOLDER
"""

from __future__ import annotations

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
writer("clearml")
pyarrow.array([])  # imports pandas where there is one
with stopwatch() as lap:
    report = push(Archive.open(archive), Location("clearml", str(folder)))
answer(lap, {"failed": [str(outcome.error) for outcome in report.outcomes if outcome.error]})

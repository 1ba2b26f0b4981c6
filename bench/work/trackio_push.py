"""Pushes an archive into a new project of trackio; what it writes is synced.

Usage: trackio_push.py ARCHIVE PROJECT
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

archive, project = Path(sys.argv[1]), Path(sys.argv[2])
writer("trackio")
pyarrow.array([])  # imports pandas where there is one
with stopwatch() as lap:
    report = push(Archive.open(archive), Location("trackio", str(project)))
answer(lap, {"failed": [str(outcome.error) for outcome in report.outcomes if outcome.error]})

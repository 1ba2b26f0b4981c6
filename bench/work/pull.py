"""Pulls a source into a new archive, which syncs every file before a run exists in it.

Usage: pull.py SOURCE ARCHIVE WORKERS
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pyarrow.compute
import pyarrow.parquet
from stopwatch import answer, stopwatch

from runferry.archive.store import Archive
from runferry.ports import Location
from runferry.registry import reader
from runferry.transfer.pull import pull

source, folder, workers = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
reader("wandb")
pyarrow.array([])  # imports pandas where there is one
with stopwatch() as lap:
    archive = Archive.open(folder, create=True)
    report = pull(Location("wandb", source), archive, workers=workers)
records = list(archive.records())
outcome: dict[str, Any] = {
    "runs": len(records),
    "complete": sum(record.run.complete for record in records),
    "failed": [str(outcome.error) for outcome in report.outcomes if outcome.error],
    "losses": [str(loss) for record in records for loss in record.losses],
}
for record in records:
    for segment in record.segments:
        outcome[segment.table] = outcome.get(segment.table, 0) + segment.rows
answer(lap, outcome)

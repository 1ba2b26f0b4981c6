"""Stores one run by trackio's own bulk call, its mappings ready in memory; TRACKIO_DIR says where.

Usage: log_trackio.py STEPS METRICS
"""

from __future__ import annotations

import random
import sys
from datetime import UTC, datetime, timedelta

import trackio
from stopwatch import answer, stopwatch
from trackio.sqlite_storage import SQLiteStorage

steps, metrics = int(sys.argv[1]), int(sys.argv[2])
keys = [f"metric_{number:02d}" for number in range(metrics)]
gauss = random.Random(20).gauss
began = datetime(2024, 1, 2, tzinfo=UTC)
rows = [{key: gauss(0.0, 1.0) for key in keys} for _ in range(steps)]
times = [(began + timedelta(milliseconds=step)).isoformat() for step in range(steps)]
log_ids = [f"bench:{step}" for step in range(steps)]
with stopwatch() as lap:
    SQLiteStorage.bulk_log(
        "bench", "run", rows, [*range(steps)], times, {"lr": 0.1}, log_ids, run_id="bench"
    )
answer(lap, {"trackio": trackio.__version__})

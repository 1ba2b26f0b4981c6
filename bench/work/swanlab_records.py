"""Counts and sums of the user's scalars in a `.swanlab` file, by SwanLab's own reader.

Usage: swanlab_records.py FILE
"""

from __future__ import annotations

import math
import sys
from pathlib import Path

from stopwatch import answer, stopwatch
from swanlab.proto.swanlab.record.v1.record_pb2 import Record
from swanlab.sdk.internal.core_python.store import DataStoreReader

series: dict[str, list[float]] = {}
steps = 0
with stopwatch() as lap:
    log = DataStoreReader()
    log.open(Path(sys.argv[1]))
    for content in log:
        record = Record()
        record.ParseFromString(content)
        if record.HasField("scalar") and record.scalar.key.startswith("train/"):
            series.setdefault(record.scalar.key, []).append(record.scalar.value.number)
            steps += record.scalar.step
counted = {name: [len(values), math.fsum(values)] for name, values in sorted(series.items())}
answer(lap, {"series": counted, "steps": steps})

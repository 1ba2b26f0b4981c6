"""Counts and sums of the scalars of a session's `metrics.jsonl`, with Python's own `json`.

Usage: clearml_events.py FILE
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

from stopwatch import answer, stopwatch

series: dict[str, list[float]] = {}
with stopwatch() as lap, Path(sys.argv[1]).open() as lines:
    for line in lines:
        for event in json.loads(line):
            name = f"{event['metric']}/{event['variant']}"
            series.setdefault(name, []).append(event["value"])
answer(lap, {name: [len(values), math.fsum(values)] for name, values in series.items()})

"""Decodes a `.wandb` file to Arrow columns with the extension alone.

Usage: decode_native.py FILE [only]   (only: nothing is added up afterwards, for whole processes)
"""

from __future__ import annotations

import json
import sys
from collections import Counter

import pyarrow as pa
from stopwatch import answer, stopwatch

from runferry._native import WandbScanner

points, values, console, records, series, damage = [], [], [], [], [], []
with stopwatch() as lap:
    scanner = WandbScanner(sys.argv[1])
    while (batch := scanner.next()) is not None:
        series += batch.series
        if batch.points is not None:
            points.append(pa.record_batch(batch.points))
        if batch.values is not None:
            values.append(pa.record_batch(batch.values))
        if batch.console is not None:
            console.append(pa.record_batch(batch.console))
        records += batch.records
        damage += batch.damage
    summary = scanner.summary()

if sys.argv[2:] == ["only"]:
    answer(lap, {})
    sys.exit()

from columns import outcome_of  # noqa: E402  not needed above

table = pa.Table.from_batches(points)
names = pa.array([f"{stream}:{'/'.join(path)}" for stream, path in series])
outcome = outcome_of(table.append_column("name", names.take(table["series"].combine_chunks())))
outcome["values"] = sum(batch.num_rows for batch in values)
outcome["console"] = sum(batch.num_rows for batch in console)
outcome["damage"] = len(damage)
outcome["summary"] = {"/".join(path): json.loads(text) for path, text in summary}
outcome["records"] = Counter(kind for kind, _, _ in records)
answer(lap, outcome)

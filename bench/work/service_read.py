"""Reads one run of W&B's service to Arrow columns, through the reader, the model and all.

Usage: service_read.py ENTITY/PROJECT/RUN
"""

from __future__ import annotations

import sys

import httpx  # noqa: F401  what is imported does not count
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet
from columns import outcome_of
from stopwatch import answer, stopwatch

from runferry.chunks import Chunk, Lost, Points, SeriesFacts
from runferry.ports import Location, ReadOptions
from runferry.registry import reader

chunks: list[Chunk] = []
wandb = reader("wandb")
pa.array([])  # imports pandas where there is one
with stopwatch() as lap:
    source = wandb.open(Location("wandb", sys.argv[1]), ReadOptions())
    for run in source.runs():
        chunks += source.read(run)
    source.close()

points = pa.Table.from_batches([chunk.batch for chunk in chunks if isinstance(chunk, Points)])
facts = [series for chunk in chunks if isinstance(chunk, SeriesFacts) for series in chunk.items]
known = {series.key: f"{series.stream}:{'.'.join(series.path)}" for series in facts}
keys = points["key"].combine_chunks()
names = pa.array([known[key] for key in keys.dictionary.to_pylist()])
outcome = outcome_of(points.append_column("name", names.take(keys.indices)))
outcome["losses"] = [str(chunk.loss) for chunk in chunks if isinstance(chunk, Lost)]
answer(lap, outcome)

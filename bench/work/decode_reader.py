"""Decodes a `.wandb` file to Arrow columns through the reader, the model and all.

Usage: decode_reader.py FILE [only]   (only: nothing is added up afterwards, for whole processes)
"""

from __future__ import annotations

import sys

import pyarrow as pa
import pyarrow.compute
from stopwatch import answer, stopwatch

from runferry.chunks import Attributes, Chunk, Console, Lost, Points, SeriesFacts
from runferry.ports import Location, ReadOptions
from runferry.registry import reader

chunks: list[Chunk] = []
wandb_files = reader("wandb")
pa.array([])  # imports pandas where there is one
with stopwatch() as lap:
    source = wandb_files.open(Location("wandb", sys.argv[1]), ReadOptions())
    for run in source.runs():
        chunks += source.read(run)
    source.close()

if sys.argv[2:] == ["only"]:
    answer(lap, {})
    sys.exit()

from columns import outcome_of  # noqa: E402  not needed above

points = pa.Table.from_batches([chunk.batch for chunk in chunks if isinstance(chunk, Points)])
facts = [series for chunk in chunks if isinstance(chunk, SeriesFacts) for series in chunk.items]
known = {series.key: f"{series.stream}:{'/'.join(series.path)}" for series in facts}
keys = points["key"].combine_chunks()
names = pa.array([known[key] for key in keys.dictionary.to_pylist()])
outcome = outcome_of(points.append_column("name", names.take(keys.indices)))
outcome["console"] = sum(chunk.batch.num_rows for chunk in chunks if isinstance(chunk, Console))
outcome["losses"] = [str(chunk.loss) for chunk in chunks if isinstance(chunk, Lost)]
outcome["summary"] = {
    "/".join(attribute.path): attribute.value
    for chunk in chunks
    if isinstance(chunk, Attributes)
    for attribute in chunk.items
    if attribute.role == "summary" or attribute.path == ("_wandb", "runtime")
}
answer(lap, outcome)

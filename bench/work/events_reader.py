"""Decodes a folder with an event file to Arrow columns through the reader, the model and all.

Usage: events_reader.py FOLDER
"""

from __future__ import annotations

import sys

import pyarrow as pa
import pyarrow.compute
from event_facts import Facts
from event_tables import add_histograms, add_images, add_points
from stopwatch import answer, stopwatch

from runferry.chunks import Chunk, Histograms, Lost, Media, Points, SeriesFacts
from runferry.ports import Location, ReadOptions
from runferry.registry import reader

chunks: list[Chunk] = []
event_files = reader("tensorboard")
pa.array([])  # imports pandas where there is one
with stopwatch() as lap:
    source = event_files.open(Location("tensorboard", sys.argv[1]), ReadOptions())
    for run in source.runs():
        chunks += source.read(run)
    source.close()

declared = [series for chunk in chunks if isinstance(chunk, SeriesFacts) for series in chunk.items]
tag_of = {series.key: "/".join(series.path) for series in declared}


def with_tags(batches: list[pa.RecordBatch]) -> pa.Table:
    """A table with the tags in words."""
    table = pa.Table.from_batches(batches)
    keys = table["key"].cast(pa.string()).to_pylist()
    return table.append_column("tag", pa.array([tag_of[key] for key in keys]))


facts = Facts()
add_points(facts, with_tags([chunk.batch for chunk in chunks if isinstance(chunk, Points)]))
if histograms := [chunk.batch for chunk in chunks if isinstance(chunk, Histograms)]:
    add_histograms(facts, with_tags(histograms))
if media := [item for chunk in chunks if isinstance(chunk, Media) for item in chunk.items]:
    rows = pa.table(
        {
            "tag": [tag_of[item.key] for item in media],
            "step": [item.at.step for item in media],
            "time": [(item.at.time_ns or 0) // 1000 for item in media],
            "seq": [item.at.seq for item in media],
        }
    )
    contents = []
    for item in media:
        assert item.blob.open is not None
        with item.blob.open() as stream:
            contents.append(stream.read())
    add_images(facts, rows, contents)
losses = [str(chunk.loss) for chunk in chunks if isinstance(chunk, Lost)]
answer(lap, facts.as_outcome(losses=losses))

"""Decodes an event file to Arrow columns with the extension alone, checksums and all.

Usage: events_native.py FILE
"""

from __future__ import annotations

import sys
from collections import defaultdict

import pyarrow as pa
from event_facts import Facts
from event_tables import add_histograms, add_images, add_points
from stopwatch import answer, stopwatch

from runferry._native import EventScanner

tables: dict[str, list[pa.RecordBatch]] = defaultdict(list)
tags, records, damage = [], [], []
with stopwatch() as lap:
    scanner = EventScanner(sys.argv[1])
    while (batch := scanner.next()) is not None:
        tags += batch.series
        for name in ("points", "texts", "histograms", "media"):
            if (found := getattr(batch, name)) is not None:
                tables[name].append(pa.record_batch(found))
        records += batch.records
        damage += batch.damage


def with_tags(name: str) -> pa.Table:
    """A table with the tags in words."""
    table = pa.Table.from_batches(tables[name])
    names = pa.array([tag for tag, _, _ in tags]).take(table["series"].combine_chunks())
    return table.append_column("tag", names)


facts = Facts()
add_points(facts, with_tags("points"))
if "histograms" in tables:
    add_histograms(facts, with_tags("histograms"))
if "media" in tables:
    media = with_tags("media")
    add_images(facts, media, media["content"].to_pylist())
answer(lap, facts.as_outcome(damage=len(damage), strangers=sorted({row[0] for row in records})))

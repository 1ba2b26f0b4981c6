"""Reads an event file with TensorBoard's EventFileLoader, the vendor's own reading of every event.

It hands histograms and images out as tensors of today's form: limits are not what was stored.

Usage: events_loader.py FILE
"""

from __future__ import annotations

import sys
from collections import defaultdict
from typing import Any

from event_facts import Facts
from stopwatch import answer, stopwatch
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from tensorboard.util.tensor_util import make_ndarray

plugins: dict[str, str] = {}
found: dict[str, list[tuple[int, float, Any]]] = defaultdict(list)
with stopwatch() as lap:
    for event in EventFileLoader(sys.argv[1]).Load():
        for value in event.summary.value:
            if value.HasField("metadata"):
                plugins[value.tag] = value.metadata.plugin_data.plugin_name
            found[value.tag].append((event.step, event.wall_time, value.tensor))

facts = Facts()
for tag, rows in found.items():
    steps = [step for step, _, _ in rows]
    arrays = (make_ndarray(tensor) for _, _, tensor in rows)
    if plugins[tag] == "scalars":
        facts.add_scalars(tag, steps, [array.item() for array in arrays])
    elif plugins[tag] == "histograms":
        facts.add_histograms(tag, steps, (array[:, 2].tolist() for array in arrays))
    elif plugins[tag] == "images":
        facts.add_images(tag, steps, (array[2] for array in arrays))
    else:  # what runferry writes beside what TensorBoard shows
        continue
    facts.add_times(time for _, time, _ in rows)
answer(lap, facts.as_outcome())

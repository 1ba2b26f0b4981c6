"""Loads an event file into TensorBoard's EventAccumulator, and its scalars into columns.

Everything is kept (`size_guidance` 0), but for `compressedHistograms`: they are a digest of the
histograms, and leaving them out is faster. Nothing is purged.

Usage: events_accumulator.py FILE
"""

from __future__ import annotations

import sys
from array import array

from event_facts import Facts
from stopwatch import answer, stopwatch
from tensorboard.backend.event_processing import event_accumulator as ea
from tensorboard.util.tensor_util import make_ndarray

guidance = {**ea.STORE_EVERYTHING_SIZE_GUIDANCE, ea.COMPRESSED_HISTOGRAMS: 1}
columns: dict[str, tuple[array, array, array]] = {}
with stopwatch() as lap:
    with stopwatch() as load:
        events = ea.EventAccumulator(sys.argv[1], guidance, purge_orphaned_data=False)
        events.Reload()
    for tag in events.Tags()[ea.SCALARS]:
        found = events.Scalars(tag)
        columns[tag] = (
            array("q", [event.step for event in found]),
            array("d", [event.value for event in found]),
            array("d", [event.wall_time for event in found]),
        )
    for tag in events.Tags()[ea.TENSORS]:
        tensors = events.Tensors(tag)
        columns[tag] = (
            array("q", [event.step for event in tensors]),
            array("d", [make_ndarray(event.tensor_proto).item() for event in tensors]),
            array("d", [event.wall_time for event in tensors]),
        )

facts = Facts()
for tag, (steps, values, times) in columns.items():
    facts.add_scalars(tag, steps, values)
    facts.add_times(times)
for tag in events.Tags()[ea.HISTOGRAMS]:
    histograms = events.Histograms(tag)
    steps = [event.step for event in histograms]
    facts.add_histograms(tag, steps, (event.histogram_value.bucket for event in histograms))
    facts.add_limits(tag, (event.histogram_value.bucket_limit for event in histograms))
    facts.add_times(event.wall_time for event in histograms)
for tag in events.Tags()[ea.IMAGES]:
    images = events.Images(tag)
    steps = [event.step for event in images]
    facts.add_images(tag, steps, (event.encoded_image_string for event in images))
    facts.add_times(event.wall_time for event in images)
answer(
    lap,
    facts.as_outcome(load_wall_seconds=load.wall_seconds, load_cpu_seconds=load.cpu_seconds),
)

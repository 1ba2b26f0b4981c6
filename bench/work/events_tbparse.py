"""Reads an event file into data frames with tbparse, in its long form, which is the faster one.

Images are left out: tbparse decodes them with TensorFlow. Scalars of TensorFlow 2 are `tensors`.

Usage: events_tbparse.py FILE KIND…   (KIND: scalars, tensors, histograms)
"""

from __future__ import annotations

import sys

from event_facts import Facts
from stopwatch import answer, stopwatch
from tbparse import SummaryReader

kinds = sys.argv[2:]
with stopwatch() as lap:
    reader = SummaryReader(sys.argv[1], event_types=set(kinds), extra_columns={"wall_time"})
    frames = {kind: reader.get_events(kind) for kind in kinds}

facts = Facts()
for kind, frame in frames.items():
    facts.add_times(frame["wall_time"])
    for tag, rows in frame.groupby("tag"):
        if kind == "histograms":
            facts.add_histograms(tag, rows["step"].tolist(), rows["counts"])
            facts.add_limits(tag, rows["limits"])
        else:
            facts.add_scalars(tag, rows["step"].tolist(), rows["value"].tolist())
answer(lap, facts.as_outcome())

"""Writes points with tensorboardX's `add_scalar`, its `crc32c` in C as its readme advises.

Tags, steps, values and times are Python's own before the clock starts; it stops when the file is
closed and synced.

Usage: events_tensorboardx.py NPZ FOLDER
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import crc32c  # noqa: F401  without it the comparison would be with pure Python
import numpy as np
from stopwatch import answer, stopwatch
from tensorboardX import SummaryWriter

points, folder = np.load(sys.argv[1]), Path(sys.argv[2])
tags = points["tags"][points["tag"]].tolist()
columns = [points[name].tolist() for name in ("value", "step", "seconds")]
with stopwatch() as lap:
    writer = SummaryWriter(str(folder))
    for tag, value, step, seconds in zip(tags, *columns, strict=True):
        writer.add_scalar(tag, value, step, walltime=seconds)
    writer.close()
    for file in folder.iterdir():
        with file.open("rb+") as written:
            os.fsync(written.fileno())
answer(lap, {"points": len(tags)})

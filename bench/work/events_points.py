"""The points of an archive's only run in the order of their events, for `events_tensorboardx.py`.

Usage: events_points.py ARCHIVE NPZ
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from stopwatch import answer, stopwatch

from runferry.archive.store import Archive

archive = Archive.open(Path(sys.argv[1]))
(record,) = archive.records()
tag_of = {series.key: "/".join(series.path) for series in archive.series(record)}
with stopwatch() as lap:
    points = archive.table(record, "points").sort_by("seq")
    keys = points["key"].combine_chunks().dictionary_encode()
    below = pc.fill_null(points["time_ns"].cast(pa.int64()), 0)
    time_ns = pc.add(pc.multiply(points["time"].cast(pa.int64()), 1_000), below)
    np.savez(
        sys.argv[2],
        tags=np.array([tag_of[key] for key in keys.dictionary.to_pylist()]),
        tag=keys.indices.to_numpy(),
        step=points["step"].to_numpy(),
        value=points["value"].to_numpy(),
        seconds=time_ns.to_numpy() / 1e9,
    )
answer(lap, {"points": points.num_rows})

"""The points of an archive's only run as MLflow counts them, for `log_batch.py`.

Usage: mlflow_points.py ARCHIVE PARQUET
"""

from __future__ import annotations

import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from stopwatch import answer, stopwatch

from runferry.archive.store import Archive

archive = Archive.open(Path(sys.argv[1]))
(record,) = archive.records()
with stopwatch() as lap:
    points = archive.table(record, "points", stream="user").sort_by("seq")
    milliseconds = pc.divide(points["time"].cast(pa.int64()), 1_000)  # all are past 1970
    pq.write_table(
        pa.table(
            {
                "key": points["key"],
                "value": points["value"],
                "timestamp": milliseconds,
                "step": points["step"],
            }
        ),
        sys.argv[2],
    )
answer(lap, {"points": points.num_rows})

"""Authors a `.wandb` file of rows that lie in memory, with the extension alone; it is synced.

The rows are those of an archive, in the order of steps and in batches, as `push` hands them over.

Usage: wandb_author.py ARCHIVE FOLDER
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from stopwatch import answer, stopwatch

from runferry import _native
from runferry.archive.store import Archive
from runferry.chunks import Points, SeriesFacts

archive, folder = Archive.open(Path(sys.argv[1])), Path(sys.argv[2])
(record,) = archive.records()
chunks = list(archive.chunks(record, order="step"))
series = [one for chunk in chunks if isinstance(chunk, SeriesFacts) for one in chunk.items]
batches = [chunk.batch for chunk in chunks if isinstance(chunk, Points)]
folder.mkdir()
file = folder / "run-bench.wandb"
with stopwatch() as lap:
    log = _native.WandbLog(file, started_ns=record.run.started_ns)
    for one in series:
        log.declare(one.key, one.path, one.stream == "system")
    for batch in batches:
        log.points(batch)
    log.flush()
    with file.open("rb+") as written:
        os.fsync(written.fileno())
answer(lap, {"rows": sum(batch.num_rows for batch in batches)})

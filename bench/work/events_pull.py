"""Pulls a folder with an event file into a new archive, synced; then reads the archive.

Usage: events_pull.py FOLDER ARCHIVE WORKERS
"""

from __future__ import annotations

import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet
from event_facts import Facts
from event_tables import add_histograms, add_images, add_points
from stopwatch import answer, stopwatch

from runferry.archive.blobs import stored_blob
from runferry.archive.store import Archive
from runferry.ports import Location
from runferry.registry import reader
from runferry.transfer.pull import pull

source, folder, workers = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
reader("tensorboard")
pa.array([])  # imports pandas where there is one
with stopwatch() as lap:
    archive = Archive.open(folder, create=True)
    report = pull(Location("tensorboard", source), archive, workers=workers)

(record,) = archive.records()
tag_of = {series.key: "/".join(series.path) for series in archive.series(record)}


def with_tags(name: str) -> pa.Table:
    """A table of the archive with the tags in words."""
    table = archive.table(record, name)
    return table.append_column("tag", pa.array([tag_of[key] for key in table["key"].to_pylist()]))


def content_of(sha256: str) -> bytes:
    """The bytes of a blob, checked against its name as they are read."""
    blob = stored_blob(folder, sha256, None, None)
    assert blob.open is not None
    with blob.open() as stream:
        return stream.read()


facts = Facts()
add_points(facts, with_tags("points"))
if record.of("histograms"):
    add_histograms(facts, with_tags("histograms"))
if record.of("media"):
    media = with_tags("media")
    add_images(facts, media, [content_of(sha256) for sha256 in media["sha256"].to_pylist()])
failed = [str(outcome.error) for outcome in report.outcomes if outcome.error]
answer(lap, facts.as_outcome(failed=failed, losses=[str(loss) for loss in record.losses]))

"""An archive into MLflow on sqlite, beside the vendor's `log_batch` of 1,000 metrics a call."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import zip_longest
from pathlib import Path
from statistics import median

from bench import child, generate
from bench.environments import MLFLOW
from bench.report import Row, verdict_on
from bench.scratch import scratch
from bench.size import Size

_TARGET = 15.0


def measure(size: Size) -> Iterator[Row]:
    """Into two databases made by the vendor's migrations; in turns, three times each."""
    source = generate.plain_run(size.points)
    archive = scratch("mlflow-archive")
    child.ours("pull.py", source, archive, 1, on_cores=2)
    points = scratch("mlflow-points.parquet")
    child.ours("mlflow_points.py", archive, points, on_cores=1)

    own, vendors = scratch("ours.db"), scratch("vendors.db")
    laps, peers = [], []
    for _ in range(3):
        laps.append(_push(archive, own))
        vendors.unlink(missing_ok=True)
        _make(vendors)
        peers.append(child.work(MLFLOW.python, "log_batch.py", points, vendors, on_cores=2))

    seconds = median(lap.lap_wall_seconds for lap in laps)
    peer_seconds = median(lap.lap_wall_seconds for lap in peers)
    ratio = peer_seconds / seconds
    sent = peers[0].outcome["points"]
    failed = [failure for lap in laps for failure in lap.outcome["failed"]]
    complaint = "; ".join(failed) or _complaint(own, vendors)
    yield Row(
        "mlflow",
        f"archive → MLflow sqlite, {sent:,} points, synced",
        f"{seconds:.2f} s, {sent / seconds / 1e3:,.0f} k points/s",
        f"{MLFLOW} log_batch(1000): {peer_seconds:.1f} s",
        ratio,
        f"≥ {_TARGET:.0f} ×",
        "outputs differ" if complaint else verdict_on(ratio >= _TARGET),
        complaint or "all rows of `metrics` and `latest_metrics`, schema, indexes, pragmas",
        {
            "points": sent,
            "wall_seconds": [lap.lap_wall_seconds for lap in laps],
            "cpu_seconds": [lap.lap_cpu_seconds for lap in laps],
            "peer_wall_seconds": [lap.lap_wall_seconds for lap in peers],
            "peer_cpu_seconds": [lap.lap_cpu_seconds for lap in peers],
        },
    )


def _make(database: Path) -> None:
    child.work(MLFLOW.python, "make_database.py", database, on_cores=2)


def _push(archive: Path, database: Path) -> child.Result:
    """A first push: the database is new, and the archive's ledger knows of none."""
    database.unlink(missing_ok=True)
    for ledger in archive.glob("ledger.sqlite*"):
        ledger.unlink()
    _make(database)
    return child.ours("push.py", archive, database, on_cores=2)


_STATE = (
    "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name",
    "PRAGMA journal_mode",
    "PRAGMA page_size",
    "PRAGMA integrity_check",
    "SELECT key, value, timestamp, step, is_nan FROM latest_metrics ORDER BY key",
    "SELECT key, value, timestamp, step, is_nan FROM metrics ORDER BY key, step, timestamp, value",
)


def _complaint(ours: Path, vendors: Path) -> str:
    """The first thing that is not the same in both databases; empty when all is."""
    with closing(sqlite3.connect(ours)) as left, closing(sqlite3.connect(vendors)) as right:
        for query in _STATE:
            for own, theirs in zip_longest(left.execute(query), right.execute(query)):
                if own != theirs:
                    return f"{query}: {own} ≠ {theirs}"
    return ""

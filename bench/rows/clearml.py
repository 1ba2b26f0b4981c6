"""Offline sessions of ClearML authored from an archive, beside the vendor's own reporter."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bench import child, generate
from bench.environments import CLEARML
from bench.report import Row, verdict_on
from bench.scratch import scratch
from bench.size import Size

_RATIO = 50.0
_METRICS = 20
_SLOWER = 20
"""The reporter logs so many times fewer steps: it takes a millisecond for each value."""


def measure(size: Size) -> Iterator[Row]:
    """By values a second, on the same two cores; both sessions' events are read by `json`."""
    archive, own, theirs = (scratch(f"clearml-{name}") for name in ("archive", "ours", "vendors"))
    steps = max(50, size.authored_steps // _SLOWER)
    source = generate.logged_run(size.authored_steps, _METRICS)
    child.ours("pull.py", source, archive, 1, on_cores=2)
    lap = child.ours("push_folder.py", "clearml", archive, own, on_cores=2)
    if lap.outcome["failed"]:
        raise child.ChildFailed(f"nothing was authored: {lap.outcome['failed'][0]}")
    theirs.mkdir()
    peer = child.work(
        CLEARML.python, "log_clearml.py", steps, _METRICS, on_cores=2,
        CLEARML_OFFLINE_MODE="1", CLEARML_CACHE_DIR=str(theirs), HOME=str(theirs),
        CLEARML_CONFIG_FILE=str(theirs / "none.conf"),
    )  # fmt: skip
    written, logged = _series(next(own.glob("offline-*/"))), _series(Path(peer.outcome["session"]))
    values, peer_values = (sum(count for count, _ in one.values()) for one in (written, logged))
    is_whole = peer_values == steps * _METRICS and values >= size.authored_steps * _METRICS
    rate = values / lap.lap_wall_seconds
    peer_rate = peer_values / peer.lap_wall_seconds
    yield Row(
        "clearml",
        f"archive → offline session, {values:,} values, with zip, synced",
        f"{lap.lap_wall_seconds:.3f} s, {rate:,.0f} values/s",
        f"{CLEARML} report_scalar, {peer_values:,} values: {peer_rate:,.0f} values/s",
        rate / peer_rate,
        f"≥ {_RATIO:.0f} ×",
        verdict_on(rate >= _RATIO * peer_rate) if is_whole else "outputs differ",
        "by Python's json: every event that was logged is there, in both",
        {
            "wall_seconds": [lap.lap_wall_seconds], "values": values,
            "peer_wall_seconds": [peer.lap_wall_seconds], "peer_values": peer_values,
        },
    )  # fmt: skip
    for place in (archive, own, theirs):
        scratch(place.name)


def _series(session: Path) -> Mapping[str, Any]:
    read = child.ours("clearml_events.py", session / "metrics.jsonl", on_cores=2)
    return read.outcome

"""Into the archive, beside those who merely load: everything synced, values read back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median

from bench import child
from bench.environments import TENSORBOARD
from bench.report import Row
from bench.rows.tensorboard.equality import verdict
from bench.rows.tensorboard.laps import WORKERS, Events, Laps, wall

_ACCUMULATOR, _SERVER = 60.0, 4.0


def rows(events: Events, laps: Laps) -> Iterator[Row]:
    """Wall time of both sides; the vendor's loading ends before anything is asked of it."""
    loading = [float(lap.outcome["load_wall_seconds"]) for lap in laps.accumulator]
    peer = f"{TENSORBOARD} EventAccumulator, loading alone"
    yield _row(events, laps, peer, laps.accumulator, loading, _ACCUMULATOR)
    peer = f"data-server {TENSORBOARD.version_of('tensorboard-data-server')}, 2 cores"
    yield _row(events, laps, peer, laps.server, wall(laps.server), _SERVER)


def _row(
    events: Events,
    laps: Laps,
    peer: str,
    theirs: Sequence[child.Result],
    peer_seconds: Sequence[float],
    target: float,
) -> Row:
    own_seconds = wall(laps.pulled)
    seconds, others = median(own_seconds), median(peer_seconds)
    ratio = others / seconds
    judged, compared = verdict(ratio >= target, laps.pulled, theirs[0].outcome)
    return Row(
        "tensorboard",
        f"{events.name} → archive, 2 cores, {WORKERS} workers, synced",
        f"{seconds:.3f} s",
        f"{peer}: {others:.2f} s",
        ratio,
        f"≥ {target:.0f} ×",
        judged,
        compared,
        {"wall_seconds": own_seconds, "peer_wall_seconds": list(peer_seconds)},
    )

"""To columns: the extension and the reader, beside everybody who can tell all points."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median

from bench import child
from bench.environments import TBPARSE, TENSORBOARD
from bench.report import Row
from bench.rows.tensorboard.equality import verdict
from bench.rows.tensorboard.laps import Events, Laps, cpu, wall

_ACCUMULATOR, _TBPARSE, _SERVER = 140.0, 150.0, 10.0


def rows(events: Events, laps: Laps) -> Iterator[Row]:
    """Libraries by processor time on one core; the server, which has two, by wall time."""
    server = f"data-server {TENSORBOARD.version_of('tensorboard-data-server')}"
    for name, own in (("the extension", laps.native), ("the reader", laps.reader)):
        work = f"{events.name} → Arrow, 1 core ({name})"
        for peer, theirs, target in (
            (f"{TENSORBOARD} EventAccumulator", laps.accumulator, _ACCUMULATOR),
            (str(TBPARSE), laps.tbparse, _TBPARSE),
            (f"{TENSORBOARD} EventFileLoader", laps.loader, None),
        ):
            yield _row(work, own, cpu(own), peer, theirs, cpu(theirs), target)
        peak = max(lap.outcome["server_peak_rss_bytes"] for lap in laps.server) / 1e6
        peer = f"{server}, 2 cores, {peak:,.0f} MB"
        yield _row(work, own, wall(own), peer, laps.server, wall(laps.server), _SERVER)
        peer = f"{server} --checksum"
        checking = laps.checking_server
        yield _row(work, own, wall(own), peer, checking, wall(checking), None)


def _row(
    work: str,
    own: Sequence[child.Result],
    own_seconds: Sequence[float],
    peer: str,
    theirs: Sequence[child.Result],
    peer_seconds: Sequence[float],
    target: float | None,
) -> Row:
    seconds, others = median(own_seconds), median(peer_seconds)
    ratio = others / seconds
    judged, compared = verdict(target is None or ratio >= target, own, theirs[0].outcome)
    return Row(
        "tensorboard",
        work,
        f"{seconds:.3f} s",
        f"{peer}: {others:.2f} s",
        ratio,
        "—" if target is None else f"≥ {target:.0f} ×",
        "no target" if target is None and judged == "met" else judged,
        compared,
        {
            "seconds": list(own_seconds),
            "peer_seconds": list(peer_seconds),
            "peak_rss_bytes": [lap.peak_rss_bytes for lap in own],
            "peer_peak_rss_bytes": [
                lap.outcome.get("server_peak_rss_bytes", lap.peak_rss_bytes) for lap in theirs
            ],
        },
    )

"""A project of trackio authored from an archive, beside the vendor's own bulk call."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bench import child, generate
from bench.environments import TRACKIO
from bench.pushing import in_turns, push_anew
from bench.report import Row, verdict_on
from bench.scratch import scratch
from bench.size import Size

_RATIO = 1.3
_METRICS = 20


def measure(size: Size) -> Iterator[Row]:
    """By seconds a value, in turns, on the same two cores; both databases are read by `sqlite3`."""
    archive, own, theirs = (scratch(f"trackio-{name}") for name in ("archive", "ours", "vendors"))
    steps = size.authored_steps
    child.ours("pull.py", generate.logged_run(steps, _METRICS), archive, 1, on_cores=2)
    turns = in_turns(
        lambda: push_anew("trackio", archive, own, below="bench"), lambda: _stored(theirs, steps)
    )
    values, peer_values = (_values(place / "bench.db") for place in (own, theirs))
    is_whole = peer_values == steps * _METRICS and values >= peer_values
    cost, peer_cost = turns.seconds / values, turns.peer_seconds / peer_values
    yield Row(
        "trackio",
        f"archive → project, {values:,} values, with the exact run, synced",
        f"{turns.seconds:.3f} s, {1 / cost:,.0f} values/s",
        f"{TRACKIO} bulk_log, {peer_values:,} values: {1 / peer_cost:,.0f} values/s",
        cost / peer_cost,
        f"≤ {_RATIO} ×",
        verdict_on(cost <= _RATIO * peer_cost) if is_whole else "outputs differ",
        "by Python's sqlite3 and json: every value that was logged is there, in both",
        {**turns.figures(), "values": values, "peer_values": peer_values},
    )
    for place in (archive, own, theirs):
        scratch(place.name)


def _stored(folder: Path, steps: int) -> child.Result:
    scratch(folder.name)
    return child.work(
        *(TRACKIO.python, "log_trackio.py", steps, _METRICS),
        on_cores=2,
        TRACKIO_DIR=str(folder),
        HOME=str(folder),
        HF_HUB_OFFLINE="1",
    )


def _values(database: Path) -> int:
    return int(child.ours("trackio_rows.py", database, on_cores=2).outcome["values"])

"""Event files written: an archive pushed, beside tensorboardX's `add_scalar`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from statistics import median

from bench import child, generate
from bench.environments import TENSORBOARD, TENSORBOARDX
from bench.event_file import EventsShape
from bench.report import Row
from bench.rows.tensorboard.equality import verdict
from bench.rows.tensorboard.laps import cpu, wall
from bench.scratch import scratch
from bench.size import Size

_TARGET = 20.0
_TAGS = 20


def measure(size: Size) -> Iterator[Row]:
    """Both write the same float32 scalars on two cores and sync; both are read by the vendor."""
    source = generate.event_file(EventsShape(size.written_points // _TAGS, _TAGS))
    archive, points = scratch("events-archive"), scratch("events-points.npz")
    child.ours("events_pull.py", source.parent, archive, 1, on_cores=2)
    child.ours("events_points.py", archive, points, on_cores=1)
    own, vendors = scratch("events-ours"), scratch("events-vendors")
    laps, peers = [], []
    for _ in range(3):
        laps.append(_push(archive, own))
        vendors = scratch("events-vendors")
        peers.append(
            child.work(TENSORBOARDX.python, "events_tensorboardx.py", points, vendors, on_cores=2)
        )
    theirs = [_read(vendors)]
    seconds, others = median(wall(laps)), median(wall(peers))
    ratio = others / seconds
    judged, compared = verdict(ratio >= _TARGET, [_read(own)], theirs[0].outcome)
    failed = [failure for lap in laps for failure in lap.outcome["failed"]]
    count = _TAGS * (size.written_points // _TAGS)
    yield Row(
        "tensorboard",
        f"archive → event file, {count:,} scalars of {_TAGS} tags, synced",
        f"{seconds:.3f} s, {count / seconds / 1e6:.1f} M points/s",
        f"{TENSORBOARDX} add_scalar, with crc32c: {others:.1f} s",
        ratio,
        f"≥ {_TARGET:.0f} ×",
        "outputs differ" if failed else judged,
        "; ".join(failed) or f"by {TENSORBOARD} EventFileLoader: {compared}",
        {
            "wall_seconds": wall(laps),
            "cpu_seconds": cpu(laps),
            "peer_wall_seconds": wall(peers),
            "peer_cpu_seconds": cpu(peers),
        },
    )
    scratch("events-archive")


def _push(archive: Path, folder: Path) -> child.Result:
    """A first push: nothing is there, and the archive's ledger knows of none."""
    scratch(folder.name)
    for ledger in archive.glob("ledger.sqlite*"):
        ledger.unlink()
    return child.ours("push_folder.py", "tensorboard", archive, folder, "*tfevents*", on_cores=2)


def _read(folder: Path) -> child.Result:
    """What the vendor reads in the only event file of a folder that holds points."""
    (file,) = folder.rglob("*tfevents*")
    return child.work(TENSORBOARD.python, "events_loader.py", file, on_cores=1)

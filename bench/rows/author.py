"""A `.wandb` file authored from an archive, beside logging the same through the vendor's client."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import median
from typing import Any

from bench import child, generate
from bench.environments import WANDB
from bench.report import Row, verdict_on
from bench.scratch import scratch
from bench.size import Size

_RATE = 5e6  # values a second
_RATIO = 50.0
_METRICS = 20
_FACTS = ("history", "step_sum", "time_us_sum", "stats", "console", "summary")


def measure(size: Size) -> Iterator[Row]:
    """In turns, three times, on the same two cores; both files are decoded by us afterwards."""
    source = generate.logged_run(size.authored_steps, _METRICS)
    archive, own, theirs, bare = (
        scratch(f"author-{name}") for name in ("archive", "ours", "vendors", "extension")
    )
    child.ours("pull.py", source, archive, 1, on_cores=2)
    laps, peers, alone = [], [], []
    for _ in range(3):
        laps.append(_push(archive, own))
        scratch(bare.name)
        alone.append(child.ours("wandb_author.py", archive, bare, on_cores=1))
        scratch(theirs.name).mkdir()
        peers.append(generate.log_offline(theirs, size.authored_steps, _METRICS))
    failed = [failure for lap in laps for failure in lap.outcome["failed"]]
    if failed:
        raise child.ChildFailed(f"nothing was authored: {failed[0]}")
    read = _read(own)
    different = differences(read, _decoded(source)) + other_values(read, _read(theirs))
    different += _of_series(_read(bare)["series"], read["series"])
    compared = "; ".join(different[:3]) or (
        "by our reader: counts and exact sums of all series, rows, steps, times, summary, console;"
        " of the client's, and of the extension's, by counts and sums"
    )
    seconds = median(lap.lap_wall_seconds for lap in laps)
    peer_seconds = median(lap.lap_wall_seconds for lap in peers)
    values = sum(count for name, (count, _) in read["series"].items() if name.startswith("user:"))
    figures = {
        "wall_seconds": [lap.lap_wall_seconds for lap in laps],
        "cpu_seconds": [lap.lap_cpu_seconds for lap in laps],
        "peer_wall_seconds": [lap.lap_wall_seconds for lap in peers],
        "values": values,
    }
    ratio, shape = peer_seconds / seconds, f"{size.authored_steps:,} steps × {_METRICS} metrics"
    yield Row(
        "author",
        f"archive → .wandb, {shape}, synced",
        f"{seconds:.3f} s, {values / seconds / 1e6:.1f} M values/s",
        f"{WANDB} run.log, offline: {peer_seconds:.1f} s",
        ratio,
        f"≥ {_RATIO:.0f} ×",
        "outputs differ" if different else verdict_on(ratio >= _RATIO),
        compared,
        figures,
    )
    bare_seconds = median(lap.lap_wall_seconds for lap in alone)
    rate = values / bare_seconds
    yield Row(
        "author",
        f"rows in memory → .wandb, {shape}, the extension alone, 1 core, synced",
        f"{bare_seconds:.3f} s, {rate / 1e6:.1f} M values/s",
        "—",
        None,
        f"≥ {_RATE / 1e6:.0f} M values/s",
        "outputs differ" if different else verdict_on(rate >= _RATE),
        f"{compared}; processor time {median(lap.lap_cpu_seconds for lap in alone):.3f} s",
        {
            "wall_seconds": [lap.lap_wall_seconds for lap in alone],
            "cpu_seconds": [lap.lap_cpu_seconds for lap in alone],
        },
    )
    for place in (archive, own, theirs, bare):
        scratch(place.name)


def _push(archive: Path, folder: Path) -> child.Result:
    """A first push: nothing is there, and the archive's ledger knows of none."""
    scratch(folder.name)
    for ledger in archive.glob("ledger.sqlite*"):
        ledger.unlink()
    return child.ours("push_folder.py", "wandb", archive, folder, "*.wandb", on_cores=2)


def _read(folder: Path) -> Mapping[str, Any]:
    (file,) = folder.rglob("*.wandb")
    return _decoded(file)


def _decoded(file: Path) -> Mapping[str, Any]:
    return child.ours("decode_reader.py", file, on_cores=2).outcome


def differences(ours: Mapping[str, Any], source: Mapping[str, Any]) -> list[str]:
    """What is not as it was in the file that was pulled."""
    found = [
        f"{name}: {ours[name]} ≠ {source[name]}" for name in _FACTS if ours[name] != source[name]
    ]
    return found + _of_series(ours["series"], source["series"])


def other_values(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> list[str]:
    """What of the metrics the client logged otherwise; its clock is another one."""
    metrics = [
        {name: facts for name, facts in one["series"].items() if name.startswith("user:train/")}
        for one in (ours, theirs)
    ]
    return _of_series(*metrics)


def _of_series(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> list[str]:
    return [
        f"{name}: {ours.get(name)} ≠ {theirs.get(name)}"
        for name in sorted({*ours, *theirs})
        if ours.get(name) != theirs.get(name)
    ]

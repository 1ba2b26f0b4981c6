"""A long history downloaded, beside the vendor's `scan_history`."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from bench import child
from bench.environments import WANDB
from bench.report import Row, verdict_on
from bench.scratch import scratch
from bench.served import LONG, fresh, in_words, long_history, raw, served
from bench.size import Size

_TARGET = 10.0
_COMPARED = ("series", "history", "step_sum", "time_us_sum")


def measure(size: Size) -> Iterator[Row]:
    """Both ask the same server, in turns; each time of the vendor's with an empty cache."""
    folder = long_history(size.history_rows)
    most = raw(folder)
    ours, archived, theirs = [], [], []
    with served(folder) as service:
        for _ in range(3):
            ours.append(_work(sys.executable, "service_read.py", LONG, **service.environment))
            archive = str(scratch("service-archive"))
            archived.append(
                _work(sys.executable, "pull.py", LONG, archive, "1", **service.environment)
            )
            with TemporaryDirectory(prefix="bench-home-") as home:
                variables = fresh(service, Path(home))
                theirs.append(_work(WANDB.python, "service_scan.py", LONG, **variables))
    scratch("service-archive")
    different = differences(ours[-1].outcome, theirs[-1].outcome) + _wrong(archived[-1].outcome)
    values = sum(count for count, _ in ours[-1].outcome["series"].values())
    for name, laps in (("Arrow", ours), ("archive, synced", archived)):
        seconds = median(lap.lap_wall_seconds for lap in laps)
        peer_seconds = median(lap.lap_wall_seconds for lap in theirs)
        ratio = peer_seconds / seconds
        yield Row(
            "service",
            f"{size.history_rows:,} rows × 25 columns of the service → {name}",
            f"{seconds:.2f} s, {values / seconds / 1e6:.1f} M values/s",
            f"{WANDB} scan_history → dictionaries: {peer_seconds:.2f} s",
            ratio,
            f"≥ {_TARGET:.0f} ×",
            "outputs differ" if different else verdict_on(ratio >= _TARGET),
            "; ".join(different[:3])
            or f"counts and exact sums of all series, steps, times; {in_words(most)}",
            {
                "wall_seconds": [lap.lap_wall_seconds for lap in laps],
                "cpu_seconds": [lap.lap_cpu_seconds for lap in laps],
                "peer_wall_seconds": [lap.lap_wall_seconds for lap in theirs],
                "stand_in_requests_per_second": most.requests_per_second,
                "stand_in_megabytes_per_second": most.megabytes_per_second,
            },
        )


def _work(python: Path | str, script: str, *arguments: str, **environment: str) -> child.Result:
    return child.work(python, script, *arguments, on_cores=2, **environment)


def differences(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> list[str]:
    """What is not the same in both; empty where nothing is."""
    found = [f"we report {loss}" for loss in ours["losses"]]
    for name in _COMPARED:
        if name != "series" and ours[name] != theirs[name]:
            found.append(f"{name}: {ours[name]} ≠ {theirs[name]}")
    for name in sorted({*ours["series"], *theirs["series"]}):
        one, other = ours["series"].get(name), theirs["series"].get(name)
        if one != other:
            found.append(f"{name}: {one} ≠ {other}")
    return found


def _wrong(pulled: Mapping[str, Any]) -> list[str]:
    return [f"the archive: {what}" for what in [*pulled["failed"], *pulled["losses"]]]

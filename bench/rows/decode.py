"""`.wandb` to Arrow columns on one core: ours, the seed's way on wandb 0.29, `leet inspect`."""

from __future__ import annotations

import json
import math
import subprocess
from array import array
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import median
from typing import Any

from bench import child, generate
from bench.environments import WANDB, WANDB_SEED
from bench.report import Row, verdict_on
from bench.size import Size

_SEED_TARGET, _LEET_TARGET, _RATE_TARGET = 80.0, 15.0, 10e6


def measure(size: Size) -> Iterator[Row]:
    """Every program on the same core, in turns: ours before, between and after the peers."""
    file = generate.logged_run(size.decode_steps, 20)
    file.read_bytes()  # everybody finds it in the page cache
    native, reader = [], []

    def ours() -> None:
        native.append(child.ours("decode_native.py", file, on_cores=1))
        reader.append(child.ours("decode_reader.py", file, on_cores=1))

    ours()
    ours()
    seed = child.work(WANDB_SEED.python, "decode_seed.py", file, on_cores=1)
    ours()
    leet = child.run(_leet(file), on_cores=1, keep_output=False)
    ours()
    ours()

    expected = dict(seed.outcome)
    told = _outcome_of_leet(file)
    values = sum(count for count, _ in expected["series"].values()) + 2 * expected["history"]
    file_mb = file.stat().st_size / 1e6
    work = f".wandb, {expected['history']:,} steps × 20 metrics, {file_mb:,.0f} MB → Arrow, 1 core"
    for name, laps in (("the extension", native), ("the reader", reader)):
        differences = [
            difference
            for lap in laps
            for peer_outcome in (expected, told)
            for difference in _differences(lap.outcome, peer_outcome)
        ]
        seconds = median(lap.lap_cpu_seconds for lap in laps)
        wall = median(lap.lap_wall_seconds for lap in laps)
        figures = {
            "values": values,
            "cpu_seconds": [lap.lap_cpu_seconds for lap in laps],
            "wall_seconds": [lap.lap_wall_seconds for lap in laps],
        }
        for peer, lap_seconds, target in (
            (f"{WANDB_SEED}, seed's way", seed.lap_cpu_seconds, _SEED_TARGET),
            (f"{WANDB} leet inspect --json", leet.cpu_seconds, _LEET_TARGET),
        ):
            ratio = lap_seconds / seconds
            yield Row(
                "decode",
                f"{work} ({name})",
                f"{seconds:.3f} s",
                f"{peer}: {lap_seconds:.1f} s",
                ratio,
                f"≥ {target:.0f} ×",
                "outputs differ" if differences else verdict_on(ratio >= target),
                "; ".join(differences[:3]) or _COMPARED,
                {**figures, "peer_cpu_seconds": lap_seconds},
            )
        yield Row(
            "decode",
            f"{work} ({name})",
            f"{values / wall / 1e6:.1f} M values/s",
            "—",
            None,
            f"≥ {_RATE_TARGET / 1e6:.0f} M values/s",
            "outputs differ" if differences else verdict_on(values / wall >= _RATE_TARGET),
            "values: every item of history (with _step, _timestamp, _runtime) and of stats",
            figures,
        )


_COMPARED = "count and exact sum of every series, rows, steps, times to 1 µs, last summary, records"


def _leet(file: Path) -> list[str | Path]:
    """The binary itself, without the Python command in front of it that costs it 0.5 s."""
    core = WANDB.file("wandb/bin/wandb-core")
    return [core, "leet", "inspect", "-json", "-no-observability", "-run-file", file]


def _outcome_of_leet(file: Path) -> dict[str, Any]:
    """What `leet inspect --json` tells, read from a second, untimed run of it."""
    values: dict[str, array[float]] = defaultdict(lambda: array("d"))
    counts: dict[str, int] = defaultdict(int)
    step_sum = time_us_sum = 0
    with subprocess.Popen(_leet(file), stdout=subprocess.PIPE) as told:
        assert told.stdout is not None
        for line in told.stdout:
            record = json.loads(line)
            kind = record["type"]
            counts[kind] += 1
            if kind == "history":
                row = record["history"]["item"]
                step_sum += row.pop("_step")
                time_us_sum += round(row.pop("_timestamp") * 1e6)
                for key, value in row.items():
                    values[f"user:{key}"].append(value)
            elif kind == "stats":
                for key, value in record["stats"]["item"].items():
                    values[f"system:{key}"].append(value)
    return {
        "series": {key: [len(column), math.fsum(column)] for key, column in values.items()},
        "history": counts["history"],
        "stats": counts["stats"],
        "step_sum": step_sum,
        "time_us_sum": time_us_sum,
        "records": counts,
    }


def _differences(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> list[str]:
    """What is not the same in both; empty where all is."""
    different = []
    for fact in ("series", "history", "stats", "step_sum", "summary"):
        if fact in theirs and ours[fact] != theirs[fact]:
            different.append(f"{fact}: {_excerpt(ours[fact], theirs[fact])}")
    # the source's times are float64 seconds: a microsecond can fall either way
    if abs(ours["time_us_sum"] - theirs["time_us_sum"]) > ours["history"]:
        different.append(f"times: {ours['time_us_sum']} and {theirs['time_us_sum']}")
    counted = {kind: theirs["records"].get(kind, 0) for kind in ours.get("records", ())}
    if ours.get("records", {}) != counted:
        different.append(f"records: {_excerpt(ours['records'], counted)}")
    if ours["console"] != theirs["records"].get("output_raw", 0):
        different.append(f"console lines: {ours['console']}")
    if ours.get("damage") or ours.get("losses"):
        different.append(f"we report damage: {ours.get('damage') or ours.get('losses')}")
    return different


def _excerpt(ours: Any, theirs: Any) -> str:
    if isinstance(ours, dict) and isinstance(theirs, dict):
        names = [key for key in {*ours, *theirs} if ours.get(key) != theirs.get(key)][:3]
        return ", ".join(f"{key} {ours.get(key)} ≠ {theirs.get(key)}" for key in names)
    return f"{ours} ≠ {theirs}"

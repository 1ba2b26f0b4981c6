"""`.wandb` to Arrow columns on one core: ours, the seed's way on wandb 0.29, `leet inspect`."""

from __future__ import annotations

import json
import math
import subprocess
from array import array
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from bench import child, generate
from bench.environments import WANDB, WANDB_SEED
from bench.report import Row, verdict_on
from bench.size import Size

_SEED_TARGET, _LEET_TARGET, _RATE_TARGET = 80.0, 15.0, 10e6


@dataclass
class _Laps:
    """Every measurement of this row, in the order in which they were made."""

    native: list[child.Result] = field(default_factory=list)
    reader: list[child.Result] = field(default_factory=list)
    whole_native: list[child.Result] = field(default_factory=list)
    whole_reader: list[child.Result] = field(default_factory=list)
    seed: list[child.Result] = field(default_factory=list)
    leet: list[child.Result] = field(default_factory=list)


def measure(size: Size) -> Iterator[Row]:
    """Every program on the same core, in turns: ours before, between and after the peers.

    The seed's way is compared by the lap that decodes, `leet` as a whole process with a whole
    process of ours, start and imports and all.
    """
    file = generate.logged_run(size.decode_steps, 20)
    file.read_bytes()  # everybody finds it in the page cache
    laps = _laps_of(file)
    expected, told = laps.seed[0].outcome, _outcome_of_leet(file)
    values = sum(count for count, _ in expected["series"].values()) + 2 * expected["history"]
    file_mb = file.stat().st_size / 1e6
    work = f".wandb, {expected['history']:,} steps × 20 metrics, {file_mb:,.0f} MB → Arrow, 1 core"
    for name, own, whole in (
        ("the extension", laps.native, laps.whole_native),
        ("the reader", laps.reader, laps.whole_reader),
    ):
        lapped = [lap.lap_cpu_seconds for lap in own]
        seed = [lap.lap_cpu_seconds for lap in laps.seed]
        named = f"{WANDB_SEED}, seed's way"
        yield _ratio(f"{work} ({name})", lapped, named, seed, _SEED_TARGET, own, expected)
        processes = [process.cpu_seconds for process in whole]
        leet = [process.cpu_seconds for process in laps.leet]
        named = f"{WANDB} leet inspect --json"
        yield _ratio(
            f"{work} ({name}, whole process)", processes, named, leet, _LEET_TARGET, own, told
        )
        yield _rate(f"{work} ({name})", values, own, expected)


def _laps_of(file: Path) -> _Laps:
    laps = _Laps()
    for turn in range(3):
        laps.native.append(child.ours("decode_native.py", file, on_cores=1))
        laps.reader.append(child.ours("decode_reader.py", file, on_cores=1))
        if turn < 2:  # minutes each
            laps.seed.append(child.work(WANDB_SEED.python, "decode_seed.py", file, on_cores=1))
        laps.whole_native.append(child.ours("decode_native.py", file, "only", on_cores=1))
        laps.leet.append(child.run(_leet(file), on_cores=1, keep_output=False))
        laps.whole_reader.append(child.ours("decode_reader.py", file, "only", on_cores=1))
    return laps


def _ratio(
    work: str,
    own_seconds: Sequence[float],
    peer: str,
    peer_seconds: Sequence[float],
    target: float,
    own: Sequence[child.Result],
    theirs: Mapping[str, Any],
) -> Row:
    seconds, others = median(own_seconds), median(peer_seconds)
    differences = [found for lap in own for found in _differences(lap.outcome, theirs)]
    return Row(
        "decode",
        work,
        f"{seconds:.3f} s",
        f"{peer}: {others:.1f} s",
        others / seconds,
        f"≥ {target:.0f} ×",
        "outputs differ" if differences else verdict_on(others / seconds >= target),
        "; ".join(differences[:3]) or _compared(own[0].outcome, theirs),
        {"cpu_seconds": list(own_seconds), "peer_cpu_seconds": list(peer_seconds)},
    )


def _rate(work: str, values: int, own: Sequence[child.Result], theirs: Mapping[str, Any]) -> Row:
    rate = values / median(lap.lap_wall_seconds for lap in own)
    differences = [found for lap in own for found in _differences(lap.outcome, theirs)]
    return Row(
        "decode",
        work,
        f"{rate / 1e6:.1f} M values/s",
        "—",
        None,
        f"≥ {_RATE_TARGET / 1e6:.0f} M values/s",
        "outputs differ" if differences else verdict_on(rate >= _RATE_TARGET),
        "values: every item of history (with _step, _timestamp, _runtime) and of stats",
        {"values": values, "wall_seconds": [lap.lap_wall_seconds for lap in own]},
    )


_FACTS = {
    "series": "count and exact sum of every series",
    "history": "rows",
    "stats": "rows of machine statistics",
    "step_sum": "sum of steps",
    "time_us_sum": "times to 1 µs",
    "summary": "last value of every summary key",
    "console": "console lines",
    "records": "count of each other record type",
}


def _compared(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> str:
    """What this comparison has looked at: the facts that both sides state."""
    stated = {*theirs, "console"}  # lines are counted among the peer's records
    return ", ".join(words for fact, words in _FACTS.items() if fact in ours and fact in stated)


def _leet(file: Path) -> list[str | Path]:
    """The binary itself, without the Python command in front of it that costs it 0.5 s."""
    core = WANDB.file("wandb/bin/wandb-core")
    return [core, "leet", "inspect", "-json", "-no-observability", "-run-file", file]


def _outcome_of_leet(file: Path) -> dict[str, Any]:
    """What `leet inspect --json` tells, read from a second, untimed run of it."""
    values: dict[str, array[float]] = defaultdict(lambda: array("d"))
    counts: dict[str, int] = defaultdict(int)
    summary: dict[str, Any] = {}
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
            elif kind == "summary":
                for key, value in record["summary"]["update"].items():
                    nested = key.startswith("_wandb.")  # the one tree in it, joined with a dot
                    summary[key.replace(".", "/", 1) if nested else key] = value
            elif kind == "stats":
                for key, value in record["stats"]["item"].items():
                    values[f"system:{key}"].append(value)
    return {
        "series": {key: [len(column), math.fsum(column)] for key, column in values.items()},
        "history": counts["history"],
        "stats": counts["stats"],
        "step_sum": step_sum,
        "time_us_sum": time_us_sum,
        "summary": summary,
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

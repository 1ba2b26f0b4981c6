"""Into Neptune: the two migrations of the seeds, over lines as slow as theirs.

Neptune is simulated, as `work/neptune_server.py` says: the vendor's client is real, the server is
its in-memory backend behind round trips and a bandwidth that are slept through.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import median
from typing import Any

from bench import child
from bench.report import Row, verdict_on
from bench.scratch import scratch
from bench.served import Headline, headline, in_words, model_files, raw, served
from bench.size import Size

_DOWN, _UP = 340e6 / 8, 110e6 / 8  # bytes a second, as both seeds measured
_SECONDS, _SEED_SECONDS = 3.0, 30.0
_LATENCY_MS, _MODELS_LATENCY_MS = 19, 28
_WORKERS = 20  # as the seeds used
_SEED_MODELS = {20: "≈ 60 s", 1: "≈ 6 min"}  # without a check of what arrived
_BOUND = 0.80  # of the time, at least, is the bandwidth's


def measure(size: Size) -> Iterator[Row]:
    """Whole processes, start and imports and all, as the seeds' scripts were measured."""
    yield _headline(size)
    yield from _models(size)


# --- W&B to Neptune


def _headline(size: Size) -> Row:
    work = headline(size.headline_runs)
    most = raw(work.folder)
    results = []
    with served(
        work.folder, "--latency", f"{_LATENCY_MS}ms", "--bandwidth", f"{_DOWN:.0f}"
    ) as service:
        for _ in range(3):
            results.append(_converted(service.environment))
    seconds = median(result.wall_seconds for result in results)
    asked = sum(n for name, n in service.apart.asked.items() if not name.startswith("status:"))
    line = results[-1].outcome["line"]
    alone = median(_client_alone(work.facts).wall_seconds for _ in range(3))
    complaint = next(filter(None, (_complaint(result, work.facts) for result in results)), "")
    return Row(
        "neptune",
        f"{_described(work)}, wandb: → neptune:, {_LATENCY_MS} ms a request of both ends, verified,"
        f" workers: {_WORKERS}",
        f"{seconds:.2f} s, of which convert {median(r.lap_wall_seconds for r in results):.2f} s",
        f"the seed's script: ≈ {_SEED_SECONDS:.0f} s",
        _SEED_SECONDS / seconds,
        f"≤ {_SECONDS:.0f} s",
        "outputs differ" if complaint else verdict_on(seconds <= _SECONDS),
        complaint
        or "runs, projects, values and their exact sum, lines, files and their bytes, as the "
        f"simulated Neptune holds them; {asked / len(results):,.0f} requests of W&B, "
        f"{line['requests']:,} of Neptune; Neptune's client alone, given the same at hand: "
        f"{alone:.2f} s; {in_words(most)}",
        {
            "wall_seconds": [result.wall_seconds for result in results],
            "client_alone_wall_seconds": alone,
            "convert_wall_seconds": [result.lap_wall_seconds for result in results],
            "cpu_seconds": [result.cpu_seconds for result in results],
            "line": line,
        },
    )


def _described(work: Headline) -> str:
    facts = work.facts
    kilobytes = (facts["bytes"] + 8 * facts["points"]) / 1e3
    return f"{facts['runs']} runs in {facts['projects']} projects, {kilobytes:,.0f} kB"


def _converted(environment: Mapping[str, str]) -> child.Result:
    archive = scratch("neptune-archive")
    line = _line(_LATENCY_MS)
    arguments = ("wandb:", "neptune:simulated", str(archive), str(_WORKERS), line)
    result = child.work(sys.executable, "neptune_convert.py", *arguments, on_cores=2, **environment)
    scratch("neptune-archive")
    return result


def _client_alone(facts: Mapping[str, Any]) -> child.Result:
    """What the vendor's client takes for as much, if nobody reads, stages or verifies it."""
    runs, series = facts["runs"], 6
    each = (
        *(facts["projects"], runs, series, facts["points"] // runs // series),
        *(facts["lines"] // runs, facts["files"] // runs, facts["bytes"] // facts["files"]),
    )
    arguments = (str(_WORKERS), _line(_LATENCY_MS), *map(str, each))
    return child.work(sys.executable, "neptune_client.py", *arguments, on_cores=2)


def _line(latency_ms: int) -> str:
    return json.dumps(
        {
            "latency_seconds": latency_ms / 1e3,
            "down_bytes_per_second": _DOWN,
            "up_bytes_per_second": _UP,
        }
    )


def _complaint(result: child.Result, wanted: Mapping[str, Any]) -> str:
    found = result.outcome["facts"]
    wrong = [
        f"{name}: {found[name]} ≠ {wanted[name]}" for name in wanted if found[name] != wanted[name]
    ]
    return "; ".join(wrong)


# --- the model registry


def _models(size: Size) -> Iterator[Row]:
    files = model_files(size.models_mb)
    for workers in (_WORKERS, 1):
        archive = scratch("neptune-archive")
        line = _line(_MODELS_LATENCY_MS)
        result = child.ours(
            "neptune_convert.py",
            *(
                "neptune-models:simulated/models",
                "neptune:simulated/models",
                archive,
                workers,
                line,
                files,
            ),
            on_cores=2,
        )
        scratch("neptune-archive")
        yield _row_of_models(files, workers, result)


def _row_of_models(files: Path, workers: int, result: child.Result) -> Row:
    sizes = [file.stat().st_size for file in files.iterdir()]
    total = sum(sizes)
    moving, checking = total / _DOWN + total / _UP, total / _DOWN
    alone = moving + checking
    ratio = alone / result.wall_seconds
    wanted = {"runs": len(sizes), "files": len(sizes), "bytes": total, "points": 400 * len(sizes)}
    complaint = _complaint(result, wanted)
    line = result.outcome["line"]
    is_met = verdict_on(ratio >= _BOUND) if workers > 1 else "no target"
    return Row(
        "neptune",
        f"{len(sizes)} models and versions, {total / 1e6:,.0f} MB, neptune-models: → neptune:, "
        f"{_MODELS_LATENCY_MS} ms, verified, workers: {workers}",
        f"{result.wall_seconds:.1f} s",
        f"340/110 Mbit/s alone: {moving:.1f} s to move, {checking:.1f} s to read back "
        f"(the seed's script, which reads nothing back: {_SEED_MODELS[workers]})",
        ratio,
        f"≥ {_BOUND:.2f} of it the bandwidth's" if workers > 1 else "—",
        "outputs differ" if complaint else is_met,
        complaint
        or f"runs, values, files and bytes; {line['requests']:,} requests, "
        f"{line['down_bytes'] / 1e6:,.0f} MB down and {line['up_bytes'] / 1e6:,.0f} MB up",
        {"wall_seconds": result.wall_seconds, "cpu_seconds": result.cpu_seconds, "line": line},
    )

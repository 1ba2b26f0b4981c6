"""Many small runs into an archive, beside bare pyarrow writing and syncing the same columns."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from statistics import median

from bench import child, generate
from bench.report import Row, verdict_on
from bench.scratch import scratch
from bench.size import Size

_TARGET = 0.70
_STEPS, _METRICS, _WORKERS = 200, 5, 2


def measure(size: Size) -> Iterator[Row]:
    """In turns, on the same two cores, with as many threads on both sides, and with one."""
    source = generate.small_runs(size.small_runs, _STEPS, _METRICS)
    for file in source.rglob("*.wandb"):
        file.read_bytes()
    for workers in (_WORKERS, 1):
        yield _compared(size, source, workers)


def _compared(size: Size, source: Path, workers: int) -> Row:
    ours, bare = [], []
    for _ in range(3):
        archive = scratch("small-archive")
        ours.append(child.ours("pull.py", source, archive, workers, on_cores=2))
        folder = scratch("small-bare")
        bare.append(child.ours("write_bare.py", archive, folder, workers, on_cores=2))
    seconds = median(lap.lap_wall_seconds for lap in ours)
    bare_seconds = median(lap.lap_wall_seconds for lap in bare)
    ratio = bare_seconds / seconds
    complaint = _complaint(size, dict(ours[-1].outcome), dict(bare[-1].outcome))
    files = bare[-1].outcome["files"]
    points = size.small_runs * _STEPS * (_METRICS + 1)
    return Row(
        "small-runs",
        f"{size.small_runs:,} runs of {_STEPS} steps × {_METRICS} metrics → archive, synced, "
        f"workers: {workers}",
        f"{seconds:.2f} s, {seconds / size.small_runs * 1e3:.2f} ms a run",
        f"pyarrow ({workers} threads), {files:,} files of the same columns: {bare_seconds:.2f} s",
        ratio,
        f"≥ {_TARGET:.2f} × bare pyarrow",
        "outputs differ" if complaint else verdict_on(ratio >= _TARGET),
        complaint or f"files, rows and bytes of both; {points:,} points",
        {
            "wall_seconds": [lap.lap_wall_seconds for lap in ours],
            "cpu_seconds": [lap.lap_cpu_seconds for lap in ours],
            "peer_wall_seconds": [lap.lap_wall_seconds for lap in bare],
            "peer_cpu_seconds": [lap.lap_cpu_seconds for lap in bare],
            "files": files,
        },
    )


def _complaint(size: Size, ours: dict[str, int], bare: dict[str, int]) -> str:
    """What makes the comparison unequal; empty when nothing does."""
    wanted = {
        "runs": size.small_runs,
        "complete": size.small_runs,
        "points": size.small_runs * (_STEPS * (_METRICS + 1) + 4 * 3),  # four rows of stats
        "console": size.small_runs * 20,
        "failed": [],
    }
    wrong = {name: ours.get(name) for name, count in wanted.items() if ours.get(name) != count}
    if wrong:
        return f"stored {wrong}"
    if (bare["runs"], bare["points"]) != (ours["runs"], ours["points"]):
        return f"bare pyarrow wrote {bare}"
    if abs(bare["bytes"] / bare["archive_bytes"] - 1) > 0.02:
        return f"not encoded alike: {bare['bytes']:,} and {bare['archive_bytes']:,} bytes"
    return ""

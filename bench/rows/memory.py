"""The most memory that `runferry pull` and `runferry push` of one long run ever hold."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from bench import child, generate
from bench.report import Row, verdict_on
from bench.scratch import scratch
from bench.size import Size

_LIMIT_MB = 300.0
_FLAT = 1.15  # the long input may take this much more than the short one


def measure(size: Size) -> Iterator[Row]:
    """Whole processes of the command line, by the kernel's own account of resident memory."""
    pulls: dict[int, child.Result] = {}
    pushes: dict[int, child.Result] = {}
    for size_mb in size.memory_mb:
        source = generate.long_run(size_mb)
        archive, database = scratch("memory-archive"), scratch("memory.db")
        pulls[size_mb] = _runferry("pull", source, archive)
        pushes[size_mb] = _runferry("push", archive, f"mlflow:sqlite:///{database}")
        scratch("memory-archive")
        scratch("memory.db")
    yield _row("`.wandb` → archive", pulls)
    yield _row("archive → MLflow sqlite", pushes)


def _runferry(verb: str, source: Path, target: Path | str) -> child.Result:
    command = [sys.executable, "-m", "runferry", verb, str(source), str(target)]
    return child.run([*command, "--quiet", "--allow", "dropped"], on_cores=2)


def _row(work: str, results: dict[int, child.Result]) -> Row:
    short, long = results
    peaks = {size_mb: result.peak_rss_bytes / 1e6 for size_mb, result in results.items()}
    ratio = peaks[long] / peaks[short]
    return Row(
        "memory",
        f"{work}, peak resident memory, {short:,} MB and {long:,} MB of input",
        f"{peaks[short]:.0f} MB and {peaks[long]:.0f} MB",
        "—",
        ratio,
        f"< {_LIMIT_MB:.0f} MB, and ≤ {_FLAT} × the short input's",
        verdict_on(peaks[long] < _LIMIT_MB and ratio <= _FLAT),
        f"ru_maxrss of the whole process; {results[long].wall_seconds:.0f} s for the long one",
        {"peak_mb": peaks, "wall_seconds": {k: r.wall_seconds for k, r in results.items()}},
    )

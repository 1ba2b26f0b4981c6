"""The most memory that `runferry pull` of an event file holds, and of one ten times as long."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from bench import child, generate
from bench.report import Row, verdict_on
from bench.rows.tensorboard.laps import mixed_shape
from bench.scratch import scratch
from bench.size import Size

_LIMIT_MB = 300.0
_FLAT = 1.15  # the long input may take this much more than the short one
_TIMES = 10


def measure(size: Size) -> Iterator[Row]:
    """Whole processes of the command line, by the kernel's own account of resident memory."""
    sizes, results = [], []
    for steps in (size.mixed_steps, _TIMES * size.mixed_steps):
        file = generate.event_file(mixed_shape(steps))
        archive = scratch("memory-archive")
        command = [sys.executable, "-m", "runferry", "pull", str(file.parent), str(archive)]
        results.append(child.run([*command, "--quiet", "--allow", "dropped"], on_cores=2))
        sizes.append(file.stat().st_size / 1e6)
        scratch("memory-archive")
    peaks = [result.peak_rss_bytes / 1e6 for result in results]
    ratio = peaks[1] / peaks[0]
    yield Row(
        "tensorboard",
        f"event file → archive, peak resident memory, {sizes[0]:,.0f} MB and {sizes[1]:,.0f} MB",
        f"{peaks[0]:.0f} MB and {peaks[1]:.0f} MB",
        "—",
        ratio,
        f"< {_LIMIT_MB:.0f} MB, and ≤ {_FLAT} × the short input's",
        verdict_on(peaks[1] < _LIMIT_MB and ratio <= _FLAT),
        f"ru_maxrss of the whole process; {results[1].wall_seconds:.0f} s for the long one",
        {"peak_mb": peaks, "wall_seconds": [result.wall_seconds for result in results]},
    )

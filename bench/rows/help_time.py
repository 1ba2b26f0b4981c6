"""`runferry --help`: processor time, user and system, of the whole process."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from statistics import median

from bench import child
from bench.report import Row, verdict_on
from bench.size import Size

_TARGET_SECONDS = 0.15


def measure(size: Size) -> Iterator[Row]:
    """The median of some runs, after one that fills the page cache and the bytecode."""
    command = [sys.executable, "-m", "runferry", "--help"]
    child.run(command, on_cores=1)
    seconds = [child.run(command, on_cores=1).cpu_seconds for _ in range(size.help_runs)]
    yield Row(
        "help",
        "`runferry --help`, processor time",
        f"{median(seconds):.3f} s",
        "—",
        None,
        f"< {_TARGET_SECONDS} s",
        verdict_on(median(seconds) < _TARGET_SECONDS),
        f"median of {len(seconds)} whole processes",
        {"cpu_seconds": seconds},
    )

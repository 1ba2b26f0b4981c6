"""Times one piece of work inside a child, and tells the parent in one line of JSON.

Standard library only: it is imported by scripts that run in the peers' environments.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass
class Lap:
    """What the work inside `stopwatch` took; interpreter start and imports are outside of it."""

    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0


def _cpu_seconds() -> float:
    return sum(
        usage.ru_utime + usage.ru_stime
        for usage in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


@contextmanager
def stopwatch() -> Iterator[Lap]:
    """Wall and processor time (all threads, user and system) of the block."""
    lap = Lap()
    cpu, wall = _cpu_seconds(), time.perf_counter()
    yield lap
    lap.wall_seconds = time.perf_counter() - wall
    lap.cpu_seconds = _cpu_seconds() - cpu


def answer(lap: Lap, outcome: dict[str, object]) -> None:
    """The child's last line: what it took, and what came out, for the parent to compare."""
    report = {"wall_seconds": lap.wall_seconds, "cpu_seconds": lap.cpu_seconds, "outcome": outcome}
    sys.stdout.write("\n" + json.dumps(report) + "\n")

"""Ten times as many runs of the service, into an archive and on into MLflow: as steady, as flat."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from bench import child
from bench.report import Row, verdict_on
from bench.scratch import scratch
from bench.served import ENTITY, many_runs, points_of_many, served
from bench.size import Size
from runferry.writers.mlflow.created import create_database

_STEADY = 1.25  # the many may take this much more time a run than the few
_FLAT = 1.15  # and this much more memory
_LIMIT_MB = 300.0
_WORKERS = 4


@dataclass(frozen=True, slots=True)
class _Leg:
    """One call of the command line, and what is wrong with what it made."""

    count: int
    used: child.Result
    complaint: str

    @property
    def milliseconds(self) -> float:
        """Of processor time, a run: what else the machine does matters least to that."""
        return self.used.cpu_seconds / self.count * 1e3

    @property
    def peak_mb(self) -> float:
        """Of the process."""
        return self.used.peak_rss_bytes / 1e6


def measure(size: Size) -> Iterator[Row]:
    """Whole processes, each leg with the few and with the many."""
    legs = [_legs(count) for count in size.operated_runs]
    few, many = ([pull, push] for pull, push in legs)
    for name, small, large in zip(
        ("service → archive", "archive → MLflow sqlite"), few, many, strict=True
    ):
        yield _row(name, small, large)


def _row(name: str, few: _Leg, many: _Leg) -> Row:
    complaint = few.complaint or many.complaint
    slower = many.milliseconds / few.milliseconds
    larger = many.peak_mb / few.peak_mb
    is_good = slower <= _STEADY and larger <= _FLAT and many.peak_mb < _LIMIT_MB
    return Row(
        "operation",
        f"{name}, {few.count:,} and {many.count:,} runs of 1,200 points, workers: {_WORKERS}",
        f"{few.milliseconds:.1f} and {many.milliseconds:.1f} ms of processor time a run, "
        f"{few.peak_mb:.0f} and {many.peak_mb:.0f} MB",
        "—",
        slower,
        f"≤ {_STEADY} × the time a run, ≤ {_FLAT} × the memory, < {_LIMIT_MB:.0f} MB",
        "outputs differ" if complaint else verdict_on(is_good),
        complaint or f"runs, rows; memory × {larger:.2f}",
        {
            "wall_seconds": [few.used.wall_seconds, many.used.wall_seconds],
            "cpu_seconds": [few.used.cpu_seconds, many.used.cpu_seconds],
            "peak_mb": [few.peak_mb, many.peak_mb],
        },
    )


def _legs(count: int) -> tuple[_Leg, _Leg]:
    archive, folder = scratch("operation-archive"), scratch("operation-mlflow")
    with served(many_runs(count)) as service:
        pulled = _call("pull", f"wandb:{ENTITY}/many", archive, environment=service.environment)
    found = child.ours("archive_facts.py", archive, on_cores=2).outcome
    wanted = {"runs": count, "complete": count, "points": points_of_many(count)}
    wrong = {name: found.get(name) for name, number in wanted.items() if found.get(name) != number}
    database = folder / "runs.db"  # the files of its runs stand beside it
    create_database(database)
    pushed = _call("push", archive, f"mlflow:sqlite:///{database}")
    there = _in_mlflow(database)
    missing = "" if there == (count, points_of_many(count)) else f"sent {there}"
    for place in ("operation-archive", "operation-mlflow"):
        scratch(place)
    return _Leg(count, pulled, f"stored {wrong}" if wrong else ""), _Leg(count, pushed, missing)


def _call(
    verb: str, *places: str | Path, environment: Mapping[str, str] | None = None
) -> child.Result:
    command = [sys.executable, "-m", "runferry", verb, *map(str, places)]
    options = ["--quiet", "--workers", str(_WORKERS)]
    return child.run([*command, *options], on_cores=2, environment=environment)


def _in_mlflow(database: Path) -> tuple[int, int]:
    """Runs that are finished, and rows of metrics."""
    with closing(sqlite3.connect(database)) as connection:
        (runs,) = connection.execute(
            "SELECT count(*) FROM runs WHERE status = 'FINISHED'"
        ).fetchone()
        (rows,) = connection.execute("SELECT count(*) FROM metrics").fetchone()
    return runs, rows

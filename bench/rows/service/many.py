"""Many small runs of the service, as fast as its rate limit lets one ask, in flat memory."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass

from bench import child
from bench.report import Row, verdict_on
from bench.scratch import scratch
from bench.served import ENTITY, in_words, many_runs, points_of_many, raw, served
from bench.size import Size

_RATE = 0.90  # of what is allowed
_FLAT = 1.15  # the many may take this much more memory than the few
_LIMIT_MB = 300.0
_WORKERS = 8


@dataclass(frozen=True, slots=True)
class _Pulled:
    count: int
    used: child.Result
    limited: int  # requests that count against the limit, and were answered
    refused: int
    complaint: str

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.limited / self.used.wall_seconds


def measure(size: Size) -> Iterator[Row]:
    """Whole processes of the command line; the stand-in says what was asked of it."""
    most = in_words(raw(many_runs(size.served_runs[1])))
    few, many = (_pulled(size, count) for count in size.served_runs)
    allowed = size.allowed[0] / size.allowed[1]
    complaint = few.complaint or many.complaint
    ratio = many.rate / allowed
    yield Row(
        "service",
        f"{many.count:,} runs of the service → archive, {size.allowed[0]} requests in "
        f"{size.allowed[1]} s allowed, workers: {_WORKERS}",
        f"{many.used.wall_seconds:.1f} s, {many.rate:.1f} requests/s, {many.refused} refused",
        f"allowed: {allowed:.1f} requests/s",
        ratio,
        f"≥ {_RATE:.2f} × the limit",
        "outputs differ" if complaint else verdict_on(ratio >= _RATE),
        complaint or f"runs, rows; {many.limited / many.count:.2f} requests a run; {most}",
        {"wall_seconds": many.used.wall_seconds, "requests": many.limited},
    )
    peaks = [pulled.used.peak_rss_bytes / 1e6 for pulled in (few, many)]
    growth = peaks[1] / peaks[0]
    yield Row(
        "service",
        f"the same, peak resident memory, {few.count:,} and {many.count:,} runs",
        f"{peaks[0]:.0f} MB and {peaks[1]:.0f} MB",
        "—",
        growth,
        f"< {_LIMIT_MB:.0f} MB, and ≤ {_FLAT} × that of the few",
        "outputs differ" if complaint else verdict_on(peaks[1] < _LIMIT_MB and growth <= _FLAT),
        complaint or f"ru_maxrss of the whole process; {most}",
        {"peak_mb": peaks},
    )


def _pulled(size: Size, count: int) -> _Pulled:
    archive = scratch("service-archive")
    limit = "/".join(map(str, size.allowed)) + "s"
    with served(many_runs(count), "--rate-limit", limit) as service:
        command = [
            *(sys.executable, "-m", "runferry", "pull", f"wandb:{ENTITY}/many", str(archive)),
            *("--quiet", "--workers", str(_WORKERS)),
        ]
        used = child.run(command, on_cores=2, environment=service.environment)
    found = child.ours("archive_facts.py", archive, on_cores=2).outcome
    wanted = {"runs": count, "complete": count, "points": points_of_many(count)}
    wrong = {name: found.get(name) for name, number in wanted.items() if found.get(name) != number}
    if found.get("losses"):
        wrong["losses"] = found["losses"]
    scratch("service-archive")
    asked = service.apart.asked
    refused = asked.get("status:429", 0)
    limited = sum(n for place, n in asked.items() if place.startswith("graphql:")) - refused
    return _Pulled(count, used, limited, refused, f"stored {wrong}" if wrong else "")

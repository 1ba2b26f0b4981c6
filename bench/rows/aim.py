"""A repository of Aim's written from an archive, beside the vendor's own `Run.track`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bench import child, generate
from bench.environments import AIM
from bench.pushing import in_turns, push_anew
from bench.report import Row
from bench.scratch import scratch
from bench.size import Size

_METRICS = 20


def measure(size: Size) -> Iterator[Row]:
    """In turns, on the same two cores; both repositories are read by Aim's own queries."""
    archive, own, theirs = (scratch(f"aim-{name}") for name in ("archive", "ours", "vendors"))
    steps = size.authored_steps // 10  # the vendor's takes a fifth of a millisecond a value
    child.ours("pull.py", generate.logged_run(steps, _METRICS), archive, 1, on_cores=2)
    turns = in_turns(
        lambda: push_anew("aim", archive, own, RUNFERRY_AIM_PYTHON=str(AIM.python)),
        lambda: _tracked(theirs, steps),
    )
    written, tracked = _values(own), _values(theirs)
    values = sum(int(count) for count, _ in tracked.values())
    is_whole = written == tracked and values == steps * _METRICS
    ratio = turns.peer_seconds / turns.seconds
    yield Row(
        "aim",
        f"archive → repository, {values:,} values, with the exact run, synced",
        f"{turns.seconds:.3f} s, {values / turns.seconds:,.0f} values/s",
        f"{AIM} Run.track: {values / turns.peer_seconds:,.0f} values/s",
        ratio,
        "—",
        "no target" if is_whole else "outputs differ",
        "by Aim's own queries: count and exact sum of each sequence, in both",
        {**turns.figures(), "values": values},
    )
    for place in (archive, own, theirs):
        scratch(place.name)


def _tracked(folder: Path, steps: int) -> child.Result:
    scratch(folder.name).mkdir()
    return child.work(
        *(AIM.python, "log_aim.py", folder, steps, _METRICS), on_cores=2, HOME=str(folder)
    )


def _values(folder: Path) -> dict[str, tuple[float, float]]:
    read = child.work(AIM.python, "aim_values.py", folder, on_cores=2, HOME=str(folder))
    return {name: tuple(found) for name, found in read.outcome["sequences"].items()}

"""A `.swanlab` run authored from an archive, beside the vendor's own client logging the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bench import child, generate
from bench.environments import SWANLAB
from bench.pushing import in_turns, push_anew
from bench.report import Row, verdict_on
from bench.scratch import scratch
from bench.size import Size

_RATIO = 5.0
_METRICS = 20


def measure(size: Size) -> Iterator[Row]:
    """In turns, on the same two cores; both files are read by the vendor's own reader."""
    archive, own, theirs = (scratch(f"swanlab-{name}") for name in ("archive", "ours", "vendors"))
    steps = size.authored_steps
    child.ours("pull.py", generate.logged_run(steps, _METRICS), archive, 1, on_cores=2)
    turns = in_turns(
        lambda: push_anew("swanlab", archive, own, "*.swanlab"), lambda: _logged(theirs, steps)
    )
    written, logged = _records(own), _records(theirs)
    values = sum(count for count, _ in logged["series"].values())
    is_whole = written == logged and values == steps * _METRICS
    ratio = turns.peer_seconds / turns.seconds
    yield Row(
        "swanlab",
        f"archive → .swanlab, {values:,} values, with the exact run, synced",
        f"{turns.seconds:.3f} s, {values / turns.seconds:,.0f} values/s",
        f"{SWANLAB} run.log, offline: {values / turns.peer_seconds:,.0f} values/s",
        ratio,
        f"≥ {_RATIO:.0f} ×",
        verdict_on(ratio >= _RATIO) if is_whole else "outputs differ",
        "by SwanLab's own reader: count and exact sum of each series, and of its steps, in both",
        {**turns.figures(), "values": values},
    )
    for place in (archive, own, theirs):
        scratch(place.name)


def _logged(folder: Path, steps: int) -> child.Result:
    scratch(folder.name).mkdir()
    return child.work(
        *(SWANLAB.python, "log_swanlab.py", folder, steps, _METRICS),
        on_cores=2,
        SWANLAB_SAVE_DIR=str(folder / "home"),
        HOME=str(folder),
    )


def _records(folder: Path) -> Mapping[str, Any]:
    (log,) = folder.glob("run-*/run-*.swanlab")
    return child.work(SWANLAB.python, "swanlab_records.py", log, on_cores=2).outcome

"""Offline sessions of ClearML authored from an archive, beside the vendor's own reporter."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bench import child, generate
from bench.environments import CLEARML
from bench.pushing import in_turns, push_anew
from bench.report import Row, verdict_on
from bench.scratch import scratch
from bench.size import Size

_RATIO = 50.0
_METRICS = 20
_SLOWER = 5
"""The reporter logs so many times fewer steps."""
_FASTER = "sdk { development { report_use_subprocess: false } }\n"
"""Reporting from a thread, without the process of its own that is the default on Linux.

The client (2.1.12) then waits at every hundredth value, in steps of 0.1 s, until that process has
taken all. A larger `report_event_flush_threshold` makes the thread no faster.
"""
_SECONDS = 600.0
_DEFAULT_STEPS = 50
_DEFAULT_SECONDS = 60.0


def measure(size: Size) -> Iterator[Row]:
    """By values a second, in turns, on the same two cores; both sessions are read by `json`."""
    archive, own, theirs = (scratch(f"clearml-{name}") for name in ("archive", "ours", "vendors"))
    steps = max(50, size.authored_steps // _SLOWER)
    source = generate.logged_run(size.authored_steps, _METRICS)
    child.ours("pull.py", source, archive, 1, on_cores=2)
    turns = in_turns(
        lambda: push_anew("clearml", archive, own),
        lambda: _reported(theirs, steps, _FASTER, _SECONDS),
    )
    session = Path(turns.peers[-1].outcome["session"])
    written, logged = _series(next(own.glob("offline-*/"))), _series(session)
    values, peer_values = (sum(count for count, _ in one.values()) for one in (written, logged))
    is_whole = peer_values == steps * _METRICS and values >= size.authored_steps * _METRICS
    rate, peer_rate = values / turns.seconds, peer_values / turns.peer_seconds
    by_default = _by_default(theirs)
    yield Row(
        "clearml",
        f"archive → offline session, {values:,} values, with zip, synced",
        f"{turns.seconds:.3f} s, {rate:,.0f} values/s",
        f"{CLEARML} report_scalar, {peer_values:,} values: {peer_rate:,.0f} values/s from a "
        f"thread; as it is by default {by_default}",
        rate / peer_rate,
        f"≥ {_RATIO:.0f} ×",
        verdict_on(rate >= _RATIO * peer_rate) if is_whole else "outputs differ",
        "by Python's json: every event that was logged is there, in both",
        {**turns.figures(), "values": values, "peer_values": peer_values},
    )
    for place in (archive, own, theirs):
        scratch(place.name)


def _by_default(folder: Path) -> str:
    """The reporter as nobody has configured it: a rate, or that it was too slow for one."""
    values = _DEFAULT_STEPS * _METRICS
    try:
        reported = _reported(folder, _DEFAULT_STEPS, "", _DEFAULT_SECONDS)
    except child.TooSlow:
        return f"{values:,} values took more than {_DEFAULT_SECONDS:.0f} s"
    return f"{values / reported.lap_wall_seconds:,.0f} values/s of {values:,}"


def _reported(folder: Path, steps: int, configuration: str, seconds: float) -> child.Result:
    scratch(folder.name).mkdir()
    (folder / "clearml.conf").write_text(configuration, encoding="ascii")
    environment = {
        "CLEARML_OFFLINE_MODE": "1",
        "CLEARML_CACHE_DIR": str(folder),
        "HOME": str(folder),
        "CLEARML_CONFIG_FILE": str(folder / "clearml.conf"),
    }
    script = child.WORK / "log_clearml.py"
    command: list[Path | str] = [CLEARML.python, script, str(steps), str(_METRICS)]
    return child.run(command, on_cores=2, environment=environment, seconds=seconds)


def _series(session: Path) -> Mapping[str, Any]:
    read = child.ours("clearml_events.py", session / "metrics.jsonl", on_cores=2)
    return read.outcome

"""Runs pieces of work as children: on named cores, measured by the kernel, one at a time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.environments import HOME

WORK = Path(__file__).parent / "work"


class ChildFailed(Exception):  # noqa: N818  named as runferry names its errors
    """A child ended with an error; the message has the end of what it printed."""


class TooSlow(ChildFailed):
    """A child was ended, with all that it had started, because its time was over."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a child used: as a whole by the kernel's account, and inside its own stopwatch."""

    wall_seconds: float
    cpu_seconds: float
    peak_rss_bytes: int
    lap_wall_seconds: float = 0.0
    lap_cpu_seconds: float = 0.0
    outcome: Mapping[str, Any] = field(default_factory=dict)


def cores(count: int) -> tuple[int, ...]:
    """The first so many of the cores that this process may use."""
    if not hasattr(os, "sched_getaffinity"):
        return tuple(range(min(count, os.cpu_count() or 1)))
    return tuple(sorted(os.sched_getaffinity(0))[:count])


def run(
    command: Sequence[str | Path],
    *,
    on_cores: int,
    environment: Mapping[str, str] | None = None,
    keep_output: bool = True,
    seconds: float | None = None,
) -> Result:
    """Run a command to its end. Raises ChildFailed when it fails, TooSlow after so many seconds.

    With `keep_output=False` its output goes to the null device, so that printing costs it nothing
    but the printing itself.
    """
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        output, errors = _launched(
            [
                *(sys.executable, "-I", "-S", WORK / "launch.py", report),
                ",".join(map(str, cores(on_cores))),
                *command,
            ],
            {**_inherited(), **(environment or {})},
            subprocess.PIPE if keep_output else subprocess.DEVNULL,
            seconds,
        )
        usage: dict[str, Any] = (
            json.loads(report.read_bytes()) if report.exists() else {"exit_code": None}
        )
    if usage["exit_code"] != 0:
        raise ChildFailed(f"{command[0]} ended with {usage['exit_code']}: {errors[-2000:]}")
    answer = _answer(output)
    return Result(
        usage["wall_seconds"],
        usage["cpu_seconds"],
        usage["peak_rss_bytes"],
        answer.get("wall_seconds", 0.0),
        answer.get("cpu_seconds", 0.0),
        answer.get("outcome", {}),
    )


def _launched(
    command: Sequence[str | Path],
    environment: Mapping[str, str],
    output: int,
    seconds: float | None,
) -> tuple[str, str]:
    """What a command printed, which is the first of a group of its own. Raises TooSlow."""
    with subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as launched:
        try:
            printed, errors = launched.communicate(timeout=seconds)
        except BaseException as error:  # an interrupt too: nothing is left behind
            os.killpg(launched.pid, signal.SIGKILL)
            if isinstance(error, subprocess.TimeoutExpired):
                raise TooSlow(f"it was still at work after {seconds:.0f} s") from error
            raise
    return printed or "", errors


def _inherited() -> dict[str, str]:
    """The variables of this process; but Python may keep what it compiled, as it does with users.

    It keeps it below `.bench`, away from the sources.
    """
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    return kept | {"PYTHONPYCACHEPREFIX": os.fspath(HOME / "bytecode")}


def work(
    python: Path | str, script: str, *arguments: str | Path | int, on_cores: int, **env: str
) -> Result:
    """Run a script of `bench/work` with this interpreter; its last line is its answer."""
    command = [python, WORK / script, *map(str, arguments)]
    return run(command, on_cores=on_cores, environment=env)


def ours(script: str, *arguments: str | Path | int, on_cores: int, **env: str) -> Result:
    """Run a script of `bench/work` with the interpreter and the runferry of this benchmark."""
    return work(sys.executable, script, *arguments, on_cores=on_cores, **env)


def _answer(output: str) -> dict[str, Any]:
    last = output.rstrip().rpartition("\n")[2]
    return json.loads(last) if last.startswith('{"wall_seconds"') else {}

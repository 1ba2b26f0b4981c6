"""Training processes for the tests of `live`, run apart, and what became of them."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import runferry
from runferry.live.layout import Layout, sessions
from runferry.live.status import Status
from runferry.python_apart import environment_apart
from runferry.transfer.selection import Selection

WITHOUT_COMET = "import sys; sys.modules['comet_ml'] = None\n"
"""tensorboardX imports Comet's client where there is one, and that takes eight times as long as it
does itself. A page of the documentation trains beside it.
"""
QUIET = f"""
{WITHOUT_COMET}
import os, time, warnings
warnings.simplefilter("ignore")
os.environ["WANDB_SILENT"] = "true"
os.environ["WANDB_ERROR_REPORTING"] = "false"
"""
_PATIENCE = "30"  # seconds after which a delivery that fails is gone, whatever a test left behind


def start(
    folder: Path, code: str, *arguments: str, is_asked: bool = False, **more: str
) -> subprocess.Popen[str]:
    """A script on its way, in this folder; with `is_asked` it may wait for its standard input."""
    return subprocess.Popen(
        [sys.executable, "-P", "-c", QUIET + textwrap.dedent(code), *arguments],
        cwd=folder,
        env=environment_apart() | {"RUNFERRY_PATIENCE": _PATIENCE} | more,
        stdin=subprocess.PIPE if is_asked else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen[str], code: int = 0) -> str:
    """What it printed, when it has ended like this."""
    out, err = process.communicate(timeout=120)
    assert process.returncode == code, err
    return out


def train(folder: Path, code: str, *arguments: str, **more: str) -> str:
    """What a script printed that has ended well."""
    return ended(start(folder, code, *arguments, **more))


def layout(folder: Path) -> Layout:
    """The only session below a folder."""
    (found,) = sessions(folder / ".runferry" / "live")
    return Layout(found)


def settled(folder: Path, seconds: float = 120.0, root: Layout | None = None) -> Status:
    """The status of the only session below a folder, or this one, once its delivery has ended."""
    deadline = time.monotonic() + seconds
    found = root or layout(folder)
    path = found.status
    while time.monotonic() < deadline:
        status = Status.read(path)
        if status is not None and status.state in ("done", "gave-up"):
            return status
        time.sleep(0.05)
    raise AssertionError(f"{Status.read(path)} {found.log.read_text()}")


def differences(original: str, copy: str, *metrics: str) -> list[str]:
    """What nothing foretold; the order of rows among each other is not asked for."""
    report = runferry.verify(original, copy, selection=Selection(metrics=metrics))
    assert report.runs
    found = [loss for run in report.runs for loss in run.unexpected]
    return [f"{loss}" for loss in found if loss.code != "source-order"]


def rows(place: str) -> dict[str, list[tuple[Any, Any]]]:
    """Step and value of each series of all runs of a place, in order of step."""
    found: dict[str, list[tuple[Any, Any]]] = {}
    for run in runferry.load(place):
        table = run.points
        columns = (table.column(name).to_pylist() for name in ("key", "step", "value"))
        for key, step, value in zip(*columns, strict=True):
            found.setdefault(key, []).append((step, value))
    return {key: sorted(pairs) for key, pairs in found.items()}


def told(text: str) -> Any:
    """JSON on the last line that a script printed."""
    return json.loads(text.strip().splitlines()[-1])


CLOCK = (
    "where='_runtime'",
    "where='ended_ns'",
    "where='summary._runtime'",
    "where='summary._wandb.runtime'",
    "where='environment._wandb.runtime'",
)
"""What a mirrored run and its files tell by two clocks."""

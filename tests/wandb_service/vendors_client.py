"""Runs the vendor's client in a process of its own, against a service and nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

from runferry.python_apart import command_apart
from runferry.testing.wandb_service import WandbService

ANSWER = "ANSWER "
BEFORE = f"""
import json, os, sys
from pathlib import Path
import numpy as np
import wandb
home = Path(os.environ["HOME"])
def answer(**found):
    print({ANSWER!r} + json.dumps(found, default=str))
"""


def environment(service: WandbService, home: Path) -> dict[str, str]:
    """No variable of this machine's W&B, and no home of its user."""
    home.mkdir(parents=True, exist_ok=True)
    others = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
    return {**others, **service.environment(home)}


def run_client(service: WandbService, home: Path, code: str) -> dict[str, Any]:
    """What the code hands to `answer(…)`; it has wandb, np and home."""
    ended = subprocess.run(
        command_apart(BEFORE + code),
        env=environment(service, home),
        cwd=home,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    answers = [line for line in ended.stdout.splitlines() if line.startswith(ANSWER)]
    return json.loads(answers[-1].removeprefix(ANSWER)) if answers else {}


def sync(service: WandbService, home: Path, folder: Path) -> None:
    """`wandb sync` of one folder."""
    ended = subprocess.run(
        [Path(sysconfig.get_path("scripts")) / "wandb", "sync", str(folder)],
        env={**environment(service, home), "WANDB_SILENT": "false"},
        cwd=home,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    assert "Finished syncing" in ended.stderr, ended.stderr[-3000:]

"""What W&B's own tools see of the run folders that we author: its readers are the judges."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.readers.wandb_runs import HEADER

from runferry.archive.store import Archive
from runferry.model import Run, RunKey
from runferry.ports import Location, ReadOptions
from runferry.python_apart import command_apart, environment_apart
from runferry.testing.recording import Recording, Sample
from runferry.testing.samples import START_NS, all_samples
from runferry.testing.reference import ReferenceReader, record
from runferry.transfer.pull import pull
from runferry.transfer.push import push
from runferry.writers.wandb import WandbWriter

SECOND = 10**9


def authored(folder: Path, *samples: Sample) -> dict[str, Path]:
    """The logs of runs that were pushed into run folders, by run id."""
    origin = record(samples, folder / "origin")
    archive = Archive.open(folder / "archive", create=True, reserve=0)
    pull(
        origin,
        archive,
        reserve_bytes=0,
        open_reader=lambda: ReferenceReader.open(origin, ReadOptions()),
    )
    report = push(archive, Location("wandb", str(folder / "wandb")))
    assert not report.failures, report.failures
    found = {path.name[4:-6]: path for path in (folder / "wandb").glob("offline-run-*/run-*.wandb")}
    assert len(found) == len(samples)
    return found


def inspected(log: Path) -> list[dict[str, Any]]:
    """The records as `wandb leet inspect` reads them."""
    command = [sys.executable, "-m", "wandb", "leet", "inspect", "--json", str(log)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "error" not in done.stderr.lower(), done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]

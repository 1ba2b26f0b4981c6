"""Trees of folders with runs in them, and what is looked at in them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.readers.wandb_runs import config_record, framed, history_record, run_record


def wandb_run(folder: Path, run_id: str, rows: int = 3, start: int = 1_700_000_000) -> Path:
    records = [run_record(run_id, start), config_record(lr=0.1)]
    records += [history_record(step, loss=1 / (step + 1)) for step in range(rows)]
    path = folder / f"offline-run-20231114_221320-{run_id}" / f"run-{run_id}.wandb"
    path.parent.mkdir(parents=True)
    path.write_bytes(framed(records))
    return path


LOGS = {
    "keras/training.csv": ("keras", "epoch,loss\n0,1.5\n"),
    "yolo/results.csv": ("keras", "   epoch,  train/box_loss\n       0,     0.5\n"),
    "rl/progress.csv": ("sb3", "rollout/ep_rew_mean,time/total_timesteps\n1.5,100\n"),
    "rl2/0.monitor.csv": ("sb3", '#{"t_start": 1.0, "env_id": "x"}\nr,l,t\n1.0,2,3.0\n'),
    "version_0/metrics.csv": ("lightning", "step,loss\n0,1.5\n"),
    "table/runs.csv": ("wandb_csv", '"Name","State","lr"\n"a","finished","1"\n'),
}


def written(root: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def listings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The folders that are listed from now on."""
    listed: list[str] = []
    scandir = os.scandir

    def counted(path: os.PathLike[str]) -> object:
        listed.append(os.fspath(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", counted)
    return listed

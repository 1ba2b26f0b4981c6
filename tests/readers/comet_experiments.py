"""Experiments as Comet's client leaves them, message by message."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

BEGAN = 1_700_000_000_000
ENDED = {
    "offline_id": "a" * 32,
    "project_name": "p",
    "workspace": "w",
    "tags": [],
    "start_time": BEGAN,
    "stop_time": BEGAN + 5,
}


def metric(name: str, value: Any, step: int | None = None, **more: Any) -> dict[str, Any]:
    told = {"metricName": name, "metricValue": value, "step": step, "epoch": None}
    payload = {"local_timestamp": BEGAN + (step or 0), "metric": told, **more}
    return {"payload": payload, "type": "metric_msg"}


def experiment(home: Path, messages: list[Any], **stated: Any) -> Path:
    """An experiment that is not packed; with `offline_id` it has ended."""
    home.mkdir(parents=True, exist_ok=True)
    lines = "".join(f"{json.dumps(one, separators=(',', ':'))}\n" for one in messages)
    (home / "messages.json").write_text(lines)
    if stated:
        (home / "experiment.json").write_text(json.dumps(stated))
    return home


def packed(home: Path, path: Path) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for one in sorted(home.iterdir()):
            archive.write(one, one.name)
    return path

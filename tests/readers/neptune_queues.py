"""Queues of the client 1.x: made by the client itself, and line by line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from gathered import Gathered
from neptune_gathered import gather_one

from runferry.python_apart import environment_apart

SCRIPT = Path(__file__).with_name("neptune_script.py")
ID = "0f0a7c52-92f4-4a3e-9d53-8f1d27c9f0aa"


def script(what: str, home: Path) -> list[str]:
    """The command that runs a part of the script in a folder."""
    pytest.importorskip("neptune")
    home.mkdir(parents=True, exist_ok=True)
    return [sys.executable, "-W", "ignore", str(SCRIPT), what, str(home)]


def surroundings(home: Path) -> dict[str, str]:
    return {**environment_apart(), "NEPTUNE_DATA_DIRECTORY": str(home / ".neptune")}


def logged(what: str, home: Path) -> Path:
    """What the client leaves in a folder."""
    subprocess.run(
        script(what, home), check=True, capture_output=True, timeout=120, env=surroundings(home)
    )
    return home


def operation(kind: str, path: str, **fields: Any) -> dict[str, Any]:
    return {"type": kind, "path": path.split("/"), **fields}


def floats(path: str, values: list[tuple[float | None, float]], ts: float = 1.0) -> dict[str, Any]:
    """A `LogFloats` of (step, value)."""
    found = [{"value": value, "step": step, "ts": ts} for step, value in values]
    return operation("LogFloats", path, values=found)


def queue(
    neptune: Path,
    operations: list[dict[str, Any]],
    *,
    first: int = 1,
    name: str = f"offline/run__{ID}__1__abcdefgh",
    began: str = "2024-01-02T03:04:05+00:00",
    put: int | None = None,
    sent: int = 0,
) -> Path:
    """A queue's folder, as the client 1.14 lays it out."""
    folder = neptune / name
    (folder / "upload_path").mkdir(parents=True, exist_ok=True)
    kind, container_id, *_ = folder.name.split("__")
    metadata = {
        "mode": "offline",
        "containerId": container_id,
        "containerType": kind,
        "structureVersion": 3,
        "neptuneClientVersion": "1.14.0",
        "createdAt": began,
    }
    (folder / "metadata.json").write_text(json.dumps(metadata, indent=2))
    log_on(folder, operations, first=first)
    last = first + len(operations) - 1 if put is None else put
    (folder / "last_put_version").write_text(str(last))
    (folder / "last_ack_version").write_text(str(sent))
    return folder


def log_on(
    folder: Path, operations: list[dict[str, Any]], *, first: int, log: str | None = None
) -> None:
    """Append operations to a log; without a name to the one that begins with the first."""
    lines = [
        json.dumps({"obj": one, "version": first + number, "at": 1_700_000_000.5 + number}) + "\n"
        for number, one in enumerate(operations)
    ]
    with (folder / (log or f"data-{first}.log")).open("a") as stream:
        stream.writelines(lines)


def home_of(folder: Path) -> Path:
    """The folder in which `.neptune` lies."""
    return next(one for one in folder.parents if one.name == ".neptune").parent


def replayed(tmp_path: Path, *operations: dict[str, Any]) -> Gathered:
    queue(tmp_path / ".neptune", list(operations))
    return gather_one(tmp_path)

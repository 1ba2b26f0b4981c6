"""Offline sessions for tests: of the real client, and of our writer without our own copy."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from runferry.chunks import Chunk
from runferry.dialects.clearml.own_copy import OWN
from runferry.model import Run
from runferry.ports import Location, ReadOptions
from runferry.python_apart import environment_apart
from runferry.readers.clearml.reader import ClearmlReader
from runferry.testing.content import Content
from runferry.testing.recording import Sample
from runferry.writers.clearml import ClearmlWriter

SCRIPT = Path(__file__).with_name("clearml_script.py")
_CONFIGURATION = "sdk { development { report_use_subprocess: false } }\n"
"""With a process for its reports the client now and then waits for that at its end, for ever."""


def logged_by_the_client(folder: Path) -> Path:
    """The session that the script logs; its folder."""
    work = folder / "work"
    work.mkdir(parents=True)
    configuration = folder / "clearml.conf"
    configuration.write_text(_CONFIGURATION)
    environment = environment_apart() | {
        "CLEARML_OFFLINE_MODE": "1",
        "CLEARML_CACHE_DIR": str(folder / "cache"),
        "CLEARML_CONFIG_FILE": str(configuration),
        "HOME": str(folder),
    }
    ended = subprocess.run(
        [sys.executable, "-P", str(SCRIPT), str(work)],
        env={name: value for name, value in environment.items() if name != "PYTEST_CURRENT_TEST"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    (session,) = (path for path in folder.glob("cache/offline/*") if path.is_dir())
    return session


def written(root: Path, samples: Iterable[Sample], *, has_own: bool = False) -> list[Path]:
    """Sessions that our writer authored; without our own copy they are anybody's."""
    writer = ClearmlWriter.open(Location("clearml", str(root)))
    folders = []
    for sample in samples:
        remote = writer.create(sample.run, sample.run.uid)
        for number, chunk in enumerate(sample.chunks):
            writer.append(remote, number, chunk)
        writer.seal(remote, sample.run)
        folder = writer.folder(remote)
        assert folder is not None
        folders.append(folder)
    writer.close()
    for folder in folders if not has_own else []:
        shutil.rmtree(folder / OWN)
    return folders


def moved(session: Path, target: Path) -> Path:
    """The session, and its zip, somewhere else."""
    target.mkdir(parents=True, exist_ok=True)
    packed = session.with_name(f"{session.name}.zip")
    if packed.exists():
        packed.replace(target / packed.name)
    return Path(shutil.move(session, target / session.name))


def read(where: Path) -> list[tuple[Run, list[Chunk]]]:
    reader = ClearmlReader.open(Location("clearml", str(where)), ReadOptions())
    return [(run, list(reader.read(run))) for run in reader.runs()]


def one(where: Path) -> tuple[Content, list[Chunk]]:
    ((_, chunks),) = read(where)
    return Content.of(chunks), chunks


def write_session(folder: Path, *, task: object, metrics: str = "", log: str = "") -> Path:
    folder.mkdir(parents=True)
    text = task if isinstance(task, str) else json.dumps(task)
    (folder / "task.json").write_text(text)
    (folder / "metrics.jsonl").write_text(metrics)
    (folder / "log.jsonl").write_text(log)
    return folder


def scalar(step: int, value: object, **more: object) -> dict[str, object]:
    return {
        "type": "training_stats_scalar", "task": "offline-1", "metric": "loss", "variant": "train",
        "iter": step, "timestamp": 1_700_000_000_000 + step, "value": value, **more,
    }  # fmt: skip

"""The inputs, made once and kept below `.bench/data`.

The run that is decoded side by side is logged by the real client; where size or number is what
matters, `bench.wandb_file` writes what the client would have written.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench import child
from bench.environments import HOME, WANDB
from bench.event_file import EventsShape, write_events
from bench.wandb_file import START_NS, STEP_NS, RunShape, write_run

_REQUIREMENTS = "\n".join(f"package-{number:02d}==1.{number}.0" for number in range(40)) + "\n"


def logged_run(steps: int, metrics: int) -> Path:
    """A `.wandb` file of so many steps, logged offline by the real wandb 0.31."""

    def make(folder: Path) -> None:
        log_offline(folder, steps, metrics)

    folder = kept(f"logged-{steps}x{metrics}", make)
    (file,) = folder.glob("wandb/offline-run-*/*.wandb")
    return file


def log_offline(folder: Path, steps: int, metrics: int) -> child.Result:
    """Log such a run into a folder; what it took is the client's."""
    return child.work(
        WANDB.python,
        "log_offline_run.py",
        *(folder, steps, metrics),
        on_cores=2,
        WANDB_CACHE_DIR=str(folder / "cache"),
        WANDB_CONFIG_DIR=str(folder / "config"),
        WANDB_DATA_DIR=str(folder / "staging"),
        WANDB_ERROR_REPORTING="false",
    )


def long_run(size_mb: int, metrics: int = 20) -> Path:
    """A `.wandb` file of one long run, of about so many MB (10⁶ bytes)."""

    def make(folder: Path) -> None:
        steps = size_mb * 1_000_000 // _BYTES_A_STEP
        shape = RunShape("long", steps, metrics, console_lines=1_000, stats=1_000)
        write_run(folder / "run-long.wandb", shape)

    return kept(f"long-{size_mb}mb", make) / "run-long.wandb"


_BYTES_A_STEP = 1_880  # at 20 metrics: one history and two summary records


def plain_run(points: int, metrics: int = 20) -> Path:
    """A `.wandb` file of one run with about so many points, all of them the user's."""

    def make(folder: Path) -> None:
        shape = RunShape("plain", points // (metrics + 1), metrics)  # `_runtime` is a series too
        write_run(folder / "run-plain.wandb", shape)

    return kept(f"plain-{points}", make) / "run-plain.wandb"


def event_file(shape: EventsShape) -> Path:
    """An event file of that shape, in a folder of its own."""

    def make(folder: Path) -> None:
        write_events(folder / _EVENT_FILE, shape)

    kinds = f"{shape.scalars}x{shape.histograms}x{shape.images}"
    return kept(f"events-{shape.form}-{shape.steps}x{kinds}", make) / _EVENT_FILE


_EVENT_FILE = "events.out.tfevents.1760000000.bench.1.0"


def small_runs(count: int, steps: int, metrics: int) -> Path:
    """A `wandb/` folder with so many short runs: config, console, machine stats, requirements."""

    def make(folder: Path) -> None:
        for number in range(count):
            run_id = f"small{number:05d}"
            started = datetime(2025, 10, 9, tzinfo=UTC) + timedelta(seconds=number)
            home = folder / "wandb" / f"offline-run-{started:%Y%m%d_%H%M%S}-{run_id}"
            (home / "files").mkdir(parents=True)
            (home / "files" / "requirements.txt").write_text(_REQUIREMENTS, encoding="ascii")
            shape = RunShape(
                *(run_id, steps, metrics),
                console_lines=20,
                stats=4,
                start_ns=START_NS + number * steps * STEP_NS,
                seed=number,
            )
            write_run(home / f"run-{run_id}.wandb", shape)

    return kept(f"small-{count}x{steps}x{metrics}", make) / "wandb"


def kept(name: str, make: Callable[[Path], None]) -> Path:
    """The folder of an input; `make` fills it where it is not there, and it appears when whole."""
    folder = HOME / "data" / name
    if not folder.exists():
        unfinished = folder.with_name(name + ".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        make(unfinished)
        unfinished.rename(folder)
    return folder

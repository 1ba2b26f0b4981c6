"""Runs of W&B's service for the benchmark, put into folders that the stand-in then serves.

The stand-in is `runferry.testing.wandb_service`, always in a process of its own.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np

from bench import generate
from runferry.testing.wandb_service.apart import Apart, Throughput, served_apart, throughput

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from runferry.testing.wandb_service import RunContent

ENTITY = "lab"
LONG = f"{ENTITY}/long/run"
LIVE_ROWS = 1_000
_METRICS = 25
_SMALL_STEPS, _SMALL_METRICS = 200, 5
_PROBE = "probe"
"""A project whose one run has a file of 4 MiB, to see what the stand-in hands out at most."""
_START = 1_700_000_000.25  # seconds; exact in a double, and in microseconds


@dataclass(frozen=True, slots=True)
class Headline:
    """The seed's own work: runs in projects, some 32 kB each."""

    folder: Path
    facts: Mapping[str, Any]
    """What a destination has to hold, in the words of `work/neptune_convert.py`."""


def headline(runs: int) -> Headline:
    """So many runs, four to a project, of about 1 MB for 32 of them."""

    def make(folder: Path) -> None:
        with _filled(folder) as service:
            for number in range(runs):
                service.put_run(
                    f"{ENTITY}/project_{number // 4}/run{number:03d}",
                    _headline_content(number),
                    history_of=_history(200, 6, seed=number),
                )

    folder = generate.kept(f"service-headline-{runs}", make)
    values = [
        array
        for number in range(runs)
        for name, array in _history(200, 6, seed=number).items()
        if not name.startswith("_")
    ]
    events = [row["system.cpu"] for number in range(runs) for row in _events(number)]
    files = [content for n in range(runs) for content in _headline_content(n).files.values()]
    return Headline(
        folder,
        {
            "runs": runs,
            "projects": -(-runs // 4),
            "points": sum(map(len, values)) + len(events),
            "sum": math.fsum([*events, *(x for array in values for x in array.tolist())]),
            "lines": 20 * runs,
            "files": len(files),
            "bytes": sum(map(len, files)),
        },
    )


def _headline_content(number: int) -> RunContent:
    from runferry.testing.wandb_service import RunContent

    noise = np.random.default_rng(number)
    return RunContent(
        name=f"run {number}",
        config={"lr": 0.001 * (number + 1), "layers": 4, "optimizer": "adam"},
        summary={"metric_00": 0.5},
        tags=("bench",),
        notes="# of the benchmark",
        group="sweep",
        job_type="train",
        events=_events(number),
        console=[f"2024-01-02T03:04:{second:02d}.000001 line {second}" for second in range(20)],
        files={
            "code/train.py": b"print('training')\n" * 200,
            "requirements.txt": b"package==1.0\n" * 40,
            "model.ckpt": noise.bytes(8_000),
            "notes/readme.md": noise.bytes(2_000),
        },
    )


def _events(number: int) -> list[dict[str, Any]]:
    return [
        {"_timestamp": _START + second, "_runtime": second, "system.cpu": (number + second) / 4}
        for second in range(20)
    ]


def long_history(rows: int) -> Path:
    """One run with 25 metrics a row; the last thousand rows are live, the others in two exports."""

    def make(folder: Path) -> None:
        with _filled(folder) as service:
            history = _history(rows, _METRICS, seed=1)
            service.put_run(LONG, history_of=history, live_rows=LIVE_ROWS, parts=2)

    return generate.kept(f"service-long-{rows}", make)


def many_runs(count: int) -> Path:
    """So many runs of 200 live steps × 5 metrics in one project."""

    def make(folder: Path) -> None:
        from runferry.testing.wandb_service import RunContent

        with _filled(folder) as service, service.store.together():
            columns = _history(_SMALL_STEPS, _SMALL_METRICS, seed=2)
            ready = service.ready_history(columns, live_rows=_SMALL_STEPS)
            for number in range(count):
                content = RunContent(config={"seed": number}, summary={"metric_00": 0.5})
                service.put_run(f"{ENTITY}/many/r{number:05d}", content, history_of=ready)

    return generate.kept(f"service-many-{count}", make)


def points_of_many(count: int) -> int:
    """How many points there are in them: `_runtime` is a series too."""
    return count * _SMALL_STEPS * (_SMALL_METRICS + 1)


def model_files(megabytes: int) -> Path:
    """86 files of so many MB in all, which no compression makes smaller."""

    def make(folder: Path) -> None:
        for number in range(86):
            content = np.random.default_rng(number).bytes(megabytes * 1_000_000 // 86)
            (folder / f"{number:02d}.bin").write_bytes(content)

    return generate.kept(f"models-{megabytes}mb", make)


def _history(rows: int, metrics: int, *, seed: int) -> dict[str, NDArray[Any]]:
    noise = np.random.default_rng(seed)
    steps = np.arange(rows, dtype=np.int64)
    columns: dict[str, NDArray[Any]] = {
        "_step": steps,
        "_timestamp": _START + steps,
        "_runtime": steps / 2,
    }
    return columns | {f"metric_{n:02d}": noise.standard_normal(rows) for n in range(metrics)}


@contextmanager
def _filled(folder: Path) -> Iterator[Any]:
    from runferry.testing.wandb_service import RunContent, WandbService

    service = WandbService(folder)
    try:
        yield service
        probe = RunContent(files={"probe.bin": bytes(4 << 20)})
        service.put_run(f"{service.account.username}/{_PROBE}/run", probe)
    finally:
        service.close()


# --- serving


@dataclass(frozen=True, slots=True)
class Served:
    """A folder that is served, and the variables under which clients find it."""

    apart: Apart
    environment: Mapping[str, str]


@contextmanager
def served(folder: Path, *flags: str) -> Iterator[Served]:
    """Serve a folder; each time with a home and with caches in which nothing is."""
    with TemporaryDirectory(prefix="bench-home-") as home, served_apart(folder, *flags) as apart:
        yield Served(apart, _environment(apart, Path(home)))


def fresh(served: Served, home: Path) -> dict[str, str]:
    """The same variables with another home."""
    return _environment(served.apart, home)


def _environment(apart: Apart, home: Path) -> dict[str, str]:
    own = {
        "HOME": home,
        "NETRC": home / "netrc",
        **{f"WANDB_{name}_DIR": home / name.lower() for name in ("CACHE", "CONFIG", "DATA")},
        "WANDB_DIR": home,
        "WANDB_ARTIFACT_DIR": home / "artifacts",
    }
    return {
        "WANDB_BASE_URL": apart.url,
        "WANDB_API_KEY": apart.key,
        "WANDB_ENTITY": ENTITY,
        "WANDB_ERROR_REPORTING": "false",
        "WANDB_SILENT": "true",
        "NO_PROXY": "127.0.0.1",
        **{name: os.fspath(path) for name, path in own.items()},
    }


_FILE = """query File { project(name: "probe", entityName: "grace") {
    run(name: "run") { files(names: ["probe.bin"], first: 1) {
        edges { node { directUrl } } } } } }"""


def raw(folder: Path) -> Throughput:
    """What the stand-in does at most with this folder, when nothing slows it."""
    with served_apart(folder) as apart:
        asked = httpx.post(
            f"{apart.url}/graphql", json={"query": _FILE}, auth=("api", apart.key), timeout=60
        )
        run = asked.json()["data"]["project"]["run"]
        if run is None:
            raise ValueError(f"no run to probe in {folder}: {json.dumps(asked.json())}")
        url = run["files"]["edges"][0]["node"]["directUrl"]
        basic = httpx.BasicAuth("api", apart.key)._auth_header
        return throughput(apart.url, basic, url)


def in_words(most: Throughput) -> str:
    """Beside each figure: what bounds it, if it is the stand-in."""
    return (
        f"stand-in alone: {most.requests_per_second:,.0f} requests/s, "
        f"{most.megabytes_per_second:,.0f} MB/s"
    )

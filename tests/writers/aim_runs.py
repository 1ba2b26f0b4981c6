"""Runs that tests write into repositories of Aim's, and what they ask Aim for."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from runferry import chunks
from runferry.model import Address, Run, RunKey, Series
from runferry.ports import Location, ReadOptions
from runferry.python_apart import environment_apart
from runferry.readers.aim import AimReader
from runferry.readers.row_batches import PointRows, scalar_of
from runferry.writers.aim import AimWriter

QUERY = Path(__file__).with_name("aim_query_script.py")
BEGAN = 1_700_000_000_123_456_000
RUN = Run(
    RunKey("wandb", "", "abc123"), name="my run", project="zoo", notes="of it", tags=("a", "b"),
    started_ns=BEGAN, ended_ns=BEGAN + 5_000_000_000, state="finished", complete=True,
)  # fmt: skip


def by_aim(script: str | Path, *args: str, cwd: Path) -> Any:
    """What a script that uses Aim prints as its last line, as JSON."""
    command = [sys.executable, "-W", "ignore", *(["-c"] if isinstance(script, str) else [])]
    done = subprocess.run(
        [*command, str(script), *args], capture_output=True, timeout=120, cwd=cwd,
        env=environment_apart(), text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def at(seq: int, step: int | None = None, **more: int) -> Address:
    return Address(seq, seq if step is None else step, time_ns=BEGAN + seq * 1_000_000, **more)


def points(rows: Sequence[tuple[str, Address, Any]]) -> chunks.Points:
    batch = PointRows()
    for key, where, value in rows:
        scalar = scalar_of(value)
        assert scalar is not None
        batch.add(key, where, scalar)
    return chunks.Points(batch.record_batch())


def facts(*keys: str) -> chunks.SeriesFacts:
    return chunks.SeriesFacts(tuple(Series(key, (key,)) for key in keys))


def begun(place: Location, run: Run, *put: chunks.Chunk) -> AimWriter:
    writer = AimWriter.open(place)
    remote = writer.create(run, run.uid)
    for number, chunk in enumerate(put):
        writer.append(remote, number, chunk)
    return writer


def written(place: Location, run: Run, *put: chunks.Chunk) -> str:
    """The run's hash there."""
    writer = begun(place, run, *put)
    remote = writer.find(run.uid)
    assert remote is not None
    writer.seal(remote, run)
    writer.close()
    return run.uid[:24]


def read(place: Location) -> tuple[Run, list[chunks.Chunk]]:
    reader = AimReader.open(place, ReadOptions())
    (run,) = reader.runs()
    found = list(reader.read(run))
    header = [chunk.run for chunk in found if isinstance(chunk, chunks.Header)]
    return header[-1], found


def points_in(found: Sequence[chunks.Chunk]) -> list[chunks.Points]:
    return [chunk for chunk in found if isinstance(chunk, chunks.Points)]

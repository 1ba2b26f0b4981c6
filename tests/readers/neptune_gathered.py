"""Gathers what Neptune's reader yields, wherever its runs are."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gathered import Gathered, gather

from runferry.model import Cursor
from runferry.ports import Location, ReadOptions
from runferry.readers.neptune.reader import NeptuneReader


def neptune_at(where: Path | str, **options: Any) -> NeptuneReader:
    return NeptuneReader.open(Location("neptune", str(where)), ReadOptions(**options))


def gather_all(where: Path | str, **options: Any) -> dict[str, Gathered]:
    """By the runs' ids."""
    reader = neptune_at(where, **options)
    return {run.key.run_id: gather(reader, run) for run in reader.runs()}


def gather_one(where: Path | str, after: Cursor | None = None, **options: Any) -> Gathered:
    """Of a place that has one run."""
    reader = neptune_at(where, **options)
    (run,) = reader.runs()
    return gather(reader, run, after)


@contextmanager
def half_logged(command: list[str], environment: dict[str, str]) -> Iterator[None]:
    """A client that has logged half, and logs the rest when the block ends."""
    client = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
        text=True,
    )
    assert client.stdin is not None
    assert client.stdout is not None
    try:
        assert "half\n" in iter(client.stdout.readline, "")
        yield
        client.stdin.write("\n")
        client.stdin.flush()
        assert "done\n" in iter(client.stdout.readline, "")
    finally:
        client.kill()
        client.communicate()

"""Gathers what Neptune's reader yields, wherever its runs are."""

from __future__ import annotations

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

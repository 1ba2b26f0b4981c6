"""An MLflow sqlite file, read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from runferry.ports import Location, ReadOptions
from runferry.readers.mlflow import MlflowReader


@contextmanager
def reading(path: Path) -> Iterator[MlflowReader]:
    with closing(
        MlflowReader.open(Location("mlflow", f"sqlite:///{path}"), ReadOptions())
    ) as opened:
        yield opened

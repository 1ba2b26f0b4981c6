"""What the writer asks of a place that takes MLflow runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from runferry.dialects.mlflow.artifacts import ArtifactFolder
from runferry.dialects.mlflow.header import NativeRun
from runferry.dialects.mlflow.registry import Registry

if TYPE_CHECKING:
    from runferry.dialects.mlflow.points import NativePoints
    from runferry.writers.mlflow.shelf import Shelf


@dataclass(frozen=True, slots=True)
class Batch:
    """What is logged at once."""

    points: NativePoints | None = None
    params: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


def frozen_among(held: Mapping[str, str], params: Mapping[str, str]) -> dict[str, str]:
    """What a run holds of these params, where that is another value."""
    return {name: held[name] for name in params if held.get(name, params[name]) != params[name]}


class Backend(Protocol):
    """One place. All give equal tables for equal calls, but for params that changed (`frozen`).

    What a call wrote into the tables would survive a loss of power once it returns, as far as the
    database was set up so. Artifacts survive this process at once, and a loss of power from the
    folder's `settle` on.
    """

    def find(self, tag: str, value: str) -> Sequence[str]:
        """The runs whose tag has this value, but for those that somebody deleted in MLflow."""
        ...

    def present(self) -> Mapping[str, str]:
        """The sealed runs by the uid they carry, but for those that somebody deleted in MLflow."""
        ...

    def create(self, native: NativeRun, wished_ids: Sequence[str]) -> str:
        """Begin a run, its tags in the same step; the first wished id that is free, if it can.

        Raises Conflict when its experiment was deleted, Refused when artifacts cannot be stored.
        """
        ...

    def run(self, run_id: str) -> NativeRun:
        """The run with its tags; raises RunMissing."""
        ...

    def frozen(self, run_id: str, params: Mapping[str, str]) -> Mapping[str, str]:
        """Those of these params that have another value there and keep it; that value by name.

        MLflow's own interface never changes a param. Plain SQL does, so there are none.
        """
        ...

    def log(self, run_id: str, batch: Batch) -> None:
        """Rows, params that are not frozen, and tags; harmless when repeated."""
        ...

    def forget(self, run_id: str, batch: Batch) -> None:
        """Remove what an earlier sending left; Conflict where MLflow cannot: rows and params."""
        ...

    def finish(self, run_id: str, native: NativeRun) -> None:
        """Status, end time and name, then the tags."""
        ...

    def bury(self, run_id: str) -> None:
        """Mark the run as deleted, as it is in its source."""
        ...

    def revive(self, run_id: str) -> None:
        """Take that mark away."""
        ...

    def delete(self, run_id: str) -> None:
        """Remove the run."""
        ...

    @property
    def registry(self) -> Registry:
        """The models that are registered here."""
        ...

    @property
    def shelf(self) -> Shelf:
        """Datasets and logged models, beside the runs."""
        ...

    def folder(self, run_id: str) -> ArtifactFolder:
        """The run's artifacts."""
        ...

    def close(self) -> None:
        """Let go of files and connections."""
        ...

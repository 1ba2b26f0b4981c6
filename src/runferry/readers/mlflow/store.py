"""What the reader asks of a place that holds MLflow runs, and what of it is common to all."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from hashlib import sha256
from typing import TYPE_CHECKING, Protocol

from runferry.chunks import Artifact, Document, File, Lost
from runferry.dialects.mlflow.artifacts import ArtifactFolder
from runferry.dialects.mlflow.header import NativeRun
from runferry.dialects.mlflow.logged import LoggedModel, ModelFiles
from runferry.dialects.mlflow.registry import RegisteredModels
from runferry.errors import NotFound
from runferry.losses import Fate, Loss
from runferry.model import Tree
from runferry.readers.mlflow.version_files import Places

if TYPE_CHECKING:
    from runferry.dialects.mlflow.points import NativePoints


def gone(what: str, location: str) -> NotFound:
    """Nothing of this name is there, as where somebody deleted it since it was listed."""
    return NotFound(f"no {what}", where=location, hint=f"runferry ls {shlex.quote(location)}")


class Store(Places, Protocol):
    """One place. Holds nothing that grows with the size of a run."""

    @property
    def registry(self) -> RegisteredModels:
        """The registered models of the place."""
        ...

    def runs(self, *, include_deleted: bool) -> Iterator[NativeRun]:
        """All runs with their tags; params may be left out."""
        ...

    def deleted(self) -> int:
        """How many runs `runs` leaves out as deleted; 0 where that is not cheap to know."""
        ...

    def run(self, run_id: str) -> NativeRun:
        """One run with its tags and params; raises NotFound."""
        ...

    def metrics(self, run_id: str) -> Iterator[NativePoints]:
        """All rows, in the same order every time, at most BATCH_ROWS at once."""
        ...

    def rows(self, run_id: str) -> int:
        """About how many rows `metrics` will give; 0 where counting would cost as much as that."""
        ...

    def losses(self) -> Iterator[Loss]:
        """What could not be read since the last call."""
        ...

    def belongings(self, native: NativeRun) -> Iterator[Document | Artifact | File | Lost]:
        """Datasets that the run used, models that it made or used, its traces; what is lost."""
        ...

    def folder(self, native: NativeRun) -> ArtifactFolder:
        """The run's artifacts."""
        ...

    def orphans(self, only: str | None = None) -> Iterator[tuple[LoggedModel, str]]:
        """Logged models that no run made, each with the name of its experiment.

        `only` the one with this id, where that is given.
        """
        ...

    def model_folder(self, model: LoggedModel) -> ModelFiles:
        """Where the files of a logged model are."""
        ...

    def state(self, native: NativeRun) -> Tree:
        """Changes whenever the run's rows do; cheap."""
        ...

    def close(self) -> None:
        """Let go of files and connections."""
        ...


def digest(*things: object) -> str:
    """A hash of anything that JSON spells."""
    return sha256(json.dumps(things, sort_keys=True, default=str).encode()).hexdigest()[:32]


def used(model: LoggedModel) -> Iterator[Artifact | Lost]:
    """A logged model that the run used: its files are with the run that made it."""
    yield model.artifact(None, "used")
    detail = f"its files are with the model {model.model_id}"
    yield Lost(Loss("artifact-elsewhere", Fate.KEPT, model.name, 1, detail))

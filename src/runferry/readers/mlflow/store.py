"""What the reader asks of a place that holds MLflow runs, and what of it is common to all."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Protocol

from runferry.chunks import Artifact, Document, Lost
from runferry.dialects.mlflow.artifacts import ArtifactFolder, Entry
from runferry.dialects.mlflow.header import NativeRun
from runferry.dialects.mlflow.registry import NativeModel, NativeVersion
from runferry.losses import Loss
from runferry.model import ArtifactEntry, Blob, Tree

if TYPE_CHECKING:
    from runferry.dialects.mlflow.points import NativePoints


class Store(Protocol):
    """One place. Holds nothing that grows with the size of a run."""

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

    def belongings(self, native: NativeRun) -> Iterator[Document | Artifact | Lost]:
        """Datasets that the run used, models that it logged; what of it stays behind."""
        ...

    def folder(self, native: NativeRun) -> ArtifactFolder:
        """The run's artifacts."""
        ...

    def registered_models(self) -> Iterator[NativeModel]:
        """All models of the registry, with their versions."""
        ...

    def registered_model(self, name: str) -> NativeModel | None:
        """One of them."""
        ...

    def version_files(self, version: NativeVersion) -> ModelFiles:
        """Where the files of a version are; `NoFolder` where we cannot look."""
        ...

    def state(self, native: NativeRun) -> Tree:
        """Changes whenever the run's rows do; cheap."""
        ...

    def close(self) -> None:
        """Let go of files and connections."""
        ...


class ModelFiles(Protocol):
    """Where the files of a model are."""

    def walk(self) -> Iterable[Entry]:
        """All of them."""
        ...

    def blob(self, entry: Entry) -> Blob:
        """A file's bytes, read when they are asked for."""
        ...


@dataclass(frozen=True, slots=True)
class LoggedModel:
    """A model of MLflow 3 (`m-…`), which lives beside the runs of its experiment."""

    model_id: str
    name: str
    status: str
    model_type: str | None = None
    created_ms: int | None = None
    tags: dict[str, str] | None = None
    params: dict[str, str] | None = None

    def artifact(self, folder: ModelFiles) -> Artifact:
        """The model as an artifact that the run produced."""
        return Artifact(
            name=self.name,
            type="model",
            relation="produced",
            artifact_id=self.model_id,
            metadata={
                "status": self.status,
                "model_type": self.model_type,
                "created_ms": self.created_ms,
                "tags": dict(self.tags or {}),
                "params": dict(self.params or {}),
            },
            entries=tuple(ArtifactEntry(e.path, folder.blob(e)) for e in folder.walk()),
        )


def dataset(
    name: str,
    digest: str,
    source_type: str,
    source: str,
    schema: str | None,
    profile: str | None,
    tags: dict[str, str],
) -> Document:
    """A dataset that the run used."""
    return Document(
        "dataset",
        f"{name}@{digest}",
        {
            "name": name,
            "digest": digest,
            "source_type": source_type,
            "source": source,
            "schema": schema,
            "profile": profile,
            "tags": dict(tags),
        },
    )


def digest(*things: object) -> str:
    """A hash of anything that JSON spells."""
    return sha256(json.dumps(things, sort_keys=True, default=str).encode()).hexdigest()[:32]

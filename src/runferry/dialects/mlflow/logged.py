"""Logged models of MLflow 3 (`m-…`) and datasets, which live beside runs, and as chunks.

Facts from MLflow 3.17.2: `mlflow.entities.logged_model`, `mlflow.utils.validation`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol, cast

from runferry.chunks import Artifact, Document
from runferry.dialects.mlflow.artifacts import Entry
from runferry.dialects.mlflow.tags import TRACKER, storable
from runferry.model import ArtifactEntry, Blob, Run, RunKey, Tree

MODEL_ID_TAG: Final = "runferry.model_id"
"""The id that a logged model has in its source."""
JOB_TYPE: Final = "logged model"
"""Of the run that stands for a logged model which no run made."""
DATASET: Final = "dataset"
STATUS: Final = {0: "UNSPECIFIED", 1: "PENDING", 2: "READY", 3: "FAILED"}

_LONGEST: Final = {"name": 500, "digest": 36, "source_type": 36, "source": 65_535,
                   "schema": 1_048_575, "profile": 16_777_215}  # fmt: skip
_LONGEST_TAG: Final = (255, 500)


class ModelFiles(Protocol):
    """Where the files of a model are."""

    def walk(self) -> Iterable[Entry]:
        """All of them."""
        ...

    def blob(self, entry: Entry) -> Blob:
        """A file's bytes, read when they are asked for."""
        ...


@dataclass(frozen=True, slots=True)
class ModelMetric:
    """A metric of a logged model, which a run logged; time in ms."""

    key: str
    value: float
    timestamp: int
    step: int
    run_id: str
    dataset_name: str | None = None
    dataset_digest: str | None = None

    @property
    def tree(self) -> Tree:
        """As it stands in the model's metadata."""
        return {
            "key": self.key,
            "value": self.value,
            "timestamp": self.timestamp,
            "step": self.step,
            "run_id": self.run_id,
            "dataset_name": self.dataset_name,
            "dataset_digest": self.dataset_digest,
        }


@dataclass(frozen=True, slots=True)
class LoggedModel:
    """A logged model. Times in ms; `step` is where the run that made it counts it."""

    model_id: str
    name: str
    status: str
    model_type: str | None = None
    created_ms: int | None = None
    updated_ms: int | None = None
    status_message: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    metrics: tuple[ModelMetric, ...] = ()
    source_run: str | None = None
    location: str | None = None
    step: int | None = None

    @property
    def facts(self) -> dict[str, Tree]:
        """What is known of it apart from name, id and files; own tags of ours left out."""
        facts: dict[str, Tree] = {
            "status": self.status,
            "model_type": self.model_type or None,
            "created_ms": self.created_ms,
            "updated_ms": self.updated_ms,
            "tags": {k: v for k, v in self.tags.items() if not k.startswith("runferry.")},
            "params": dict(self.params),
        }
        if self.status_message:
            facts["status_message"] = self.status_message
        if self.step is not None:
            facts["step"] = self.step
        if self.metrics:
            facts["metrics"] = [one.tree for one in sorted(self.metrics, key=_order)]
        return facts

    def artifact(
        self, folder: ModelFiles | None, relation: Literal["produced", "used"] = "produced"
    ) -> Artifact:
        """The model as an artifact of a run; without a folder its files are with another run."""
        entries = () if folder is None else folder.walk()
        return Artifact(
            name=self.name,
            type="model",
            relation=relation,
            artifact_id=self.model_id,
            metadata=self.facts,
            entries=tuple(ArtifactEntry(e.path, _blob(folder, e)) for e in entries),
        )

    def run(self, experiment: str | None) -> Run:
        """The run that stands for a model which no run made."""
        created = None if self.created_ms is None else self.created_ms * 1_000_000
        return Run(
            key=RunKey(TRACKER, "", self.model_id),
            name=self.name,
            project=experiment,
            kind="model",
            job_type=JOB_TYPE,
            created_ns=created,
            started_ns=created,
            state="finished",
            complete=True,
        )


def _order(metric: ModelMetric) -> tuple[str, int, int, str, float]:
    return (metric.key, metric.step, metric.timestamp, metric.run_id, metric.value)


def _blob(folder: ModelFiles | None, entry: Entry) -> Blob:
    return Blob(entry.size) if folder is None else folder.blob(entry)


def is_logged_model(artifact: Artifact, relation: Literal["produced", "used"] = "produced") -> bool:
    """Whether a run of MLflow made, or used, this model."""
    return (
        artifact.relation == relation
        and artifact.type == "model"
        and is_model_id(artifact.artifact_id or "")
        and isinstance(artifact.metadata, dict)
        and {"status", "params", "tags"} <= artifact.metadata.keys()
    )


def is_model_id(name: str) -> bool:
    """Whether a logged model can have this id: 36 characters is what its column takes."""
    return re.fullmatch(r"m-[0-9a-zA-Z_\-]{1,34}", name) is not None


def logged_model(artifact: Artifact) -> LoggedModel:
    """The inverse of `LoggedModel.artifact`. What somebody else put in is left out."""
    facts = cast("dict[str, Tree]", artifact.metadata)
    metrics = facts.get("metrics")
    found = [_metric(one) for one in (metrics if isinstance(metrics, list) else [])]
    return LoggedModel(
        model_id=artifact.artifact_id or "",
        name=artifact.name,
        status=str(facts["status"]),
        model_type=_text(facts.get("model_type")),
        created_ms=_integer(facts.get("created_ms")),
        updated_ms=_integer(facts.get("updated_ms")),
        status_message=_text(facts.get("status_message")),
        tags=_texts(facts["tags"]),
        params=_texts(facts["params"]),
        metrics=tuple(one for one in found if one is not None),
        step=_integer(facts.get("step")),
    )


def _metric(tree: Tree) -> ModelMetric | None:
    if not isinstance(tree, dict):
        return None
    key, run_id, value = tree.get("key"), tree.get("run_id"), tree.get("value")
    time, step = _integer(tree.get("timestamp")), _integer(tree.get("step"))
    is_whole = isinstance(key, str) and isinstance(run_id, str) and isinstance(value, float)
    if not is_whole or time is None or step is None:
        return None
    return ModelMetric(
        str(key), float(str(value)), time, step, str(run_id),
        _text(tree.get("dataset_name")), _text(tree.get("dataset_digest")),
    )  # fmt: skip


# --- datasets -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Dataset:
    """A dataset that a run used, with the tags of that use (`mlflow.data.context`)."""

    name: str
    digest: str
    source_type: str
    source: str
    schema: str | None = None
    profile: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def document(self) -> Document:
        """As a document of the run."""
        return Document(
            DATASET,
            f"{self.name}@{self.digest}",
            {
                "name": self.name,
                "digest": self.digest,
                "source_type": self.source_type,
                "source": self.source,
                "schema": self.schema,
                "profile": self.profile,
                "tags": dict(self.tags),
            },
        )

    @property
    def fits(self) -> bool:
        """Whether MLflow takes it."""
        longest = all(len(getattr(self, name) or "") <= most for name, most in _LONGEST.items())
        key, value = _LONGEST_TAG
        return longest and all(len(k) <= key and len(v) <= value for k, v in self.tags.items())


def dataset(document: Document) -> Dataset | None:
    """The inverse of `Dataset.document`; None for a document of another kind or shape."""
    if document.kind != DATASET or not isinstance(document.body, dict):
        return None
    body = document.body
    needed = [body.get(name) for name in ("name", "digest", "source_type", "source")]
    if not all(isinstance(one, str) for one in needed):
        return None
    name, digest, source_type, source = map(storable, map(str, needed))
    schema, profile = _text(body.get("schema")), _text(body.get("profile"))
    return Dataset(name, digest, source_type, source, schema, profile, _texts(body.get("tags")))


def _texts(tree: Tree) -> dict[str, str]:
    pairs = tree.items() if isinstance(tree, dict) else ()
    return {storable(k): storable(v) for k, v in pairs if isinstance(v, str)}


def _text(tree: Tree) -> str | None:
    return storable(tree) if isinstance(tree, str) and tree else None


def _integer(tree: Tree) -> int | None:
    return tree if isinstance(tree, int) and not isinstance(tree, bool) else None

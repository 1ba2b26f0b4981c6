"""Which registered models and versions a run stands for, and what is said of them in MLflow.

Three kinds of run do: a model whose versions are its artifacts (MLflow), a version of a model that
is a run of its own (Neptune), and a run whose artifacts were linked to models (W&B).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, cast

from runferry.chunks import Artifact, Document
from runferry.dialects.mlflow.logged import JOB_TYPE
from runferry.dialects.mlflow.registry import (
    MAX_DESCRIPTION,
    MAX_VERSION_TAG,
    STAGES,
    NativeModel,
    is_alias,
    model_name,
    model_tags,
)
from runferry.dialects.mlflow.tags import TRACKER, storable
from runferry.model import Attribute, Run, RunKey, Tree, Uid
from runferry.writers.mlflow.target import artifact_place

REGISTERED: Final = "registered_model"
"""The kind of documents that link a version of an artifact to a model."""
_STAGES: Final = {stage.lower(): stage for stage in STAGES}
_LEGACY_REGISTRY: Final = "model-registry"
_REGISTRY: Final = "wandb-registry-"


@dataclass(frozen=True, slots=True)
class WishedVersion:
    """A version that MLflow should have. `path` is where its files are in the run's folder."""

    what: Literal["artifact", "document", "run"]
    identity: tuple[Tree, ...]
    """What the run calls it: of an artifact name, type and version, of a document kind and name."""
    version: str
    number: int
    path: str
    description: str | None = None
    aliases: tuple[str, ...] = ()
    stage: str = "None"
    tags: Mapping[str, str] = field(default_factory=dict)
    status: str = "READY"
    status_message: str | None = None
    user: str | None = None
    run_link: str | None = None
    created_ms: int | None = None
    updated_ms: int | None = None
    source: str = ""
    source_run: str | None = None
    """The MLflow run that it was made of, in the source."""

    @property
    def source_uid(self) -> Uid | None:
        """The mark of that run."""
        return None if self.source_run is None else RunKey(TRACKER, "", self.source_run).uid

    @property
    def model_id(self) -> str | None:
        """The logged model that it was made of, in the source."""
        found = re.fullmatch(r"models:/(m-[^/]+)", self.source)
        return found[1] if found else None

    @property
    def source_path(self) -> str | None:
        """Where its files were among that run's artifacts; None where they were elsewhere."""
        if self.source_run is None:
            return None
        run = re.escape(self.source_run)
        found = re.search(rf"(?:^runs:/+{run}|/{run}/artifacts)(?:/(.*))?$", self.source)
        return None if found is None else (found[1] or "").strip("/")

    @property
    def shown_aliases(self) -> tuple[str, ...]:
        """Those that MLflow takes."""
        return tuple(filter(is_alias, self.aliases))


@dataclass(frozen=True, slots=True)
class WishedModel:
    """A model that MLflow should have. `identity` says which one it is, from any machine."""

    identity: str
    name: str
    is_described: bool = False
    """Whether the run is the model, and says what it is."""
    description: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    created_ms: int | None = None
    versions: tuple[WishedVersion, ...] = ()

    @property
    def native(self) -> NativeModel:
        """The model in MLflow's words."""
        return NativeModel(model_name(self.name), self.description, self.created_ms, tags=self.tags)


def wished_models(
    run: Run,
    attributes: Sequence[Attribute],
    artifacts: Sequence[Artifact],
    documents: Sequence[Document],
) -> list[WishedModel]:
    """What a run stands for; nothing for most runs."""
    match run.kind:
        case "model" if run.job_type == JOB_TYPE:
            return []
        case "model":
            return [_model(run, artifacts)]
        case "model_version":
            return [_version_run(run, attributes)]
        case _:
            return list(_linked(artifacts, documents))


def _model(run: Run, artifacts: Sequence[Artifact]) -> WishedModel:
    own = [a for a in artifacts if a.relation == "produced" and a.type == "model" and a.version]
    return WishedModel(
        identity=_identity(run.key, run.key.run_id),
        name=_name_of(run),
        is_described=True,
        description=None if run.notes is None else storable(run.notes)[:MAX_DESCRIPTION],
        tags=model_tags(run.labels),
        created_ms=None if run.created_ns is None else run.created_ns // 1_000_000,
        versions=tuple(_version(artifact) for artifact in own),
    )


def _name_of(run: Run) -> str:
    """Neptune's models are called by the id that is unique in their workspace."""
    return run.group or run.name or run.key.run_id


def _identity(key: RunKey, model: str) -> str:
    return ":".join(filter(None, (key.tracker, key.scope, model)))


def _version(artifact: Artifact) -> WishedVersion:
    facts = artifact.metadata if isinstance(artifact.metadata, dict) else {}
    tags = facts.get("tags")
    version = artifact.version or ""
    return WishedVersion(
        what="artifact",
        identity=(artifact.name, artifact.type, artifact.version),
        version=version,
        number=_number(version),
        path=artifact_place(artifact),
        description=_said(artifact.description),
        aliases=artifact.aliases,
        stage=_STAGES.get(str(facts.get("stage")).lower(), "None"),
        tags=_texts(tags) if isinstance(tags, dict) else {},
        status=_text(facts.get("status")) or "READY",
        status_message=_text(facts.get("status_message")),
        user=_text(facts.get("user")),
        run_link=_text(facts.get("run_link")),
        created_ms=_integer(facts.get("created_ms")),
        updated_ms=_integer(facts.get("updated_ms")),
        source=_text(facts.get("source")) or "",
        source_run=_text(facts.get("run_id")),
    )


def _version_run(run: Run, attributes: Sequence[Attribute]) -> WishedModel:
    """The version is the run itself: its files are all that the run has."""
    above, _, number = run.key.run_id.rpartition("-")
    model = run.group or above or run.key.run_id
    stages = (a.value for a in attributes if a.path[-2:] == ("sys", "stage"))
    stage = _STAGES.get(str(next(stages, "None")).lower(), "None")
    version = WishedVersion(
        what="run",
        identity=(),
        version=run.key.run_id,
        number=_number(number),
        path="",
        description=_said(run.notes or run.name),
        stage=stage,
        tags=model_tags(run.labels, MAX_VERSION_TAG),
        created_ms=None if run.created_ns is None else run.created_ns // 1_000_000,
    )
    return WishedModel(_identity(run.key, model), model, versions=(version,))


def _linked(artifacts: Sequence[Artifact], documents: Sequence[Document]) -> Iterator[WishedModel]:
    """The links that W&B keeps: a version of an artifact is a version of a registered model."""
    own = {(a.name, a.version): a for a in artifacts if a.relation == "produced"}
    for document in documents:
        if document.kind != REGISTERED or not isinstance(document.body, dict):
            continue
        body = document.body
        artifact = own.get((str(body.get("artifact")), _text(body.get("artifact_version"))))
        name = _text(body.get("collection"))
        if artifact is None or name is None:
            continue
        project = _text(body.get("project")) or ""
        registry = "" if project == _LEGACY_REGISTRY else project.removeprefix(_REGISTRY)
        where = [part for part in (_text(body.get("entity")), project, name) if part]
        version = _text(body.get("version")) or _text(body.get("artifact_version")) or ""
        aliases = body.get("aliases")
        wished = WishedVersion(
            what="document",
            identity=(document.kind, document.name),
            version=version,
            number=_number(version) + 1,  # theirs begin with v0
            path=artifact_place(artifact),
            description=_said(artifact.description),
            aliases=tuple(map(str, aliases)) if isinstance(aliases, list) else (),
        )
        yield WishedModel(
            identity=":".join(("wandb", *where)),
            name=f"{registry}.{name}" if registry else name,
            versions=(wished,),
        )


def _number(version: str) -> int:
    """The number of a version; 0, which is none of MLflow's, where it has no number."""
    found = re.fullmatch(r"v?(\d{1,9})", version)
    return int(found[1]) if found else 0


def _said(text: str | None) -> str | None:
    return None if not text else storable(text)[:MAX_DESCRIPTION]


def _texts(tags: Mapping[str, Tree]) -> dict[str, str]:
    stated = {name: value for name, value in tags.items() if isinstance(value, str)}
    return model_tags(cast("Mapping[str, str]", stated), MAX_VERSION_TAG)


def _text(value: Tree) -> str | None:
    return value if isinstance(value, str) and value else None


def _integer(value: Tree) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None

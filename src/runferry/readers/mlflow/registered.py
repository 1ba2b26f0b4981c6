"""Registered models as runs of the kind `model`, and what the registry says of those we pushed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, cast

from runferry.chunks import Artifact, Attributes, Chunk, Document, Header, Lost
from runferry.dialects.mlflow.artifacts import NoFolder
from runferry.dialects.mlflow.header import NativeRun
from runferry.dialects.mlflow.logged import DATASET
from runferry.dialects.mlflow.registry import (
    NativeModel,
    NativeVersion,
    as_artifact,
    as_run,
    own_tags,
)
from runferry.losses import Fate, Loss, LossLedger
from runferry.model import ArtifactEntry, Attribute, Run, Tree
from runferry.readers.mlflow.store import Store, digest
from runferry.readers.mlflow.version_files import files_of

_VERSIONS: Final = "mlflow.modelVersions"


def model_runs(store: Store) -> Iterator[Run]:
    """The models that no run of ours holds whole."""
    for model in store.registry.models():
        if not model.is_ours:
            yield as_run(model)


def position_of(model: NativeModel) -> dict[str, Tree]:
    """Changes whenever anything about the model does, but for what lies in its files."""
    versions = [
        [v.version, v.source, v.run_id, v.description, v.stage, v.status, v.updated_ms,
         sorted(v.tags.items())]
        for v in model.versions
    ]  # fmt: skip
    facts = [model.description, model.updated_ms, sorted(model.tags.items())]
    return {"model": digest(facts, sorted(model.aliases.items()), versions)}


def model_chunks(store: Store, model: NativeModel) -> Iterator[Chunk]:
    """The model's header and attributes, and an artifact for each version that is not ours."""
    facts = {"last_updated_ms": model.updated_ms}
    yield Attributes(
        tuple(Attribute((name,), "other", value) for name, value in facts.items() if value)
    )
    for version in model.strangers():
        files = files_of(version, store)
        if isinstance(files, NoFolder):
            yield Lost(_unreachable(model, version))
        entries = tuple(ArtifactEntry(e.path, files.blob(e)) for e in files.walk())
        if not entries and not version.is_prompt and not isinstance(files, NoFolder):
            yield Lost(_empty(model, version))
        yield as_artifact(model, version, entries)
    for loss in model.losses:
        yield Lost(loss)
    yield Header(as_run(model))


def _unreachable(model: NativeModel, version: NativeVersion) -> Loss:
    return Loss(
        "unreachable-artifacts", Fate.DROPPED, f"{model.name}/{version.version}", 1,
        "the version's files cannot be reached from here; read from its server to have them",
    )  # fmt: skip


def _empty(model: NativeModel, version: NativeVersion) -> Loss:
    return Loss(
        "model-without-files", Fate.DROPPED, f"{model.name}/{version.version}", 1,
        "the place that the version names has no files, or is no folder of artifacts",
    )  # fmt: skip


# --- what we pushed -------------------------------------------------------------------------------


@dataclass
class Registered:
    """What a push of ours registered of a run, against what the registry says now."""

    store: Store
    native: NativeRun
    records: list[dict[str, Tree]]
    losses: LossLedger
    _models: dict[str, NativeModel | None] = field(default_factory=dict)
    _logged: dict[str, Artifact] | None = None
    _datasets: set[str] = field(default_factory=set)
    _used: set[str] = field(default_factory=set)

    def artifact(self, artifact: Artifact) -> Artifact | None:
        """The version as it is in the registry now; None, and a loss, when it was removed."""
        if artifact.relation == "used":
            self._used.add(artifact.name)
        for record in self._of("artifact", [artifact.name, artifact.type, artifact.version]):
            now = self._now(record)
            if now is None:
                return None
            artifact = self._amended(artifact, record, now)
        for record in self._of("logged", [artifact.artifact_id]):
            logged = self._beside().get(str(record["model"]))
            if logged is None:
                self._removed(str(record["model"]))
                return None
            artifact = _relogged(artifact, record, logged)
        return artifact

    def _beside(self) -> Mapping[str, Artifact]:
        """The models that the run has in MLflow now, by their ids there."""
        if self._logged is None:
            found = self.store.belongings(self.native)
            made = [one for one in found if isinstance(one, Artifact)]
            self._logged = {
                one.artifact_id or "": one for one in made if one.relation == "produced"
            }
        return self._logged

    def knows(self, found: Document | Artifact) -> bool:
        """Whether what lies beside the run was pushed with it."""
        if isinstance(found, Document):
            return found.name in self._datasets
        if found.relation == "used" and found.name in self._used:
            return True
        return any(
            record.get("what") == "logged" and record["model"] == found.artifact_id
            for record in self.records
        )

    def document(self, document: Document) -> Document | None:
        """The same of what links a version of an artifact to a model."""
        if document.kind == DATASET:
            self._datasets.add(document.name)
        for record in self._of("document", [document.kind, document.name]):
            now = self._now(record)
            if now is None:
                return None
            body = cast("dict[str, Tree]", document.body)
            held = tuple(map(str, cast("list[Tree]", body.get("aliases") or [])))
            aliases = _aliases(held, record, now[0].aliases_of(now[1].version))
            if aliases != held:
                document = replace(document, body={**body, "aliases": list(aliases)})
        return document

    def header(self, run: Run) -> Run:
        """Description and tags of the model, where somebody changed them in the registry."""
        for record in self._of("model", []):
            model = self._model(str(record["model"]))
            if model is None:
                self._removed(str(record["model"]))
                continue
            if (model.description or None) != record["description"]:
                run = replace(run, notes=model.description or None)
            sent = cast("dict[str, str]", record["tags"])
            labels = dict(run.labels)
            for name, text in own_tags(model.tags).items():
                if sent.get(name) != text:
                    labels[name] = text
            for name in sent.keys() - model.tags.keys():
                labels.pop(name, None)
            run = replace(run, labels=labels)
        for record in self._of("run", []):
            self._now(record)  # a loss when the version that this run is was removed
        return run

    def _of(self, what: str, identity: list[Tree]) -> Iterator[dict[str, Tree]]:
        for record in self.records:
            if record.get("what") == what and record.get("identity") == identity:
                yield record

    def _now(self, record: Mapping[str, Tree]) -> tuple[NativeModel, NativeVersion] | None:
        name, number = str(record["model"]), cast("int", record["version"])
        model = self._model(name)
        version = None if model is None else model.version(number)
        if model is None or version is None:
            self._removed(f"{name}/{number}")
            return None
        return model, version

    def _model(self, name: str) -> NativeModel | None:
        if name not in self._models:
            self._models[name] = self.store.registry.model(name)
        return self._models[name]

    def _removed(self, where: str) -> None:
        detail = "what was pushed is no longer in the registry"
        self.losses.add(Loss("removed-from-mlflow", Fate.DROPPED, where, 1, detail))

    def _amended(
        self,
        artifact: Artifact,
        record: Mapping[str, Tree],
        now: tuple[NativeModel, NativeVersion],
    ) -> Artifact:
        model, version = now
        aliases = _aliases(artifact.aliases, record, model.aliases_of(version.version))
        changed = replace(artifact, aliases=aliases)
        if (version.description or None) != record["description"]:
            changed = replace(changed, description=version.description or None)
        facts = dict(artifact.metadata) if isinstance(artifact.metadata, dict) else None
        if facts is None:
            return changed
        if version.stage != record["stage"]:
            facts["stage"] = version.stage
        tags = own_tags(version.tags)
        if tags != record["tags"]:
            facts["tags"] = dict(tags)
        return replace(changed, metadata=facts)


def _relogged(artifact: Artifact, record: Mapping[str, Tree], now: Artifact) -> Artifact:
    """Status and tags as they are in MLflow, where they are no longer what was pushed."""
    facts, found = artifact.metadata, now.metadata
    if not isinstance(facts, dict) or not isinstance(found, dict):
        return artifact
    changed = dict(facts)
    if found.get("status") != record["stage"]:
        changed["status"] = found.get("status")
    if _said(found.get("tags")) != _said(record["tags"]):
        changed["tags"] = found.get("tags")
    return artifact if changed == facts else replace(artifact, metadata=changed)


def _said(tags: Tree) -> Tree:
    """Tags without the one by which a server notes the versions that were made of the model."""
    return {k: v for k, v in tags.items() if k != _VERSIONS} if isinstance(tags, dict) else tags


def _aliases(
    held: tuple[str, ...], record: Mapping[str, Tree], now: tuple[str, ...]
) -> tuple[str, ...]:
    """The aliases that were pushed, with what was changed in MLflow since."""
    sent = {str(alias) for alias in cast("list[Tree]", record["aliases"])}
    gone = sent - set(now)
    return (*(alias for alias in held if alias not in gone), *(a for a in now if a not in sent))

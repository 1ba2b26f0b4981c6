"""What lies beside a run in MLflow 3: the datasets that it used, and the models that it logged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from runferry.dialects.mlflow.artifacts import ArtifactFolder, Entry
from runferry.dialects.mlflow.located import below
from runferry.dialects.mlflow.logged import (
    MODEL_ID_TAG,
    Dataset,
    LoggedModel,
    ModelMetric,
    dataset,
    is_logged_model,
    logged_model,
)
from runferry.dialects.mlflow.tags import MAX_TAG, TRACKER, UID_TAG
from runferry.losses import Fate, Loss
from runferry.model import Run, RunKey, Tree, Uid
from runferry.ports import RemoteId
from runferry.writers.mlflow.backend import Backend, Batch
from runferry.writers.mlflow.target import artifact_place

if TYPE_CHECKING:
    from runferry.chunks import Artifact, Document


class Shelf(Protocol):
    """One place. What is put twice is there once."""

    @property
    def has_models(self) -> bool:
        """Whether this MLflow has logged models."""
        ...

    def use(self, run_id: str, datasets: Sequence[Dataset]) -> None:
        """The run used these."""
        ...

    def models_of(self, run_id: str, uid: Uid) -> Iterable[LoggedModel]:
        """The models of the run that pushes of ours made: their marks say so."""
        ...

    def find(self, source_id: str) -> LoggedModel | None:
        """The model that a push of ours made of the one with this id in the source."""
        ...

    def take(self, run_id: str, model_id: str) -> None:
        """The run used this model."""
        ...

    def make(self, run_id: str, wished: LoggedModel) -> LoggedModel:
        """A new model of the run, with its tags and params; with the id and place that it got."""
        ...

    def folder(self, model: LoggedModel) -> ArtifactFolder | None:
        """Where its files go; None where it was made to stand at its location."""
        ...

    def finish(self, run_id: str, model: LoggedModel) -> None:
        """Status, tags, and that the run made it at its step."""
        ...

    def measure(self, run_id: str, model_id: str, metrics: Sequence[ModelMetric]) -> None:
        """Metrics of the model that this run logged."""
        ...


@dataclass
class Shelving:
    """What lies beside one run that is about to be sealed."""

    backend: Backend
    remote: RemoteId
    run: Run
    uid: Uid
    losses: list[Loss] = field(default_factory=list)

    def put(self, artifacts: Sequence[Artifact], documents: Sequence[Document]) -> list[Tree]:
        """Datasets and logged models. Returns what is there now, for the bundle."""
        self._use([one for one in map(dataset, documents) if one is not None])
        made = [artifact for artifact in artifacts if is_logged_model(artifact)]
        taken = [artifact for artifact in artifacts if is_logged_model(artifact, "used")]
        shelf = self.backend.shelf
        if not (made or taken) or not shelf.has_models:
            return []
        known = {
            model.tags.get(MODEL_ID_TAG): model for model in shelf.models_of(self.remote, self.uid)
        }
        records = [self._put(artifact, known) for artifact in made]
        for artifact in taken:
            self._take(logged_model(artifact))
        return records

    def _use(self, datasets: Sequence[Dataset]) -> None:
        fitting = [one for one in datasets if one.fits]
        if fitting:
            self.backend.shelf.use(self.remote, fitting)
        if len(fitting) < len(datasets):
            detail = "a dataset that is longer than MLflow takes is in the bundle alone"
            count = len(datasets) - len(fitting)
            self.losses.append(Loss("dataset-too-long", Fate.REENCODED, "", count, detail))

    def _take(self, used: LoggedModel) -> None:
        """Metrics that this run logged of a model of another one come with the run."""
        shelf = self.backend.shelf
        found = shelf.find(used.model_id)
        if found is None:  # whoever brings the model finds the run by this
            self.backend.log(self.remote, Batch(tags={_uses(used.model_id): "1"}))
            return
        shelf.take(self.remote, found.model_id)
        own = [metric for metric in used.metrics if metric.run_id == self.run.key.run_id]
        if own:
            shelf.measure(self.remote, found.model_id, own)

    def _put(self, artifact: Artifact, known: Mapping[str | None, LoggedModel]) -> Tree:
        wished, shelf = logged_model(artifact), self.backend.shelf
        marks = {UID_TAG: str(self.uid), MODEL_ID_TAG: wished.model_id}
        own = {tag: text[:MAX_TAG] for tag, text in wished.tags.items()}
        place = artifact_place(artifact)
        home = below(self.backend.run(self.remote).artifact_uri or "", place)
        wished = replace(wished, tags=own | marks, location=home)
        found = known.get(wished.model_id)
        if found is None:
            found = shelf.make(self.remote, wished)
        self._copy(place, found)
        source_id = wished.model_id
        now = replace(wished, model_id=found.model_id, location=found.location)
        shelf.finish(self.remote, now)
        for user in self.backend.find(_uses(source_id), "1"):
            shelf.take(user, now.model_id)
            self.backend.forget(user, Batch(tags={_uses(source_id): "1"}))
        self._measure(now)
        return {
            "what": "logged",
            "identity": [artifact.artifact_id],
            "model": found.model_id,
            "version": 0,
            "aliases": [],
            "description": None,
            "stage": wished.status,
            "tags": dict(own),
        }

    def _copy(self, place: str, model: LoggedModel) -> None:
        """The files once more, where a model has a folder of its own."""
        folder = self.backend.shelf.folder(model)
        if folder is None:
            return
        own = self.backend.folder(self.remote)
        held = {entry.path: entry.size for entry in folder.walk()}
        for entry in own.walk(place):
            path = entry.path.removeprefix(f"{place}/")
            blob = own.blob(Entry(entry.path, entry.size))
            if held.get(path, -1) != entry.size and blob.open is not None:
                with blob.open() as source:
                    folder.replace(path, source)
        folder.tidy()

    def _measure(self, model: LoggedModel) -> None:
        """A metric belongs to a run: to this one, or to another one that is here."""
        by_run: dict[str, list[ModelMetric]] = {}
        for metric in model.metrics:
            by_run.setdefault(metric.run_id, []).append(metric)
        for run_id, metrics in by_run.items():
            home = self._home(run_id)
            if home is not None:  # else the run that logged them brings them
                self.backend.shelf.measure(home, model.model_id, metrics)

    def _home(self, run_id: str) -> str | None:
        if run_id == self.run.key.run_id:
            return self.remote
        found = self.backend.find(UID_TAG, RunKey(TRACKER, "", run_id).uid)
        return found[0] if found else None


def _uses(source_id: str) -> str:
    """The tag of a run that used a model which is not here yet."""
    return f"runferry.uses.{source_id}"

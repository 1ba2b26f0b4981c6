"""Datasets and logged models in any other SQL database, through the vendor's own store."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any

from runferry.dialects.mlflow.artifacts import ArtifactFolder
from runferry.dialects.mlflow.located import folder_at
from runferry.dialects.mlflow.logged import MODEL_ID_TAG, Dataset, LoggedModel, ModelMetric
from runferry.dialects.mlflow.tags import UID_TAG
from runferry.dialects.mlflow.vendor_models import as_model
from runferry.model import Uid


class VendorShelf:
    """One `SqlAlchemyStore`. Ids, places and times are its own."""

    def __init__(self, store: Any, ours: Callable[[], AbstractContextManager[None]]) -> None:
        self._store = store
        self._ours = ours
        self.has_models = hasattr(store, "create_logged_model")

    def use(self, run_id: str, datasets: Sequence[Dataset]) -> None:
        """See `Shelf`."""
        from mlflow.entities import Dataset as Entity
        from mlflow.entities import DatasetInput, InputTag

        inputs = [
            DatasetInput(
                Entity(d.name, d.digest, d.source_type, d.source, d.schema, d.profile),
                [InputTag(key, value) for key, value in d.tags.items()],
            )
            for d in datasets
        ]
        with self._ours():
            self._store.log_inputs(run_id, inputs)

    def models_of(self, run_id: str, uid: Uid) -> Iterable[LoggedModel]:
        """See `Shelf`."""
        condition = f"source_run_id = '{run_id}' AND tags.`{UID_TAG}` = '{uid}'"
        token = None
        while True:
            with self._ours():
                number = self._store.get_run(run_id).info.experiment_id
                page = self._store.search_logged_models([number], condition, page_token=token)
            yield from map(as_model, page)
            token = page.token
            if not token:
                return

    def find(self, source_id: str) -> LoggedModel | None:
        """See `Shelf`."""
        from mlflow.entities import ViewType

        token = None
        while True:
            with self._ours():
                page = self._store.search_experiments(ViewType.ACTIVE_ONLY, 1000, page_token=token)
                found = self._store.search_logged_models(
                    [experiment.experiment_id for experiment in page],
                    f"tags.`{MODEL_ID_TAG}` = '{source_id}'",
                )
            if found:
                return as_model(found[0])
            token = page.token
            if not token:
                return None

    def take(self, run_id: str, model_id: str) -> None:
        """See `Shelf`."""
        from mlflow.entities import LoggedModelInput

        with self._ours():
            inputs = self._store.get_run(run_id).inputs
            known = inputs.model_inputs if inputs else ()
            if model_id not in (one.model_id for one in known):
                self._store.log_inputs(run_id, models=[LoggedModelInput(model_id)])

    def make(self, run_id: str, wished: LoggedModel) -> LoggedModel:
        """See `Shelf`."""
        from mlflow.entities import LoggedModelParameter, LoggedModelTag

        tags = [LoggedModelTag(key, value) for key, value in wished.tags.items()]
        params = [LoggedModelParameter(key, value) for key, value in wished.params.items()]
        with self._ours():
            number = self._store.get_run(run_id).info.experiment_id
            return as_model(
                self._store.create_logged_model(
                    number, wished.name, run_id, tags, params, wished.model_type
                )
            )

    def folder(self, model: LoggedModel) -> ArtifactFolder | None:
        """Where the store put the model."""
        return folder_at(model.location)

    def finish(self, run_id: str, model: LoggedModel) -> None:
        """See `Shelf`."""
        from mlflow.entities import LoggedModelOutput, LoggedModelStatus, LoggedModelTag

        tags = [LoggedModelTag(key, value) for key, value in model.tags.items()]
        with self._ours():
            self._store.set_logged_model_tags(model.model_id, tags)
            if model.status in ("PENDING", "READY", "FAILED"):
                self._store.finalize_logged_model(model.model_id, LoggedModelStatus(model.status))
            if model.step is None:
                return
            outputs = self._store.get_run(run_id).outputs
            known = outputs.model_outputs if outputs else ()
            if model.model_id not in (one.model_id for one in known):
                self._store.log_outputs(run_id, [LoggedModelOutput(model.model_id, model.step)])

    def measure(self, run_id: str, model_id: str, metrics: Sequence[ModelMetric]) -> None:
        """See `Shelf`."""
        from mlflow.entities import Metric

        rows = [
            Metric(m.key, m.value, m.timestamp, m.step, model_id, m.dataset_name, m.dataset_digest)
            for m in metrics
        ]
        with self._ours():
            for start in range(0, len(rows), 500):
                self._store.log_batch(run_id, rows[start : start + 500], [], [])

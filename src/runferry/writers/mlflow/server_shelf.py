"""Datasets and logged models of a tracking server, through its REST interface."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from runferry.dialects.mlflow.artifacts import ArtifactFolder
from runferry.dialects.mlflow.logged import MODEL_ID_TAG, Dataset, LoggedModel, ModelMetric
from runferry.dialects.mlflow.points import storable_value
from runferry.dialects.mlflow.served_models import PATH, as_model
from runferry.dialects.mlflow.server import Server
from runferry.dialects.mlflow.tags import UID_TAG
from runferry.errors import RunMissing
from runferry.model import Uid

_STATUS: Final = {"PENDING": 1, "READY": 2, "FAILED": 3}
_PART: Final = 100

FolderOf = Callable[[LoggedModel], ArtifactFolder]


class ServerShelf:
    """One tracking server. Ids, places and times are its own."""

    def __init__(
        self, server: Server, folder_of: FolderOf, experiments: Callable[[], Iterable[str]]
    ) -> None:
        self._server = server
        self._folder_of = folder_of
        self._experiments = experiments
        self._has_models: bool | None = None

    @property
    def has_models(self) -> bool:
        """See `Shelf`. Asked once."""
        if self._has_models is None:
            try:
                self._server.post(f"{PATH}/search", {"experiment_ids": ["0"], "max_results": 1})
            except RunMissing:
                self._has_models = False
            else:
                self._has_models = True
        return self._has_models

    def use(self, run_id: str, datasets: Sequence[Dataset]) -> None:
        """See `Shelf`."""
        for start in range(0, len(datasets), _PART):
            given = [_dataset(one) for one in datasets[start : start + _PART]]
            self._server.post("/runs/log-inputs", {"run_id": run_id, "datasets": given})

    def models_of(self, run_id: str, uid: Uid) -> Iterable[LoggedModel]:
        """See `Shelf`."""
        number = self._experiment_of(run_id)
        condition = f"source_run_id = '{run_id}' AND tags.`{UID_TAG}` = '{uid}'"
        body = {"experiment_ids": [number], "filter": condition}
        return map(as_model, self._server.pages(f"{PATH}/search", body, "models"))

    def _experiment_of(self, run_id: str) -> str:
        run = self._server.get("/runs/get", {"run_id": run_id})["run"]
        return str(run["info"]["experiment_id"])

    def find(self, source_id: str) -> LoggedModel | None:
        """See `Shelf`."""
        experiments = list(self._experiments())
        condition = f"tags.`{MODEL_ID_TAG}` = '{source_id}'"
        for start in range(0, len(experiments), _PART):
            body = {"experiment_ids": experiments[start : start + _PART], "filter": condition}
            for model in self._server.pages(f"{PATH}/search", body, "models"):
                return as_model(model)
        return None

    def take(self, run_id: str, model_id: str) -> None:
        """See `Shelf`."""
        run = self._server.get("/runs/get", {"run_id": run_id})["run"]
        known = run.get("inputs", {}).get("model_inputs", [])
        if model_id not in (one.get("model_id") for one in known):
            given = {"run_id": run_id, "models": [{"model_id": model_id}]}
            self._server.post("/runs/log-inputs", given)

    def make(self, run_id: str, wished: LoggedModel) -> LoggedModel:
        """See `Shelf`."""
        body: dict[str, object] = {
            "experiment_id": self._experiment_of(run_id),
            "name": wished.name,
            "source_run_id": run_id,
            "tags": _pairs(wished.tags),
        }
        if wished.model_type:
            body["model_type"] = wished.model_type
        params = _pairs(wished.params)
        answer = self._server.post(PATH, body | {"params": params[:_PART]}, idempotent=False)
        made = as_model(answer["model"])
        for start in range(_PART, len(params), _PART):
            more = {"params": params[start : start + _PART]}
            self._server.post(f"{PATH}/{made.model_id}/params", more, idempotent=False)
        return made

    def folder(self, model: LoggedModel) -> ArtifactFolder | None:
        """Through the server's proxy, or where its artifacts are for all."""
        return self._folder_of(model)

    def finish(self, run_id: str, model: LoggedModel) -> None:
        """See `Shelf`."""
        place = f"{PATH}/{model.model_id}"
        self._server.send("PATCH", f"{place}/tags", {"tags": _pairs(model.tags)})
        if (number := _STATUS.get(model.status)) is not None:
            self._server.send("PATCH", place, {"model_id": model.model_id, "status": number})
        if model.step is None:
            return
        run = self._server.get("/runs/get", {"run_id": run_id})["run"]
        known = run.get("outputs", {}).get("model_outputs", [])
        if model.model_id not in (one.get("model_id") for one in known):
            output = {"model_id": model.model_id, "step": model.step}
            self._server.post("/runs/outputs", {"run_id": run_id, "models": [output]})

    def measure(self, run_id: str, model_id: str, metrics: Sequence[ModelMetric]) -> None:
        """See `Shelf`. The server stores them with the run too, where they are already."""
        rows = [_metric(model_id, one) for one in metrics]
        for start in range(0, len(rows), 500):
            part = rows[start : start + 500]
            self._server.post("/runs/log-batch", {"run_id": run_id, "metrics": part})


def _dataset(one: Dataset) -> dict[str, object]:
    facts = {"name": one.name, "digest": one.digest, "source_type": one.source_type,
             "source": one.source, "schema": one.schema, "profile": one.profile}  # fmt: skip
    held = {name: value for name, value in facts.items() if value is not None}
    return {"dataset": held, "tags": _pairs(one.tags)}


def _metric(model_id: str, one: ModelMetric) -> dict[str, object]:
    # JSON has no infinities, and the server would store them so
    value: object = "NaN" if one.value != one.value else storable_value(one.value)
    facts: dict[str, object] = {"key": one.key, "value": value, "timestamp": one.timestamp,
                                "step": one.step, "model_id": model_id}  # fmt: skip
    if one.dataset_name and one.dataset_digest:
        facts |= {"dataset_name": one.dataset_name, "dataset_digest": one.dataset_digest}
    return facts


def _pairs(pairs: object) -> list[dict[str, str]]:
    assert isinstance(pairs, dict)
    return [{"key": key, "value": value} for key, value in pairs.items()]

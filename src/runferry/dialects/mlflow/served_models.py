"""Logged models of a tracking server, through its REST interface."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from runferry.dialects.mlflow.logged import LoggedModel, ModelMetric
from runferry.dialects.mlflow.server import Server
from runferry.errors import RunMissing

PATH: Final = "/logged-models"
_WORDS: Final = {"UPLOAD_FAILED": "FAILED"}
"""What REST calls otherwise than MLflow's own entities do."""


class ServedModels:
    """One search an experiment: thousands of nested runs are not as many questions.

    What was found is kept until something is asked of another experiment: a run that is being read
    whose models have changed since is read again by the next pull.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self._experiment: str | None = None
        self._by_run: dict[str | None, list[LoggedModel]] = {}

    def of_run(self, experiment: str, run_id: str | None) -> Sequence[LoggedModel]:
        """The models that a run of this experiment made, or that no run made."""
        if self._experiment != experiment:
            self._by_run = {}
            for model in self._searched(experiment):
                self._by_run.setdefault(model.source_run, []).append(model)
            self._experiment = experiment
        return self._by_run.get(run_id, ())

    def of_pushed(self, experiment: str, run_id: str) -> Iterator[LoggedModel]:
        """The same of a run that a push of ours made, maybe a moment ago: asked each time."""
        return self._searched(experiment, f"source_run_id = '{run_id}'")

    def of_id(self, model_id: str) -> Iterator[LoggedModel]:
        """The model of this id, if there is one."""
        try:
            yield as_model(self._server.get(f"{PATH}/{model_id}", {})["model"])
        except RunMissing:
            return

    def _searched(self, experiment: str, condition: str = "") -> Iterator[LoggedModel]:
        body: dict[str, object] = {"experiment_ids": [experiment]}
        if condition:
            body["filter"] = condition
        try:
            for model in self._server.pages(f"{PATH}/search", body, "models"):
                yield as_model(model)
        except RunMissing:
            return  # a server before MLflow 3 has no logged models


def as_model(answer: Mapping[str, Any]) -> LoggedModel:
    """A model as the server tells it."""
    info, facts = answer["info"], answer.get("data", {})
    status = str(info.get("status", "")).removeprefix("LOGGED_MODEL_")
    return LoggedModel(
        model_id=info["model_id"],
        name=info["name"],
        status=_WORDS.get(status, status),
        model_type=info.get("model_type") or None,
        created_ms=_integer(info.get("creation_timestamp_ms")),
        updated_ms=_integer(info.get("last_updated_timestamp_ms")),
        status_message=info.get("status_message") or None,
        tags={t["key"]: t.get("value", "") for t in info.get("tags", [])},
        params={p["key"]: p.get("value", "") for p in facts.get("params", [])},
        metrics=tuple(map(_metric, facts.get("metrics", []))),
        source_run=info.get("source_run_id") or None,
        location=info.get("artifact_uri"),
    )


def _metric(facts: Mapping[str, Any]) -> ModelMetric:
    return ModelMetric(
        key=facts["key"],
        value=float(facts.get("value", 0.0)),
        timestamp=int(facts.get("timestamp", 0)),
        step=int(facts.get("step", 0)),
        run_id=facts.get("run_id", ""),
        dataset_name=facts.get("dataset_name") or None,
        dataset_digest=facts.get("dataset_digest") or None,
    )


def _integer(value: object) -> int | None:
    return None if value is None else int(str(value))

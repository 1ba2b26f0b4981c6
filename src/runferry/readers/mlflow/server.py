"""Reads an MLflow tracking server through its REST interface; no mlflow package needed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np

from runferry.chunks import Artifact, Document, File, Lost
from runferry.dialects.mlflow.artifacts import ArtifactFolder, NoFolder
from runferry.dialects.mlflow.header import NativeRun
from runferry.dialects.mlflow.located import folder_at, local_path
from runferry.dialects.mlflow.logged import Dataset, LoggedModel, ModelFiles
from runferry.dialects.mlflow.points import NativePoints
from runferry.dialects.mlflow.served_folder import ServedFolder, ServedModelFolder
from runferry.dialects.mlflow.served_models import ServedModels
from runferry.dialects.mlflow.served_registry import ServedRegistry
from runferry.dialects.mlflow.server import Server
from runferry.dialects.mlflow.tags import DELETED_TAG
from runferry.errors import NotFound, RunMissing
from runferry.losses import Loss
from runferry.model import Tree
from runferry.readers.mlflow.served_traces import ServedTraces
from runferry.readers.mlflow.store import digest, gone, used

_HISTORY_PAGE: Final = 25_000  # the most that get-history gives at once
_RUNS_PAGE: Final = 1_000


class ServerStore:
    """One tracking server."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.registry = ServedRegistry(server)
        self._models = ServedModels(server)
        self._traces = ServedTraces(server)
        self._experiments: dict[str, str] = {}
        self._asked: tuple[str, dict[str, Any]] = ("", {})
        self._pushed: tuple[str, Sequence[LoggedModel]] = ("", ())
        self._search_experiments("ACTIVE_ONLY")  # fails early where there is no server

    def _search_experiments(self, view: str) -> dict[str, str]:
        found = {
            str(e["experiment_id"]): str(e["name"])
            for e in self._server.pages(
                "/experiments/search", {"max_results": 1000, "view_type": view}, "experiments"
            )
        }
        self._experiments |= found
        return found

    def runs(self, *, include_deleted: bool) -> Iterator[NativeRun]:
        """By experiment, in the order in which they began."""
        self._traces = ServedTraces(self._server)  # there may be some by now
        view = "ALL" if include_deleted else "ACTIVE_ONLY"
        for experiment in self._search_experiments(view):
            body = {
                "experiment_ids": [experiment],
                "run_view_type": view,
                "max_results": _RUNS_PAGE,
                "order_by": ["attributes.start_time ASC", "attributes.run_id ASC"],
            }
            for answer in self._server.pages("/runs/search", body, "runs"):
                yield self._native(answer)
            if not include_deleted:
                marked = {"run_view_type": "DELETED_ONLY", "filter": f"tags.`{DELETED_TAG}` != ''"}
                for answer in self._server.pages("/runs/search", body | marked, "runs"):
                    yield self._native(answer)

    def deleted(self) -> int:
        """Not known: it would take a second search of everything."""
        return 0

    def run(self, run_id: str) -> NativeRun:
        """One run with its params, as it is now; what is asked of it next is answered by this."""
        self._asked, self._pushed = (run_id, self._answer(run_id)), ("", ())
        return self._native(self._asked[1])

    def _run(self, run_id: str) -> dict[str, Any]:
        return self._asked[1] if self._asked[0] == run_id else self._answer(run_id)

    def _answer(self, run_id: str) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = self._server.get("/runs/get", {"run_id": run_id})["run"]
        except RunMissing as error:
            raise gone(f"run {run_id}", f"mlflow:{self._server.where}") from error
        return answer

    def _native(self, run: dict[str, Any]) -> NativeRun:
        info, facts = run["info"], run.get("data", {})
        number = str(info["experiment_id"])
        if number not in self._experiments:
            self._search_experiments("ALL")
        return NativeRun(
            run_id=info["run_id"],
            experiment=self._experiments.get(number, number),
            name=info.get("run_name"),
            user=info.get("user_id"),
            status=info.get("status", "RUNNING"),
            start_ms=_integer(info.get("start_time")),
            end_ms=_integer(info.get("end_time")),
            lifecycle=info.get("lifecycle_stage", "active"),
            artifact_uri=info.get("artifact_uri"),
            experiment_id=number,
            tags={t["key"]: t.get("value", "") for t in facts.get("tags", [])},
            params={p["key"]: p.get("value", "") for p in facts.get("params", [])},
        )

    def metrics(self, run_id: str) -> Iterator[NativePoints]:
        """By key; within it as the server orders them: by time, step and value."""
        latest = self._run(run_id).get("data", {}).get("metrics", [])
        for key in sorted(metric["key"] for metric in latest):
            params: dict[str, str | int] = {"run_id": run_id, "metric_key": key}
            while True:
                answer = self._server.get(
                    "/metrics/get-history", {**params, "max_results": _HISTORY_PAGE}
                )
                yield _points(key, answer.get("metrics", []))
                if not answer.get("next_page_token"):
                    break
                params["page_token"] = answer["next_page_token"]

    def rows(self, run_id: str) -> int:
        """A history is as dear to count as to read."""
        return 0

    def losses(self) -> Iterator[Loss]:
        """A server answers or fails."""
        return iter(())

    def belongings(self, native: NativeRun) -> Iterator[Document | Artifact | File | Lost]:
        """The run's dataset inputs, the models that it made or used, and its traces."""
        run = self._run(native.run_id)
        for given in run.get("inputs", {}).get("dataset_inputs", []):
            facts = given["dataset"]
            yield Dataset(
                facts["name"],
                facts["digest"],
                facts["source_type"],
                facts["source"],
                facts.get("schema"),
                facts.get("profile"),
                {t["key"]: t["value"] for t in given.get("tags", [])},
            ).document
        for given in run.get("inputs", {}).get("model_inputs", []):
            for model in self._models.of_id(given["model_id"]):
                yield from used(model)
        for model in self._made(native):
            yield _at_its_step(model, run).artifact(self.model_folder(model))
        yield from self._traces.chunks(native.experiment_id, native.run_id)

    def _made(self, native: NativeRun) -> Iterable[LoggedModel]:
        if native.uid is not None:
            if self._pushed[0] != native.run_id:
                found = self._models.of_pushed(native.experiment_id, native.run_id)
                self._pushed = (native.run_id, tuple(found))
            return self._pushed[1]
        return self._models.of_run(native.experiment_id, native.run_id)

    def orphans(self, only: str | None = None) -> Iterator[tuple[LoggedModel, str]]:
        """Logged models that no run made, each with the name of its experiment."""
        for number, name in self._search_experiments("ACTIVE_ONLY").items():
            for model in self._models.of_run(number, None):
                if only in (None, model.model_id):
                    yield model, name

    def model_folder(self, model: LoggedModel) -> ModelFiles:
        """Where the files of a logged model are."""
        return ServedModelFolder(self._server, model.model_id, model.location or "")

    def run_folder(self, run_id: str) -> tuple[ArtifactFolder, str] | None:
        """A run's artifacts, and the URI that its row gives for them."""
        try:
            uri = str(self._run(run_id)["info"].get("artifact_uri", ""))
        except NotFound:
            return None
        return ServedFolder(self._server, run_id, uri), uri

    def logged_model(self, model_id: str) -> ArtifactFolder | None:
        """A logged model's artifacts."""
        return ServedModelFolder(self._server, model_id, "")

    def located(self, uri: str) -> ArtifactFolder:
        """Never a folder of the server's own machine."""
        return NoFolder(uri) if local_path(uri) is not None else folder_at(uri)

    def folder(self, native: NativeRun) -> ArtifactFolder:
        """Through the server."""
        return ServedFolder(self._server, native.run_id, native.artifact_uri or "")

    def state(self, native: NativeRun) -> Tree:
        """The header and each metric's latest row; a server cannot count a history cheaply."""
        run = self._run(native.run_id)
        models = [[m.model_id, m.name, m.facts] for m in self._made(native)]
        facts = (run["info"], run.get("data", {}), run.get("inputs"), run.get("outputs"))
        traces = [one.info for one in self._traces.of_run(native.experiment_id, native.run_id)]
        return digest(*facts, models, traces) if traces else digest(*facts, models)

    def close(self) -> None:
        """Close the connections."""
        self._server.close()


def _at_its_step(model: LoggedModel, run: dict[str, Any]) -> LoggedModel:
    """With the step at which the run says that it made the model."""
    for output in run.get("outputs", {}).get("model_outputs", []):
        if output.get("model_id") == model.model_id:
            return replace(model, step=int(output.get("step", 0)))
    return model


def _points(key: str, rows: list[dict[str, Any]]) -> NativePoints:
    # JSON spells the non-finite ones "NaN", "Infinity" and "-Infinity"; int64 as strings
    value = np.array([float(row.get("value", 0.0)) for row in rows], np.float64)
    return NativePoints(
        [key],
        np.zeros(len(rows), np.int64),
        np.array([int(row.get("timestamp", 0)) for row in rows], np.int64),
        np.array([int(row.get("step", 0)) for row in rows], np.int64),
        value,
        np.isnan(value),
    )


def _integer(value: str | int | None) -> int | None:
    return None if value is None else int(value)

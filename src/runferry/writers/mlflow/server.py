"""Writes an MLflow tracking server through its REST interface; no mlflow package needed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import urlsplit

from runferry.dialects.mlflow.artifacts import ArtifactFolder, NoFolder
from runferry.dialects.mlflow.header import NativeRun
from runferry.dialects.mlflow.located import folder_at, local_path
from runferry.dialects.mlflow.logged import LoggedModel
from runferry.dialects.mlflow.points import NativePoints
from runferry.dialects.mlflow.served_folder import ServedFolder, ServedModelFolder
from runferry.dialects.mlflow.served_registry import ServedRegistry
from runferry.dialects.mlflow.server import Server
from runferry.dialects.mlflow.tags import DELETED_TAG, SEALED, SEALED_TAG, UID_TAG
from runferry.errors import Conflict, Declined, Refused, RunMissing
from runferry.writers.mlflow.backend import Batch, frozen_among
from runferry.writers.mlflow.rivals import yield_at_begin, yield_at_end
from runferry.writers.mlflow.server_shelf import ServerShelf

_METRICS: Final = 1_000
_PAIRS: Final = 100
_BYTES: Final = 900_000  # MAX_BATCH_LOG_REQUEST_SIZE is 1e6
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")


class ServerBackend:
    """One tracking server."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.registry = ServedRegistry(server)
        self.shelf = ServerShelf(server, self._model_folder, lambda: self._experiments)
        self._begun: dict[str, str] = {}  # runs that this process began, by experiment
        body = {"max_results": 1000, "view_type": "ACTIVE_ONLY"}
        found = server.pages("/experiments/search", body, "experiments")
        self._experiments = {str(e["experiment_id"]): None for e in found}  # an ordered set

    def find(self, tag: str, value: str) -> Sequence[str]:
        """Among the experiments that were active when this began, and those of our own runs.

        `create` looks into its experiment again, so one that another process made is not missed.
        """
        found = self._searched(tag, value)
        return [str(run["info"]["run_id"]) for run in found]

    def _searched(self, tag: str, value: str) -> Iterator[dict[str, Any]]:
        experiments = list(self._experiments)
        for start in range(0, len(experiments), 500):
            yield from self._search(experiments[start : start + 500], tag, value)

    def _marked(self, experiments: Sequence[str], tag: str, value: str) -> list[str]:
        return [str(run["info"]["run_id"]) for run in self._search(experiments, tag, value)]

    def _search(self, experiments: Sequence[str], tag: str, value: str) -> list[dict[str, Any]]:
        body = {
            "experiment_ids": list(experiments),
            "filter": f"tags.`{tag}` = '{value}'",
            "run_view_type": "ALL",
            "max_results": 1000,
        }
        return [run for run in self._server.pages("/runs/search", body, "runs") if _is_there(run)]

    def present(self) -> Mapping[str, str]:
        """One search among the same experiments; each run comes with its tags."""
        found: dict[str, str] = {}
        for run in self._searched(SEALED_TAG, SEALED):
            tags = _mapping(run.get("data", {}).get("tags", []))
            is_deleted = run["info"].get("lifecycle_stage") == "deleted"
            if UID_TAG in tags and is_deleted == (DELETED_TAG in tags):
                found.setdefault(tags[UID_TAG], str(run["info"]["run_id"]))
        return found

    def create(self, native: NativeRun, wished_ids: Sequence[str]) -> str:
        """The run id is the server's own. Raises Conflict when another push begins it now."""
        number, location = self._experiment(native.experiment)
        self._check_folder(location)
        begun = self._marked([number], UID_TAG, native.tags[UID_TAG])
        if begun:
            return begun[0]  # the answer to an earlier request was lost
        answer = self._server.post(
            "/runs/create",
            {
                "experiment_id": number,
                "user_id": native.user or "",
                "start_time": native.start_ms,
                "run_name": native.name,
                "tags": _pairs(native.tags),
            },
            idempotent=False,
        )
        run_id = str(answer["run"]["info"]["run_id"])
        self._begun[run_id] = number
        yield_at_begin(self, run_id, self._marked([number], UID_TAG, native.tags[UID_TAG]))
        return run_id

    def _experiment(self, name: str) -> tuple[str, str]:
        try:
            experiment = self._experiment_named(name)
        except RunMissing:
            with _unless_there():  # another worker, or another push, made it meanwhile
                self._server.post("/experiments/create", {"name": name})
            experiment = self._experiment_named(name)
        number = str(experiment["experiment_id"])
        if experiment.get("lifecycle_stage") == "deleted":
            raise Conflict(
                f"the experiment {name!r} was deleted in MLflow",
                where=self._server.where,
                hint=f"mlflow experiments restore --experiment-id {number}",
            )
        self._experiments[number] = None
        return number, str(experiment["artifact_location"])

    def _experiment_named(self, name: str) -> dict[str, Any]:
        found = self._server.get("/experiments/get-by-name", {"experiment_name": name})
        experiment: dict[str, Any] = found["experiment"]
        return experiment

    def _check_folder(self, uri: str) -> None:
        if isinstance(self._folder("", uri), NoFolder):
            raise Refused(
                "the server keeps artifacts on its own disk and does not serve them",
                where=self._server.where,
                hint="start it with: mlflow server --serve-artifacts",
            )

    def run(self, run_id: str) -> NativeRun:
        """The run with its tags and params."""
        run = self._server.get("/runs/get", {"run_id": run_id})["run"]
        info = run["info"]
        return NativeRun(
            run_id,
            "",
            info.get("run_name"),
            info.get("user_id"),
            info.get("status", "RUNNING"),
            lifecycle=info.get("lifecycle_stage", "active"),
            artifact_uri=info.get("artifact_uri"),
            tags=_mapping(run.get("data", {}).get("tags", [])),
            params=_mapping(run.get("data", {}).get("params", [])),
        )

    def frozen(self, run_id: str, params: Mapping[str, str]) -> Mapping[str, str]:
        """Asked beforehand: the server refuses the whole batch that would change a param."""
        return frozen_among(self.run(run_id).params, params) if params else {}

    def log(self, run_id: str, batch: Batch) -> None:
        """`log-batch` in the sizes that it takes."""
        for field, pairs in (("params", batch.params), ("tags", batch.tags)):
            for items in _portions(iter(_pairs(pairs)), _PAIRS):
                self._server.post("/runs/log-batch", {"run_id": run_id, field: items})
        if batch.points is not None:
            for items in _portions(_metrics(batch.points), _METRICS):
                self._server.post("/runs/log-batch", {"run_id": run_id, "metrics": items})

    def forget(self, run_id: str, batch: Batch) -> None:
        """Tags only: MLflow's interface cannot remove a metric's row or a param."""
        for tag in batch.tags:
            self._server.post("/runs/delete-tag", {"run_id": run_id, "key": tag})
        if batch.points is None and not batch.params:
            return
        raise Conflict(
            "the run in MLflow holds rows or params that it should no longer, and cannot lose them",
            where=f"{self._server.where} ({run_id})",
            hint=f"mlflow runs delete --run-id {run_id}, then push again",
        )

    def finish(self, run_id: str, native: NativeRun) -> None:
        """`update`, then the tags: the mark is the last thing that is written."""
        if (number := self._begun.get(run_id)) is not None:
            yield_at_end(self, run_id, self._marked([number], UID_TAG, native.tags[UID_TAG]))
            del self._begun[run_id]  # not before: what fails here is tried again
        ending: dict[str, object] = {"run_id": run_id, "status": native.status}
        if native.end_ms is not None:
            ending["end_time"] = native.end_ms
        self._server.post("/runs/update", {**ending, "run_name": native.name})
        self.log(run_id, Batch(tags=native.tags))

    def bury(self, run_id: str) -> None:
        """As any client deletes a run."""
        self._server.post("/runs/delete", {"run_id": run_id})

    def revive(self, run_id: str) -> None:
        """As any client restores it."""
        self._server.post("/runs/restore", {"run_id": run_id})

    def delete(self, run_id: str) -> None:
        """Marked as deleted; `mlflow gc` on the server removes it."""
        self._server.post("/runs/delete", {"run_id": run_id})

    def folder(self, run_id: str) -> ArtifactFolder:
        """Through the server's proxy, or where its artifacts are for all."""
        return self._folder(run_id, self.run(run_id).artifact_uri or "")

    def _folder(self, run_id: str, uri: str) -> ArtifactFolder:
        if urlsplit(uri).scheme in ("mlflow-artifacts", "http", "https"):
            return ServedFolder(self._server, run_id, uri)
        if local_path(uri) is not None and urlsplit(self._server.where).hostname not in _LOOPBACK:
            return NoFolder(uri)  # a folder of the server's machine, not of this one
        return folder_at(uri)

    def _model_folder(self, model: LoggedModel) -> ArtifactFolder:
        uri = model.location or ""
        if urlsplit(uri).scheme in ("mlflow-artifacts", "http", "https"):
            return ServedModelFolder(self._server, model.model_id, uri)
        return self._folder("", uri)

    def close(self) -> None:
        """Close the connections."""
        self._server.close()


def _is_there(run: dict[str, Any]) -> bool:
    """Whether nobody deleted it: a push of ours says so where it does."""
    tags = run.get("data", {}).get("tags", [])
    is_active = run["info"].get("lifecycle_stage", "active") == "active"
    return is_active or DELETED_TAG in _mapping(tags)


@contextmanager
def _unless_there() -> Iterator[None]:
    """What was to be made is there already."""
    try:
        yield
    except Declined as error:
        if error.code != "RESOURCE_ALREADY_EXISTS":
            raise


def _pairs(pairs: Mapping[str, str]) -> list[dict[str, object]]:
    return [{"key": key, "value": value} for key, value in pairs.items()]


def _mapping(pairs: Sequence[Mapping[str, str]]) -> dict[str, str]:
    return {pair["key"]: pair.get("value", "") for pair in pairs}


def _metrics(points: NativePoints) -> Iterator[dict[str, object]]:
    rows = zip(
        points.row_keys(), points.value.tolist(), points.timestamp.tolist(),
        points.step.tolist(), points.is_nan.tolist(), strict=True,
    )  # fmt: skip
    for key, value, time, step, is_nan in rows:
        stated: object = "NaN" if is_nan else value
        yield {"key": key, "value": stated, "timestamp": time, "step": step}


def _portions(items: Iterator[dict[str, object]], most: int) -> Iterator[list[dict[str, object]]]:
    """Lists of at most `most` items and of fewer bytes than a request may have."""
    portion: list[dict[str, object]] = []
    size = 0
    for item in items:
        length = len(json.dumps(item)) + 2  # as ASCII: never less than what is sent
        if portion and (len(portion) == most or size + length > _BYTES):
            yield portion
            portion, size = [], 0
        portion.append(item)
        size += length
    if portion:
        yield portion

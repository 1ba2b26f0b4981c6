"""Writes any other SQL backend, and sqlite schemas we do not know, through the vendor's store."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final

from runferry.dialects.mlflow.artifacts import ArtifactFolder, NoFolder
from runferry.dialects.mlflow.header import NativeRun
from runferry.dialects.mlflow.located import folder_at
from runferry.dialects.mlflow.tags import DELETED_TAG, SEALED, SEALED_TAG, UID_TAG
from runferry.dialects.mlflow.vendor import in_our_words, open_store
from runferry.dialects.mlflow.vendor_registry import VendorRegistry
from runferry.errors import Conflict, Refused
from runferry.redact import without_credentials
from runferry.writers.mlflow.backend import Batch, frozen_among
from runferry.writers.mlflow.vendor_shelf import VendorShelf

_METRICS: Final = 1_000  # mlflow.utils.validation.MAX_METRICS_PER_BATCH
_PAIRS: Final = 100


class VendorBackend:
    """One `SqlAlchemyStore`."""

    def __init__(self, uri: str, artifact_root: str = "./mlruns") -> None:
        self._where = without_credentials(uri)
        self._ours = partial(in_our_words, self._where)
        self._store = open_store(uri, artifact_root)
        self.registry = VendorRegistry(uri)
        self.shelf = VendorShelf(self._store, self._ours)

    def find(self, tag: str, value: str) -> Sequence[str]:
        """Among all active experiments."""
        with self._ours():
            return [run.info.run_id for run in self._search(tag, value)]

    def present(self) -> Mapping[str, str]:
        """One search among all active experiments."""
        found: dict[str, str] = {}
        with self._ours():
            for run in self._search(SEALED_TAG, SEALED):
                is_deleted = run.info.lifecycle_stage == "deleted"
                if UID_TAG in run.data.tags and is_deleted == (DELETED_TAG in run.data.tags):
                    found.setdefault(run.data.tags[UID_TAG], run.info.run_id)
        return found

    def _search(self, tag: str, value: str) -> Iterator[Any]:
        from mlflow.entities import ViewType

        active, condition = ViewType.ACTIVE_ONLY, f"tags.`{tag}` = '{value}'"
        experiments = [
            experiment.experiment_id
            for experiment in _all_pages(
                lambda token: self._store.search_experiments(active, 1000, page_token=token)
            )
        ]
        for run in _all_pages(
            lambda token: self._store.search_runs(
                experiments, condition, ViewType.ALL, 1000, page_token=token
            )
        ):
            if run.info.lifecycle_stage == "active" or DELETED_TAG in run.data.tags:
                yield run

    def create(self, native: NativeRun, wished_ids: Sequence[str]) -> str:
        """The run id is the store's own."""
        from mlflow.entities import RunTag

        with self._ours():
            number = self._experiment(native.experiment)
            location = self._store.get_experiment(number).artifact_location
            if isinstance(folder_at(location), NoFolder):
                raise Refused(
                    "the experiment's artifacts are kept by a tracking server",
                    where=location,
                    hint="push to that server instead: mlflow:http://HOST:PORT",
                )
            tags = [RunTag(key, value) for key, value in native.tags.items()]
            run = self._store.create_run(
                number, native.user or "", native.start_ms, tags, native.name
            )
            return str(run.info.run_id)

    def _experiment(self, name: str) -> str:
        found = self._store.get_experiment_by_name(name)
        if found is None:
            return str(self._store.create_experiment(name))
        if found.lifecycle_stage == "deleted":
            raise Conflict(
                f"the experiment {name!r} was deleted in MLflow",
                where=self._where,
                hint=f"mlflow experiments restore --experiment-id {found.experiment_id}",
            )
        return str(found.experiment_id)

    def run(self, run_id: str) -> NativeRun:
        """The run with its tags and params."""
        with self._ours():
            run = self._store.get_run(run_id)
        return NativeRun(run_id, "", run.info.run_name, run.info.user_id, run.info.status,
                         lifecycle=run.info.lifecycle_stage, artifact_uri=run.info.artifact_uri,
                         tags=dict(run.data.tags), params=dict(run.data.params))  # fmt: skip

    def frozen(self, run_id: str, params: Mapping[str, str]) -> Mapping[str, str]:
        """Asked beforehand: the store refuses the whole batch that would change a param."""
        return frozen_among(self.run(run_id).params, params) if params else {}

    def log(self, run_id: str, batch: Batch) -> None:
        """`log_batch` in the sizes that it takes."""
        from mlflow.entities import Metric, Param, RunTag

        params = [Param(key, value) for key, value in batch.params.items()]
        tags = [RunTag(key, value) for key, value in batch.tags.items()]
        with self._ours():
            for start in range(0, max(len(params), len(tags)), _PAIRS):
                part = slice(start, start + _PAIRS)
                self._store.log_batch(run_id, [], params[part], tags[part])
            if batch.points is None:
                return
            points = batch.points
            rows = zip(
                points.row_keys(), points.value.tolist(), points.timestamp.tolist(),
                points.step.tolist(), points.is_nan.tolist(), strict=True,
            )  # fmt: skip
            metrics = [Metric(k, float("nan") if nan else v, t, s) for k, v, t, s, nan in rows]
            for start in range(0, len(metrics), _METRICS):
                self._store.log_batch(run_id, metrics[start : start + _METRICS], [], [])

    def forget(self, run_id: str, batch: Batch) -> None:
        """Tags only: MLflow's interface cannot remove a metric's row or a param."""
        for tag in batch.tags:
            with self._ours():
                self._store.delete_tag(run_id, tag)
        if batch.points is None and not batch.params:
            return
        raise Conflict(
            "the run in MLflow holds rows or params that it should no longer, and cannot lose them",
            where=f"{self._where} ({run_id})",
            hint=f"mlflow runs delete --run-id {run_id}, then push again",
        )

    def finish(self, run_id: str, native: NativeRun) -> None:
        """`update_run_info`, then the tags: the mark is the last thing that is written."""
        from mlflow.entities import RunStatus

        with self._ours():
            status = RunStatus.from_string(native.status)
            self._store.update_run_info(run_id, status, native.end_ms, native.name)
        self.log(run_id, Batch(tags=native.tags))

    def bury(self, run_id: str) -> None:
        """As any client deletes a run."""
        with self._ours():
            self._store.delete_run(run_id)

    def revive(self, run_id: str) -> None:
        """As any client restores it."""
        with self._ours():
            self._store.restore_run(run_id)

    def delete(self, run_id: str) -> None:
        """Marked as deleted; `mlflow gc` removes it."""
        with self._ours():
            self._store.delete_run(run_id)

    def folder(self, run_id: str) -> ArtifactFolder:
        """Where the run's row says."""
        return folder_at(self.run(run_id).artifact_uri)

    def close(self) -> None:
        """The vendor keeps its pool of connections for the process."""


def _all_pages(page_at: Callable[[str | None], Any]) -> Iterator[Any]:
    """The items of a search of the vendor's, page by page."""
    token = None
    while True:
        page = page_at(token)
        yield from page
        token = page.token
        if not token:
            return

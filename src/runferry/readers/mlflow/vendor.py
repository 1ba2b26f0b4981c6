"""Reads any other backend (PostgreSQL, MySQL, …) through the vendor's own store."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from runferry.chunks import Artifact, Document, File, Lost
from runferry.dialects.mlflow.artifacts import ArtifactFolder
from runferry.dialects.mlflow.header import NativeRun
from runferry.dialects.mlflow.located import folder_at
from runferry.dialects.mlflow.logged import Dataset, LoggedModel, ModelFiles
from runferry.dialects.mlflow.points import NativePoints
from runferry.dialects.mlflow.tags import DELETED_TAG
from runferry.dialects.mlflow.vendor import in_our_words, open_store
from runferry.dialects.mlflow.vendor_models import as_model
from runferry.dialects.mlflow.vendor_registry import VendorRegistry
from runferry.errors import NotFound, RunMissing
from runferry.losses import Loss
from runferry.model import Tree
from runferry.ports import BATCH_ROWS
from runferry.readers.mlflow.store import digest, gone, used
from runferry.readers.mlflow.vendor_traces import VendorTraces
from runferry.redact import without_credentials

if TYPE_CHECKING:
    from mlflow.store.tracking.abstract_store import AbstractStore


class VendorStore:
    """A store that MLflow itself opens."""

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self._store: AbstractStore = open_store(uri)
        self.registry = VendorRegistry(uri)
        self._traces = VendorTraces(self._store)
        self._names: dict[str, str] = {}

    def runs(self, *, include_deleted: bool) -> Iterator[NativeRun]:
        """By experiment, in the order in which they began."""
        from mlflow.entities import ViewType

        view = ViewType.ALL if include_deleted else ViewType.ACTIVE_ONLY
        for number in self._search_experiments(view):
            yield from self._runs_in(number, "", view)
            if not include_deleted:
                marked = f"tags.`{DELETED_TAG}` != ''"
                yield from self._runs_in(number, marked, ViewType.DELETED_ONLY)

    def _runs_in(self, number: str, condition: str, view: int) -> Iterator[NativeRun]:
        token = None
        while True:
            page = self._store.search_runs(
                [number], condition, view, 1000, ["start_time ASC", "run_id ASC"], token
            )
            for run in page:
                yield self._native(run)
            token = page.token
            if not token:
                return

    def _search_experiments(self, view: int) -> list[str]:
        found: list[str] = []
        token = None
        while True:
            page = self._store.search_experiments(view, 1000, page_token=token)
            for experiment in page:
                self._names[experiment.experiment_id] = experiment.name
                found.append(experiment.experiment_id)
            token = page.token
            if not token:
                return found

    def deleted(self) -> int:
        """Not known: it would take a second search of everything."""
        return 0

    def run(self, run_id: str) -> NativeRun:
        """One run with its params."""
        return self._native(self._get(run_id))

    def _get(self, run_id: str) -> Any:
        try:
            with in_our_words(without_credentials(self._uri)):
                return self._store.get_run(run_id)
        except RunMissing as error:
            raise gone(f"run {run_id}", f"mlflow:{self._uri}") from error

    def _native(self, run: Any) -> NativeRun:
        info = run.info
        if info.experiment_id not in self._names:
            self._names[info.experiment_id] = self._store.get_experiment(info.experiment_id).name
        return NativeRun(
            info.run_id, self._names[info.experiment_id], info.run_name, info.user_id, info.status,
            info.start_time, info.end_time, info.lifecycle_stage, info.artifact_uri,
            info.experiment_id, dict(run.data.tags), dict(run.data.params),
        )  # fmt: skip

    def metrics(self, run_id: str) -> Iterator[NativePoints]:
        """By key; within it by time, step and value."""
        for key in sorted(self._get(run_id).data.metrics):
            token = None
            while True:
                page = self._store.get_metric_history(run_id, key, BATCH_ROWS, token)
                value = np.array([m.value for m in page], np.float64)
                yield NativePoints(
                    [key],
                    np.zeros(len(page), np.int64),
                    np.array([m.timestamp for m in page], np.int64),
                    np.array([m.step for m in page], np.int64),
                    value,
                    np.isnan(value),
                )
                token = page.token
                if not token:
                    break

    def rows(self, run_id: str) -> int:
        """A history is as dear to count as to read."""
        return 0

    def losses(self) -> Iterator[Loss]:
        """The store answers or fails."""
        return iter(())

    def belongings(self, native: NativeRun) -> Iterator[Document | Artifact | File | Lost]:
        """The run's dataset inputs, the models that it made or used, and its traces."""
        run = self._get(native.run_id)
        for given in run.inputs.dataset_inputs if run.inputs else ():
            facts = given.dataset
            tags = {tag.key: tag.value for tag in given.tags}
            yield Dataset(facts.name, facts.digest, facts.source_type, facts.source,
                          facts.schema, facts.profile, tags).document  # fmt: skip
        for given in run.inputs.model_inputs if run.inputs else ():
            yield from used(as_model(self._store.get_logged_model(given.model_id)))
        outputs = run.outputs.model_outputs if run.outputs else ()
        steps = {output.model_id: output.step for output in outputs}
        for model in self._made(native):
            at = replace(model, step=steps.get(model.model_id))
            yield at.artifact(self.model_folder(model))
        yield from self._traces.chunks(native.experiment_id, native.run_id)

    def _made(self, native: NativeRun) -> Iterator[LoggedModel]:
        condition = f"source_run_id = '{native.run_id}'"
        return map(as_model, self._searched(native.experiment_id, condition))

    def _searched(self, experiment: str, condition: str | None) -> Iterator[Any]:
        token = None
        while True:
            page = self._store.search_logged_models([experiment], condition, page_token=token)
            yield from page
            token = page.token
            if not token:
                return

    def orphans(self, only: str | None = None) -> Iterator[tuple[LoggedModel, str]]:
        """Logged models that no run made, each with the name of its experiment."""
        from mlflow.entities import ViewType

        for number in self._search_experiments(ViewType.ACTIVE_ONLY):
            for model in map(as_model, self._searched(number, None)):
                if model.source_run is None and only in (None, model.model_id):
                    yield model, self._names[number]

    def model_folder(self, model: LoggedModel) -> ModelFiles:
        """Where the files of a logged model are."""
        return folder_at(model.location)

    def run_folder(self, run_id: str) -> tuple[ArtifactFolder, str] | None:
        """A run's artifacts, and the URI that its row gives for them."""
        try:
            uri = self._get(run_id).info.artifact_uri
        except NotFound:
            return None
        return folder_at(uri), uri

    def logged_model(self, model_id: str) -> ArtifactFolder | None:
        """A logged model's artifacts."""
        try:
            with in_our_words(without_credentials(self._uri)):
                return folder_at(self._store.get_logged_model(model_id).artifact_location)
        except RunMissing:  # as whatever is not there is called
            return None

    def located(self, uri: str) -> ArtifactFolder:
        """What stands behind a URI."""
        return folder_at(uri)

    def folder(self, native: NativeRun) -> ArtifactFolder:
        """Where the run's row says."""
        return folder_at(native.artifact_uri)

    def state(self, native: NativeRun) -> Tree:
        """The header and each metric's latest row."""
        run = self._get(native.run_id)
        metrics = sorted((m.key, m.timestamp, m.step, m.value) for m in run.data._metric_objs)
        models = [[m.model_id, m.name, m.facts] for m in self._made(native)]
        facts = [models, native.status, native.start_ms, native.end_ms, native.lifecycle,
                 dict(native.tags), dict(native.params), metrics]  # fmt: skip
        found = self._traces.of_run(native.experiment_id, native.run_id)
        traces = [digest(trace.info) for trace in found]
        return digest(*facts, traces) if traces else digest(*facts)

    def close(self) -> None:
        """The vendor keeps its pool of connections for the process."""

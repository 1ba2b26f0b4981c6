"""MLflow: what its client hands to a store, and the files that it logs.

At the stores a metric has its time already. What is logged asynchronously is captured where it is
handed over, so a process that dies loses none of it; the store's own call then comes from a thread
of MLflow's, and is passed over.
"""

from __future__ import annotations

import json
import os
import tempfile
import threading
from pathlib import Path
from typing import Any, Final

from runferry.live.frames import Kind
from runferry.live.hooks.copies import Copies
from runferry.live.hooks.hook import PatchingHook
from runferry.live.hooks.mlflow_models import MlflowModels, files_below, joined
from runferry.live.journal import Journal

NAME: Final = "mlflow"
_STORES: Final = {
    "mlflow.store.tracking.rest_store": "RestStore",
    "mlflow.store.tracking.sqlalchemy_store": "SqlAlchemyStore",
    "mlflow.store.tracking.file_store": "FileStore",
}
_CLIENT: Final = "mlflow.tracking._tracking_service.client"
_ASYNC_WORKERS: Final = "MLflowBatchLogging"  # how its threads are called that empty the queue


class MlflowHook(PatchingHook):
    """Captures runs that are made, or logged to, by this process."""

    name = NAME

    def __init__(self, journal: Journal, files: Path) -> None:
        """`files` is where copies of logged files go."""
        super().__init__(journal)
        self._experiments: dict[str, str] = {"0": "Default"}
        self._copies = Copies(files)
        after = self._patches.after
        models = MlflowModels(self._call, self._copies)
        for module, store in _STORES.items():
            after(module, store, "get_experiment", self._experiment)
            after(module, store, "get_experiment_by_name", self._experiment)
            after(module, store, "create_run", self._created)
            after(module, store, "update_run_info", self._updated)
            after(module, store, "log_metric", self._metric)
            after(module, store, "log_param", self._param)
            after(module, store, "set_tag", self._tag)
            after(module, store, "delete_tag", self._untagged)
            after(module, store, "log_batch", self._batch)
            after(module, store, "log_inputs", self._inputs)
            models.of_store(after, module, store)
            after(module, store, "start_trace", self._trace)
        of_all = "mlflow.store.tracking.abstract_store"
        after(of_all, "AbstractStore", "log_batch_async", self._later)
        after(_CLIENT, "TrackingServiceClient", "log_artifact", self._artifact)
        after(_CLIENT, "TrackingServiceClient", "log_artifacts", self._artifacts)
        after(_CLIENT, "TrackingServiceClient", "_log_artifact_async", self._artifact_later)
        models.of_client(after, _CLIENT, "TrackingServiceClient")

    # --- runs -------------------------------------------------------------------------------------

    def _experiment(self, store: Any, experiment: Any, *_: object, **__: object) -> None:
        if experiment is not None:
            self._experiments[str(experiment.experiment_id)] = str(experiment.name)

    def _created(self, store: Any, run: Any, *_: object, **__: object) -> None:
        info, number = run.info, str(run.info.experiment_id)
        self._call(
            store,
            info.run_id,
            {
                "op": "run",
                "experiment_id": number,
                "experiment": self._experiments.get(number, number),
                "name": info.run_name,
                "user": info.user_id,
                "status": str(info.status),
                "start_ms": info.start_time,
                "artifact_uri": info.artifact_uri,
                "tags": dict(run.data.tags),
            },
        )

    def _updated(
        self, store: Any, result: object, run_id: str, run_status: Any, end_time: Any, run_name: Any
    ) -> None:
        from mlflow.entities import RunStatus

        status = None if run_status is None else RunStatus.to_string(run_status)
        told = {"op": "update", "status": status, "end_ms": end_time, "name": run_name}
        self._call(store, run_id, told)

    # --- what is logged ---------------------------------------------------------------------------

    def _metric(self, store: Any, result: object, run_id: str, metric: Any) -> None:
        self._logged(store, run_id, [metric], (), ())

    def _param(self, store: Any, result: object, run_id: str, param: Any) -> None:
        self._logged(store, run_id, (), [param], ())

    def _tag(self, store: Any, result: object, run_id: str, tag: Any) -> None:
        self._logged(store, run_id, (), (), [tag])

    def _untagged(self, store: Any, result: object, run_id: str, key: str) -> None:
        self._call(store, run_id, {"op": "untag", "key": key})

    def _batch(
        self, store: Any, result: object, run_id: str, metrics: Any, params: Any, tags: Any
    ) -> None:
        if not threading.current_thread().name.startswith(_ASYNC_WORKERS):
            self._logged(store, run_id, metrics, params, tags)

    def _later(
        self, store: Any, result: object, run_id: str, metrics: Any, params: Any, tags: Any
    ) -> None:
        self._logged(store, run_id, metrics, params, tags)

    def _logged(self, store: Any, run_id: str, metrics: Any, params: Any, tags: Any) -> None:
        call: dict[str, object] = {
            "op": "batch",
            "metrics": [[m.key, float(m.value), m.timestamp, m.step] for m in metrics],
            "params": [[param.key, str(param.value)] for param in params],
            "tags": [[tag.key, str(tag.value)] for tag in tags],
        }
        self._call(store, run_id, call)

    def _inputs(
        self, store: Any, result: object, run_id: str, datasets: Any = None, models: Any = None
    ) -> None:
        for given in datasets or ():
            found = given.dataset
            told = {
                "op": "dataset",
                "name": found.name,
                "digest": found.digest,
                "source_type": found.source_type,
                "source": found.source,
                "schema": found.schema,
                "profile": found.profile,
                "tags": {tag.key: tag.value for tag in given.tags},
            }
            self._call(store, run_id, told)

    # --- files ------------------------------------------------------------------------------------

    def _artifact(
        self, client: Any, result: object, run_id: str, local_path: Any, artifact_path: Any = None
    ) -> None:
        path = Path(local_path)
        if path.is_dir():
            self._folder(client.store, run_id, path, joined(artifact_path, path.resolve().name))
        else:
            self._file(client.store, run_id, path, joined(artifact_path, path.name))

    def _artifacts(
        self, client: Any, result: object, run_id: str, local_dir: Any, artifact_path: Any = None
    ) -> None:
        self._folder(client.store, run_id, Path(local_dir), artifact_path or "")

    def _artifact_later(
        self,
        client: Any,
        result: object,
        run_id: str,
        filename: str,
        artifact_path: Any = None,
        artifact: Any = None,
    ) -> None:
        """MLflow saves it in a thread, and so do we: it may take long."""

        def save() -> None:
            try:
                with tempfile.TemporaryDirectory() as folder:
                    path = Path(folder, filename)
                    artifact.save(path)
                    self._file(client.store, run_id, path, joined(artifact_path, filename))
            except Exception:  # noqa: BLE001  training goes on; that we missed it is counted
                self._journal.drop(NAME)

        threading.Thread(target=save, name="runferry-artifact").start()

    def _folder(self, store: Any, run_id: str, folder: Path, below: str) -> None:
        for path, place in files_below(folder, below):
            self._file(store, run_id, path, place)

    def _file(self, store: Any, run_id: str, path: Path, place: str) -> None:
        self._call(store, run_id, {"op": "file", "path": place, "copy": self._copies.of(path)})

    def _trace(self, store: Any, result: object, trace_info: Any, *_: object) -> None:
        """It is counted: no run of ours holds one."""
        run_id = trace_info.trace_metadata.get("mlflow.sourceRun")
        if run_id:
            self._call(store, run_id, {"op": "trace"})

    def _call(self, store: Any, run_id: str, call: dict[str, object]) -> None:
        source = json.dumps({"tracker": NAME, "store": _place(store), "run": run_id})
        self._journal.append(NAME, Kind.CALL, source, json.dumps(call).encode())


def _place(store: Any) -> str:
    """Where a store is, as `runferry` spells it; whoever delivers may be in another folder."""
    creds = getattr(store, "get_host_creds", None)
    if creds is not None:
        return str(creds().host)
    uri = str(getattr(store, "db_uri", None) or "")
    if not uri:
        return os.path.abspath(str(getattr(store, "root_directory", "")))  # noqa: PTH100
    scheme, _, path = uri.partition(":///")
    if not scheme.startswith("sqlite") or path.startswith((":", "file:")) or not path:
        return uri
    return f"{scheme}:///{os.path.abspath(path)}"  # noqa: PTH100

"""Models, datasets and nested runs as MLflow's own client makes them, and what it says of them."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
from mlflow import MlflowClient
from mlflow.entities import LoggedModelInput, LoggedModelOutput

from runferry import convert

EXPERIMENT = "vision"


def client_of(uri: str) -> MlflowClient:
    """Runs and models of one place: by itself the client looks for models in another one."""
    return MlflowClient(uri, uri)


@contextmanager
def at(uri: str) -> Iterator[MlflowClient]:
    """MLflow's own globals point there while the block runs: some of its calls ask only them."""
    before = mlflow.get_tracking_uri(), mlflow.get_registry_uri()
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    try:
        yield client_of(uri)
    finally:
        mlflow.set_tracking_uri(before[0])
        mlflow.set_registry_uri(before[1])


def fill(client: MlflowClient, folder: Path) -> dict[str, str]:
    """A registry of every sort of thing, and runs beside it; the ids of what was made."""
    made = client.get_experiment_by_name(EXPERIMENT)
    number = client.create_experiment(EXPERIMENT) if made is None else made.experiment_id
    trainer = client.create_run(number, run_name="trainer").info.run_id
    client.log_text(trainer, "flavors: {}\n", "model/MLmodel")
    client.log_text(trainer, "weights", "model/data/w.bin")
    model = client.create_logged_model(
        number, "clf", trainer, {"k": "v"}, {"depth": "3"}, "sklearn"
    )
    (folder / "MLmodel").write_text("flavors: {}\n")
    (folder / "w.bin").write_bytes(b"of the logged model")
    for name in ("MLmodel", "w.bin"):
        client.log_model_artifact(model.model_id, str(folder / name))
    client.finalize_logged_model(model.model_id, "READY")
    client.log_outputs(trainer, [LoggedModelOutput(model.model_id, 4)])
    with mlflow.start_run(run_id=trainer):
        data = mlflow.data.from_numpy(np.arange(6).reshape(3, 2), name="train-set")
        mlflow.log_input(data, context="training", tags={"fold": "1"})
        mlflow.log_metric("acc", 0.9, step=4, model_id=model.model_id, dataset=data)
    client.set_terminated(trainer)
    judge = client.create_run(number, run_name="judge").info.run_id
    client.log_inputs(judge, models=[LoggedModelInput(model.model_id)])
    client.log_metric(judge, "acc_test", 0.8, timestamp=1_700_000_000_000, model_id=model.model_id)
    client.set_terminated(judge)
    register(client, trainer, model.model_id)
    return {"trainer": trainer, "judge": judge, "model": model.model_id}


def register(client: MlflowClient, run_id: str, model_id: str) -> None:
    """Four versions, of which one was deleted, and what can be said of them."""
    source = f"{client.get_run(run_id).info.artifact_uri}/model"
    client.create_registered_model("net", {"team": "vision"}, "the net")
    client.create_model_version("net", source, run_id, {"acc": "0.9"}, description="the first")
    client.create_model_version("net", source, run_id)
    client.create_model_version("net", source, run_id)
    client.create_model_version("net", f"models:/{model_id}", run_id, model_id=model_id)
    client.delete_model_version("net", "2")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # stages are deprecated, and in use
        client.transition_model_version_stage("net", "3", "Production")
    client.set_registered_model_alias("net", "champion", "4")
    client.set_registered_model_alias("net", "oldest", "1")
    client.create_registered_model("empty one")


def registry(client: MlflowClient) -> dict[str, Any]:
    """All that the client says of the registry but for ids and times; ours left out."""
    found: dict[str, Any] = {}
    for model in client.search_registered_models():
        versions = client.search_model_versions(f"name = '{model.name}'")
        found[model.name] = {
            "description": model.description or "",
            "tags": _own(model.tags),
            "aliases": {alias: int(version) for alias, version in model.aliases.items()},
            "versions": {int(v.version): _version(client, v) for v in versions},
        }
    return found


def _version(client: MlflowClient, version: Any) -> dict[str, Any]:
    run = client.get_run(version.run_id)
    return {
        "description": version.description or "",
        "stage": version.current_stage,
        "status": version.status,
        "tags": _own(version.tags),
        "run": run.info.run_name,
        "files": _files(version),
    }


def _files(version: Any) -> dict[str, bytes]:
    """Into a folder of our own: where the files lie MLflow would leave one of its own with them."""
    with tempfile.TemporaryDirectory() as folder:
        where = f"models:/{version.name}/{version.version}"
        home = Path(mlflow.artifacts.download_artifacts(where, dst_path=folder))
        return {
            path.relative_to(home).as_posix(): path.read_bytes()
            for path in home.rglob("*")
            if path.is_file() and path.name != "registered_model_meta"
        }


def logged(client: MlflowClient, run_id: str) -> list[dict[str, Any]]:
    """All that the client says of a run's logged models but for ids and times; ours left out."""
    run = client.get_run(run_id)
    found = client.search_logged_models(
        [run.info.experiment_id], filter_string=f"source_run_id = '{run_id}'"
    )
    steps = {output.model_id: output.step for output in run.outputs.model_outputs}
    return [
        {
            "name": model.name,
            "status": str(model.status),
            "type": model.model_type,
            "tags": _own(model.tags),
            "params": model.params,
            "metrics": sorted((m.key, m.value, m.step, m.dataset_name) for m in model.metrics),
            "step": steps.get(model.model_id),
            "files": sorted(f.path for f in client.list_logged_model_artifacts(model.model_id)),
        }
        for model in found
    ]


def inputs(client: MlflowClient, run_id: str) -> list[Any]:
    """The datasets and models that the client says a run used."""
    run = client.get_run(run_id)
    used = [client.get_logged_model(one.model_id).name for one in run.inputs.model_inputs]
    datasets = [
        (d.dataset.to_dictionary(), sorted((t.key, t.value) for t in d.tags))
        for d in run.inputs.dataset_inputs
    ]
    return [sorted(used), datasets]


def _own(tags: dict[str, str]) -> dict[str, str]:
    return {k: v for k, v in tags.items() if not k.startswith(("runferry.", "mlflow."))}


def carried(source: str, destination: str, folder: Path, **options: Any) -> Any:
    """What `convert` reports, which holds that the law is kept: nothing was lost unforeseen."""
    report = convert(
        f"mlflow:{source}",
        f"mlflow:{destination}",
        archive=folder / "archive",
        workers=1,
        **options,
    )
    assert report.exit_code == 0, [(o.error, o.losses) for o in report.outcomes]
    return report

"""MLflow: what is mirrored equals what conversion of the same store gives."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from training import differences, rows, settled, told, train

import runferry
from runferry.live.hooks.mlflow import _place

pytest.importorskip("mlflow", reason="mlflow is not installed")

BEGIN = """
import logging
logging.disable(logging.WARNING)
from runferry.live.interfaces import sync_mlflow
session = sync_mlflow(to=TO)
import mlflow
os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"
mlflow.set_tracking_uri(STORE)
"""


def _begin(folder: Path, *to: str) -> str:
    places = to or (f"archive:{folder / 'mirrored'}",)
    # the file store: a database would first be made, for half a minute
    return f"TO = {places!r}\nSTORE = {str(folder / 'mlruns')!r}\n{BEGIN}"


RUN = """
import numpy as np
from PIL import Image
mlflow.set_experiment("an experiment")
with mlflow.start_run(run_name="first", tags={"a": "b"}, description="notes") as parent:
    mlflow.log_params({"lr": 0.1, "name": "x"})
    for step in range(50):
        mlflow.log_metric("loss", 1 / (step + 1), step=step)
        mlflow.log_metric("later", step, step=step, synchronous=False)
    mlflow.log_metrics({"nan": float("nan"), "inf": float("inf"), "less": -float("inf")}, step=3)
    mlflow.log_metric("stated", 1, step=-2, timestamp=1234567890123)
    mlflow.set_tag("gone", "x")
    mlflow.MlflowClient().delete_tag(parent.info.run_id, "gone")
    mlflow.log_text("hello", "deep/text.txt")
    mlflow.log_dict({"a": 1}, "d.json")
    mlflow.log_table({"a": [1, 2]}, "table.json")
    os.makedirs("folder/inner", exist_ok=True)
    for name in ("folder/one.txt", "folder/inner/two.txt"):
        with open(name, "w") as stream:
            stream.write(name)
    mlflow.log_artifacts("folder", "all")
    mlflow.log_artifact("folder")
    for step in range(3):
        image = Image.fromarray(np.full((4, 4, 3), step, "uint8"))
        mlflow.log_image(image, key="seen", step=step, synchronous=False)
    mlflow.flush_async_logging()
    mlflow.flush_artifact_async_logging()
    model = mlflow.create_external_model(name="m", params={"p": 1}, tags={"t": "a"})
    mlflow.set_logged_model_tags(model.model_id, {"u": "b", "v": "c"})
    mlflow.delete_logged_model_tag(model.model_id, "v")
    client = mlflow.MlflowClient()
    client.log_model_artifact(model.model_id, "folder/one.txt")
    client.log_model_artifacts(model.model_id, "folder")
    with mlflow.start_span("traced"):
        pass
    mlflow.flush_trace_async_logging()
    with mlflow.start_run(run_name="child", nested=True):
        mlflow.log_metric("loss", 1)
try:
    with mlflow.start_run(run_name="broken"):
        raise ValueError
except ValueError:
    pass
"""


def test_mirrored_equals_converted(tmp_path: Path) -> None:
    pytest.importorskip("PIL", reason="Pillow is not installed")
    train(tmp_path, _begin(tmp_path) + RUN)
    status = settled(tmp_path)
    assert status.state == "done"
    assert status.destinations[0].losses["trace"] == 1
    found = differences(f"mlflow:{tmp_path / 'mlruns'}", f"archive:{tmp_path / 'mirrored'}")
    assert len(found) == 1  # the trace, which is told
    assert "where='traces/tr-" in found[0]
    runs = {run.run.name: run for run in runferry.load(tmp_path / "mirrored")}
    assert set(runs) == {"first", "child", "broken"}
    seen = [row["step"] for row in runs["first"].media.to_pylist() if row["key"] == "seen"]
    assert seen == [0, 1, 2]
    assert [artifact.name for artifact in runs["first"].artifacts] == ["m"]
    assert "trace" in [loss.code for loss in runs["first"].losses]


@pytest.mark.parametrize(
    ("uri", "place"),
    [
        ("sqlite:///m.db", "sqlite:///{here}/m.db"),
        ("sqlite:////there/m.db", "sqlite:////there/m.db"),
        ("sqlite://", "sqlite://"),
        ("sqlite:///:memory:", "sqlite:///:memory:"),
        ("postgresql://u@h/d", "postgresql://u@h/d"),
    ],
)
def test_where_a_store_is_holds_in_every_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uri: str, place: str
) -> None:
    """A script may change its own; whoever delivers stays where it was begun."""
    monkeypatch.chdir(tmp_path)
    assert _place(SimpleNamespace(db_uri=uri)) == place.format(here=Path.cwd())


@pytest.mark.slow  # test_logged_directly_and_through_capture_is_equal has such a run, too
def test_what_was_logged_to_a_place_is_not_sent_there_again(tmp_path: Path) -> None:
    store = f"mlflow:{tmp_path / 'mlruns'}"
    code = """
import json
with mlflow.start_run() as run:
    mlflow.log_metric("loss", 1, step=1)
from runferry.live.interfaces import stop_logging
print(json.dumps(stop_logging()))
"""
    out = told(train(tmp_path, _begin(tmp_path, f"archive:{tmp_path / 'mirrored'}", store) + code))
    assert all(one["pending"] == 0 and not one["failing"] for one in out.values()), out
    assert rows(store) == {"loss": [(1, 1.0)]}
    assert rows(f"archive:{tmp_path / 'mirrored'}") == {"loss": [(1, 1.0)]}

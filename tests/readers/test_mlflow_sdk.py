"""What MLflow's own client logs, into every kind of store, is read back whole."""

from __future__ import annotations

import json
import math
import shutil
import sqlite3
from pathlib import Path

import pytest
from tests.writers.conftest import empty_database, served  # noqa: F401

from runferry.chunks import (
    Artifact,
    Attributes,
    Chunk,
    Document,
    File,
    Header,
    Lost,
    Media,
    Points,
    SeriesFacts,
)
from runferry.errors import NotFound, UnknownVersion
from runferry.model import Run
from runferry.ports import Location, ReadOptions
from runferry.readers.mlflow import MlflowReader

VALUES = [1.0, math.nan, math.inf, -math.inf, 0.1, 1e-300, 2.0**60]


def log_with_sdk(uri: str, files: Path) -> str:
    """One run with all that the client can log; its id."""
    import mlflow
    import numpy as np
    from mlflow.entities import Metric

    mlflow.set_tracking_uri(uri)
    client = mlflow.MlflowClient(tracking_uri=uri)
    experiment = client.create_experiment("exp/1")
    with mlflow.start_run(experiment_id=experiment, run_name="parent") as parent:
        pass
    with mlflow.start_run(
        experiment_id=experiment, run_name="child", parent_run_id=parent.info.run_id,
        description="a note",
    ) as run:  # fmt: skip
        run_id = run.info.run_id
        metrics = [Metric("a/loss", value, 1_700_000_000_000 + step, step)
                   for step, value in enumerate(VALUES)]  # fmt: skip
        metrics += [Metric("system/cpu", 5.0, 1_700_000_000_000, 0)]
        metrics += [Metric("a/loss", 9.0, 1_700_000_000_500, 2)]  # the same step again
        client.log_batch(run_id, metrics, [], [])
        mlflow.log_params({"lr": 0.1, "model.depth": 3, "long": "x" * 5000, "ünï": True})
        mlflow.set_tag("team", "blue")
        mlflow.log_image(np.zeros((2, 3, 3), np.uint8), key="dogs/a", step=4, timestamp=1_700_000)
        mlflow.log_table({"q": ["x"], "a": [1]}, "answers.json")
        mlflow.log_text("hello", "notes/hello.txt")
        dataset = mlflow.data.from_numpy(np.zeros(3), name="zeros")
        mlflow.log_input(dataset, context="train")
        model = mlflow.initialize_logged_model("net", source_run_id=run_id, params={"k": "v"})
        mlflow.finalize_logged_model(model.model_id, "READY")
    deleted = client.create_run(experiment, run_name="gone")
    client.delete_run(deleted.info.run_id)
    return str(run_id)


def read(where: str, **options: bool) -> dict[str | None, tuple[Run, list[Chunk]]]:
    reader = MlflowReader.open(Location("mlflow", where), ReadOptions(**options))
    found = {run.name: (run, list(reader.read(run))) for run in reader.runs()}
    check_bytes(found["child"][1])
    reader.close()
    return found


def check_bytes(chunks: list[Chunk]) -> None:
    """Bytes are fetched while the source is open."""
    texts = {c.path: c.blob for c in chunks if isinstance(c, File)}
    with texts["notes/hello.txt"].open() as source:
        assert source.read() == b"hello"


def check_child(run: Run, chunks: list[Chunk], parent: Run) -> None:
    header = [c.run for c in chunks if isinstance(c, Header)][-1]
    assert (header.project, header.name, header.notes) == ("exp/1", "child", "a note")
    assert (header.parent, header.state, header.complete) == (parent.key.run_id, "finished", True)
    assert header.labels == {"team": "blue"}
    assert header.user
    assert header.started_ns < header.ended_ns
    config = {a.path: a.value for c in chunks if isinstance(c, Attributes) for a in c.items
              if a.role == "config"}  # fmt: skip
    assert config == {
        ("lr",): "0.1", ("model.depth",): "3", ("long",): "x" * 5000, ("ünï",): "True"
    }  # fmt: skip
    series = {s.key: s for c in chunks if isinstance(c, SeriesFacts) for s in c.items}
    assert (series["cpu"].stream, series["cpu"].path) == ("system", ("cpu",))
    rows = [r for c in chunks if isinstance(c, Points) for r in c.batch.to_pylist()]
    loss = sorted((r["step"], round(r["time"].timestamp() * 1000), r["value"]) for r in rows
                  if r["key"] == "a/loss")  # fmt: skip
    expected = [(s, 1_700_000_000_000 + s, v) for s, v in enumerate(VALUES)]
    expected.append((2, 1_700_000_000_500, 9.0))
    assert repr(loss) == repr(sorted(expected))
    assert len({r["seq"] for r in rows}) == len(rows)


def check_belongings(chunks: list[Chunk]) -> None:
    media = {i.media_type: i for c in chunks if isinstance(c, Media) for i in c.items}
    image = media["image"]
    assert (image.key, image.at.step, image.at.time_ns) == ("dogs/a", 4, 1_700_000 * 10**6)
    assert media["table"].path == "answers.json"
    files = {c.path for c in chunks if isinstance(c, File)}
    assert "notes/hello.txt" in files
    (document,) = [c for c in chunks if isinstance(c, Document)]
    assert document.body["name"] == "zeros"
    assert json.loads(document.body["schema"])
    assert document.body["tags"] == {"mlflow.data.context": "train"}
    (model,) = [c for c in chunks if isinstance(c, Artifact)]
    assert (model.name, model.type, model.metadata["params"]) == ("net", "model", {"k": "v"})
    assert model.metadata["status"] == "READY"


@pytest.mark.parametrize("kind", ["sqlite", "sqlite through the vendor", "files", "server"])
def test_what_the_client_logged_is_read_whole(
    kind: str,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("GIT_PYTHON_REFRESH", "quiet")
    uri = {"files": f"file://{tmp_path}/mlruns"}.get(kind, f"sqlite:///{tmp_path}/runs.db")
    if kind == "server":
        uri = request.getfixturevalue("served")[0]
    elif kind != "files":
        shutil.copy(request.getfixturevalue("empty_database"), tmp_path / "runs.db")
        connection = sqlite3.connect(tmp_path / "runs.db")
        connection.execute("UPDATE experiments SET artifact_location = ?", (f"{tmp_path}/m/0",))
        connection.commit()
        connection.close()
    log_with_sdk(uri, tmp_path)
    if kind == "sqlite through the vendor":
        monkeypatch.setattr("runferry.dialects.mlflow.schema.is_sqlite", lambda uri: False)
    with caplog.at_level("WARNING", "runferry"):
        found = read(uri)
    assert "gone" not in found
    told = [record.getMessage() for record in caplog.records]
    knows = kind in ("sqlite", "files")
    assert (
        [text for text in told if "deleted runs left out: 1 " in text] == told[:1]
        if knows
        else not told
    )
    run, chunks = found["child"]
    check_child(run, chunks, found["parent"][0])
    check_belongings(chunks)
    lost = {c.loss.code: c.loss.count for c in chunks if isinstance(c, Lost)}
    assert lost == ({} if kind == "files" else {"largest-float-as-infinity": 2})
    assert "gone" in read(uri, include_deleted=True)


def test_a_store_that_was_damaged_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    run = tmp_path / "0" / ("a" * 32)
    (run / "metrics" / "x").mkdir(parents=True)
    (run / "params").mkdir()
    (tmp_path / "0" / "meta.yaml").write_text("experiment_id: '0'\nname: Default\n")
    (run / "meta.yaml").write_text(f"run_id: {'a' * 32}\nstatus: 3\nstart_time: 5\n")
    lines = b"5 1.5\n6 nan 2\n7 inf 3 data digest\nrubbish\n99999999999999999999 1 1\n8 2.5 4"
    (run / "metrics" / "x" / "y").write_bytes(lines)
    (run / "params" / "p").write_bytes(b"caf\xe9")
    (tmp_path / "0" / "0badmeta").mkdir()
    (tmp_path / "0" / "0badmeta" / "meta.yaml").write_text("{: [")
    reader = MlflowReader.open(Location("mlflow", str(tmp_path)), ReadOptions())
    bad, good = reader.runs()
    chunks = list(reader.read(good))
    rows = [r for c in chunks if isinstance(c, Points) for r in c.batch.to_pylist()]
    assert [(r["key"], r["step"]) for r in rows] == [("x/y", s) for s in (0, 2, 3, 4)]
    assert repr([r["value"] for r in rows]) == "[1.5, nan, inf, 2.5]"
    lost = {c.loss.code: (c.loss.where, c.loss.count) for c in chunks if isinstance(c, Lost)}
    assert lost["damaged-metric-line"] == ("x/y", 2)
    assert lost["invalid-utf8"] == ("params/p", 1)
    assert "damaged-header" in {c.loss.code for c in reader.read(bad) if isinstance(c, Lost)}


def test_a_schema_without_the_columns_we_need_is_refused_by_name(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "old.db")
    connection.execute("CREATE TABLE alembic_version (version_num)")
    connection.execute("INSERT INTO alembic_version VALUES ('0123456789ab')")
    connection.commit()
    connection.close()
    with pytest.raises(UnknownVersion, match="0123456789ab"):
        MlflowReader.open(Location("mlflow", f"sqlite:///{tmp_path}/old.db"), ReadOptions())


def test_nothing_there_is_not_found_and_has_a_hint(tmp_path: Path) -> None:
    for where in (f"sqlite:///{tmp_path}/no.db", str(tmp_path / "no")):
        with pytest.raises(NotFound, match=r"\n\nhint: "):
            MlflowReader.open(Location("mlflow", where), ReadOptions())

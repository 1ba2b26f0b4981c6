"""A cell that means nothing costs the one thing that it is of; it is told, and the rest come."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from mlflow_read import reading
from tests.writers.conftest import database, empty_database  # noqa: F401

from runferry.chunks import Artifact, Attributes, Document, File, Header, Lost, Points
from runferry.errors import NotFound
from runferry.losses import Fate, Loss
from runferry.readers.mlflow import MlflowReader

NO_UTF8 = "CAST(x'fffe' AS TEXT)"
MODEL, TRACE = "m-" + "1" * 32, "tr-1"
FILLED = f"""
INSERT INTO runs (run_uuid, name, status, start_time, end_time, lifecycle_stage, experiment_id)
VALUES ('r1', 'n', 'FINISHED', 1700000000000, 1700000001000, 'active', 0);
INSERT INTO params (key, value, run_uuid) VALUES ('lr', '1', 'r1');
INSERT INTO metrics (key, value, timestamp, run_uuid, step, is_nan) VALUES
('loss', 0.5, 1, 'r1', 0, 0), ('loss', 0.25, 2, 'r1', 1, 0), ('acc', 0, 3, 'r1', 1, 1);
INSERT INTO datasets (dataset_uuid, experiment_id, name, digest, dataset_source_type,
dataset_source, dataset_schema) VALUES ('d1', 0, 'cats', 'f00', 'local', 'here', '[]');
INSERT INTO inputs (input_uuid, source_type, source_id, destination_type, destination_id, step)
VALUES ('i1', 'DATASET', 'd1', 'RUN', 'r1', 0),
('i2', 'RUN_OUTPUT', 'r1', 'MODEL_OUTPUT', '{MODEL}', 7),
('i3', 'RUN_INPUT', 'r1', 'MODEL_INPUT', '{MODEL}', 0);
INSERT INTO input_tags (input_uuid, name, value) VALUES ('i1', 'context', 'train');
INSERT INTO logged_models (model_id, experiment_id, name, artifact_location, creation_timestamp_ms,
last_updated_timestamp_ms, status, lifecycle_stage, model_type, source_run_id)
VALUES ('{MODEL}', 0, 'net', '', 1, 1, 2, 'active', 't', 'r1');
INSERT INTO logged_model_metrics (model_id, experiment_id, metric_name, metric_value,
metric_timestamp_ms, metric_step, run_id) VALUES ('{MODEL}', 0, 'auc', 0.9, 1, 2, 'r1');
INSERT INTO trace_info (request_id, experiment_id, timestamp_ms, execution_time_ms, status)
VALUES ('{TRACE}', 0, 1, 5, 'OK');
INSERT INTO trace_request_metadata (key, value, request_id)
VALUES ('mlflow.sourceRun', 'r1', '{TRACE}');
INSERT INTO assessments (assessment_id, trace_id, name, assessment_type, value, created_timestamp,
last_updated_timestamp, source_type, valid)
VALUES ('a1', '{TRACE}', 'good', 'feedback', 'true', 1, 1, 'HUMAN', 1);
"""


@pytest.fixture
def path(database: Path) -> Path:  # noqa: F811
    """A run with metrics, a dataset, a model that it made and used, and a trace."""
    with closing(sqlite3.connect(database)) as connection:
        connection.executescript(FILLED)
    return database


@pytest.fixture
def reader(path: Path) -> Iterator[MlflowReader]:
    with reading(path) as opened:
        yield opened


def garble(path: Path, change: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        connection.execute(f"UPDATE {change}")
        connection.commit()


def losses_of(chunks: list[object]) -> list[Loss]:
    """What was told of cells."""
    codes = ("damaged-header", "damaged-metric", "rounded-time")
    losses = [chunk.loss for chunk in chunks if isinstance(chunk, Lost)]
    return [loss for loss in losses if loss.code in codes]


def points_of(chunks: list[object]) -> list[tuple[str, int]]:
    rows = [row for one in chunks if isinstance(one, Points) for row in one.batch.to_pylist()]
    return [(row["key"], row["step"]) for row in rows]


ALL = [("loss", 0), ("loss", 1), ("acc", 1)]
M, D, T = f"logged_models.{MODEL}", "datasets.d1", f"trace_info.{TRACE}"


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ("datasets SET name = {}", f"{D}.name"),
        ("datasets SET dataset_schema = {}", f"{D}.dataset_schema"),
        ("input_tags SET value = {}", "input_tags.i1.context"),
        ("inputs SET step = 'x' WHERE input_uuid = 'i2'", f"inputs.{MODEL}.step"),
        ("inputs SET destination_id = {} WHERE input_uuid = 'i3'", "inputs.destination_id"),
        ("logged_models SET creation_timestamp_ms = 'now'", f"{M}.creation_timestamp_ms"),
        ("logged_models SET status = x'00'", f"{M}.status"),
        (
            "logged_model_metrics SET metric_value = 'much'",
            f"logged_model_metrics.{MODEL}.auc.metric_value",
        ),
        (
            "logged_model_metrics SET metric_step = 1.5",
            f"logged_model_metrics.{MODEL}.auc.metric_step",
        ),
        ("trace_info SET timestamp_ms = 'now'", f"{T}.timestamp_ms"),
        ("trace_info SET timestamp_ms = {}", f"{T}.timestamp_ms"),
        ("assessments SET assessment_type = x'00'", f"assessments.{TRACE}.assessment_type"),
        ("trace_info SET execution_time_ms = 'long'", f"{T}.execution_time_ms"),
        ("assessments SET created_timestamp = 'now'", f"assessments.{TRACE}.created_timestamp"),
    ],
)
def test_a_senseless_cell_of_what_belongs_to_a_run_costs_that_alone(
    path: Path, reader: MlflowReader, change: str, where: str
) -> None:
    garble(path, change.format(NO_UTF8))
    (run,) = reader.runs()
    found: list[object] = list(reader.read(run))
    assert {(loss.code, loss.where) for loss in losses_of(found)} == {("damaged-header", where)}
    assert points_of(found) == ALL
    models = 1 if "destination_id" in change else 2
    for kind, count in ((Document, 1), (Artifact, models), (File, 1), (Header, 1)):
        assert sum(isinstance(chunk, kind) for chunk in found) == count
    assert any(isinstance(chunk, Attributes) for chunk in found)


@pytest.mark.parametrize(
    ("change", "lost"),
    [
        ("key = {}", "b'\\xff\\xfe'"),
        ("value = 'much'", "loss"),
        ("value = NULL", "loss"),
        ("timestamp = 'now'", "loss"),
        ("timestamp = 9223372036854775807", "loss"),
        ("step = 1.5", "loss"),
        ("step = 1e300", "loss"),
        ("is_nan = 'no'", "loss"),
    ],
)
def test_a_senseless_row_of_metrics_is_told_and_the_others_come(
    path: Path, reader: MlflowReader, change: str, lost: str
) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA writable_schema = ON")  # or it has no null
        connection.execute("UPDATE sqlite_schema SET sql = replace(sql, 'value FLOAT NOT NULL',"
                           " 'value FLOAT') WHERE name = 'metrics'")  # fmt: skip
        connection.commit()
    garble(path, f"metrics SET {change.format(NO_UTF8)} WHERE key = 'loss' AND step = 1")
    (run,) = reader.runs()
    found: list[object] = list(reader.read(run))
    (loss,) = losses_of(found)
    assert (loss.code, loss.fate, loss.where, loss.count) == (
        "damaged-metric", Fate.DROPPED, lost, 1,
    )  # fmt: skip
    assert points_of(found) == [("loss", 0), ("acc", 1)]


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ("runs SET start_time = 1700000000000.5", "runs.start_time"),
        ("metrics SET timestamp = 1.5 WHERE step = 0", "loss"),
        ("logged_models SET last_updated_timestamp_ms = 1.5", f"{M}.last_updated_timestamp_ms"),
        ("trace_info SET timestamp_ms = 1.5", f"{T}.timestamp_ms"),
    ],
)
def test_a_time_finer_than_a_millisecond_is_told_as_rounded(
    path: Path, reader: MlflowReader, change: str, where: str
) -> None:
    garble(path, change)
    (run,) = reader.runs()
    found: list[object] = list(reader.read(run))
    assert {(loss.code, loss.fate, loss.where) for loss in losses_of(found)} == {
        ("rounded-time", Fate.ROUNDED, where)
    }
    assert points_of(found) == ALL


VERSIONS = """
INSERT INTO registered_models (name, creation_time) VALUES ('one', 1), ('two', 1);
INSERT INTO registered_model_tags (name, key, value) VALUES ('one', 'a', 'b');
INSERT INTO registered_model_aliases (name, alias, version) VALUES ('one', 'best', 1);
INSERT INTO model_versions (name, version, creation_time, current_stage, source) VALUES
('one', 1, 1, 'None', ''), ('one', 2, 1, 'None', '');
INSERT INTO model_version_tags (name, version, key, value) VALUES ('one', 1, 'a', 'b');
"""


@pytest.mark.parametrize(
    ("change", "where", "versions"),
    [
        ("registered_models SET description = {}", "registered_models.one.description", 2),
        ("registered_models SET creation_time = 'now'", "registered_models.one.creation_time", 2),
        ("registered_model_tags SET value = {}", "registered_model_tags.one.a", 2),
        ("registered_model_aliases SET version = 'x'", "registered_model_aliases.one.best", 2),
        ("model_versions SET description = {}", "model_versions.one/2.description", 2),
        ("model_versions SET creation_time = 'now'", "model_versions.one/2.creation_time", 2),
        ("model_versions SET version = 'x'", "model_versions.one.version", 1),
        ("model_version_tags SET value = {}", "model_version_tags.one/1.a", 2),
    ],
)
def test_a_senseless_cell_of_a_registered_model_costs_that_alone(
    path: Path, reader: MlflowReader, change: str, where: str, versions: int
) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(VERSIONS)
    chosen = "AND version = 2" if change.startswith("model_versions") else ""
    garble(path, f"{change.format(NO_UTF8)} WHERE name = 'one' {chosen}")
    runs = list(reader.runs())
    assert [run.name for run in runs[1:]] == ["one", "two"]
    found: list[object] = list(reader.read(runs[1]))
    assert [(loss.code, loss.where) for loss in losses_of(found)] == [("damaged-header", where)]
    assert sum(isinstance(chunk, Artifact) for chunk in found) == versions


def test_a_registered_model_whose_name_is_no_text_fails_alone(
    path: Path, reader: MlflowReader
) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(VERSIONS)
    garble(path, f"registered_models SET name = {NO_UTF8} WHERE name = 'one'")
    run, two, one = reader.runs()
    for whole in (run, two):
        assert list(reader.read(whole))
    with pytest.raises(NotFound, match=r"registered model b'.xff.xfe'"):
        list(reader.read(one))

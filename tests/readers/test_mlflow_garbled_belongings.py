"""A text that is no UTF-8 in a logged model or a trace is told; all else of the run comes."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from mlflow_read import reading
from tests.writers.conftest import database, empty_database  # noqa: F401

from runferry.chunks import Artifact, File, Lost, Points
from runferry.readers.mlflow import MlflowReader

NO_UTF8 = "CAST(x'fffe' AS TEXT)"
MADE, ORPHAN = "m-" + "1" * 32, "m-" + "2" * 32
TRACE = "tr-1"


@pytest.fixture
def path(database: Path) -> Path:  # noqa: F811
    """A run that made a model and recorded a trace, and a model that no run made."""
    with closing(sqlite3.connect(database)) as connection:
        ask = connection.execute
        ask(
            "INSERT INTO runs (run_uuid, name, status, start_time, lifecycle_stage,"
            " experiment_id) VALUES ('r1', 'n', 'FINISHED', 1700000000000, 'active', 0)"
        )
        ask(
            "INSERT INTO metrics (key, value, timestamp, run_uuid, step, is_nan)"
            " VALUES ('loss', 0.5, 1, 'r1', 0, 0)"
        )
        for model_id, run_id in ((MADE, "r1"), (ORPHAN, None)):
            ask(
                "INSERT INTO logged_models (model_id, experiment_id, name, artifact_location,"
                " creation_timestamp_ms, last_updated_timestamp_ms, status, lifecycle_stage,"
                " model_type, source_run_id) VALUES (?, 0, 'net', '', 1, 1, 2, 'active', 't', ?)",
                (model_id, run_id),
            )
            ask(
                "INSERT INTO logged_model_tags (model_id, experiment_id, tag_key, tag_value)"
                " VALUES (?, 0, 'a', 'b')",
                (model_id,),
            )
        ask(
            "INSERT INTO trace_info (request_id, experiment_id, timestamp_ms, status,"
            " request_preview) VALUES (?, 0, 1, 'OK', 'what')",
            (TRACE,),
        )
        for key, value in (("mlflow.sourceRun", "r1"), ("note", "b")):
            ask("INSERT INTO trace_request_metadata VALUES (?, ?, ?)", (key, value, TRACE))
        ask("INSERT INTO trace_tags (key, value, request_id) VALUES ('a', 'b', ?)", (TRACE,))
        connection.commit()
    return database


@pytest.fixture
def reader(path: Path) -> Iterator[MlflowReader]:
    with reading(path) as opened:
        yield opened


def garble(path: Path, table: str, column: str, where: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"UPDATE {table} SET {column} = {NO_UTF8} WHERE {where}")
        connection.commit()


@pytest.mark.parametrize(
    ("table", "column", "row", "where"),
    [
        ("logged_models", "name", f"model_id = '{MADE}'", f"logged_models.{MADE}.name"),
        ("logged_models", "model_id", f"model_id = '{MADE}'", "logged_models.model_id"),
        ("logged_model_tags", "tag_value", f"model_id = '{MADE}'", f"logged_model_tags.{MADE}.a"),
        ("trace_info", "request_preview", "1", f"trace_info.{TRACE}.request_preview"),
        ("trace_tags", "value", "1", f"trace_tags.{TRACE}.a"),
        ("trace_request_metadata", "value", "key = 'note'", f"trace_request_metadata.{TRACE}.note"),
    ],
)
def test_a_garbled_cell_of_a_model_or_a_trace_is_told_and_the_rest_of_the_run_comes(
    path: Path, reader: MlflowReader, table: str, column: str, row: str, where: str
) -> None:
    garble(path, table, column, row)
    runs = list(reader.runs())
    assert [run.key.run_id for run in runs] == ["r1", ORPHAN]
    found = list(reader.read(runs[0]))
    losses = [chunk.loss for chunk in found if isinstance(chunk, Lost)]
    assert [loss.where for loss in losses if loss.code == "damaged-header"] == [where]
    assert any(isinstance(chunk, Points) for chunk in found)
    assert any(isinstance(chunk, File) for chunk in found)  # the trace
    assert any(isinstance(chunk, Artifact) for chunk in found) == (column != "model_id")


@pytest.mark.parametrize(
    ("table", "column", "where"),
    [
        ("logged_models", "name", f"logged_models.{ORPHAN}.name"),
        ("logged_model_tags", "tag_value", f"logged_model_tags.{ORPHAN}.a"),
    ],
)
def test_a_garbled_model_that_no_run_made_is_listed_and_told(
    path: Path, reader: MlflowReader, table: str, column: str, where: str
) -> None:
    garble(path, table, column, f"model_id = '{ORPHAN}'")
    runs = list(reader.runs())
    assert [run.key.run_id for run in runs] == ["r1", ORPHAN]
    found = list(reader.read(runs[1]))
    assert [chunk.loss.where for chunk in found if isinstance(chunk, Lost)] == [where]
    assert any(isinstance(chunk, Artifact) for chunk in found)

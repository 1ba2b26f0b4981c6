"""Datasets and logged models in a sqlite file: the rows that MLflow's own store would write."""

from __future__ import annotations

import sqlite3
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Final

from runferry.dialects.mlflow import schema
from runferry.dialects.mlflow.artifacts import ArtifactFolder
from runferry.dialects.mlflow.logged import MODEL_ID_TAG, STATUS, Dataset, LoggedModel, ModelMetric
from runferry.dialects.mlflow.points import storable_value
from runferry.dialects.mlflow.tags import UID_TAG
from runferry.model import Uid
from runferry.writers.mlflow.sqlite_marks import MODELS, SqliteMarks

_NUMBER: Final = {word: number for number, word in STATUS.items()}
_MODEL: Final = """
INSERT INTO logged_models (model_id, experiment_id, name, artifact_location,
                           creation_timestamp_ms, last_updated_timestamp_ms, status,
                           lifecycle_stage, model_type, source_run_id, status_message)
VALUES (?, (SELECT experiment_id FROM runs WHERE run_uuid = ?), ?, ?, ?, ?, ?, 'active', ?, ?, ?)
"""
_METRIC: Final = """
INSERT INTO logged_model_metrics (model_id, metric_name, metric_timestamp_ms, metric_step,
                                  metric_value, experiment_id, run_id, dataset_name,
                                  dataset_digest)
VALUES (?, ?, ?, ?, ?, (SELECT experiment_id FROM runs WHERE run_uuid = ?), ?, ?, ?)
ON CONFLICT DO NOTHING
"""


class SqliteShelf:
    """One file; a table that its version of MLflow lacks takes nothing."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        transaction: Callable[[], AbstractContextManager[object]],
    ) -> None:
        self._connection = connection
        self._transaction = transaction
        self.has_models = bool(schema.columns(connection, "logged_models"))
        self._marks = SqliteMarks(connection, MODELS) if self.has_models else None
        self._has_datasets = bool(schema.columns(connection, "inputs"))

    def use(self, run_id: str, datasets: Sequence[Dataset]) -> None:
        """See `Shelf`. One transaction."""
        if not self._has_datasets:
            return
        with self._transaction():
            for one in datasets:
                self._used(run_id, self._dataset(run_id, one), one)

    def _dataset(self, run_id: str, one: Dataset) -> str:
        ask = self._connection.execute
        query = "SELECT experiment_id FROM runs WHERE run_uuid = ?"
        (number,) = ask(query, (run_id,)).fetchone()
        row = ask(
            "SELECT dataset_uuid FROM datasets WHERE experiment_id = ? AND name = ? AND digest = ?",
            (number, one.name, one.digest),
        ).fetchone()
        if row is not None:
            return str(row[0])
        made = uuid.uuid4().hex
        ask(
            "INSERT INTO datasets (dataset_uuid, experiment_id, name, digest, dataset_source_type,"
            " dataset_source, dataset_schema, dataset_profile) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (made, number, one.name, one.digest, one.source_type, one.source, one.schema,
             one.profile),
        )  # fmt: skip
        return made

    def _used(self, run_id: str, dataset_id: str, one: Dataset) -> None:
        link = uuid.uuid4().hex
        is_new = self._connection.execute(
            "INSERT INTO inputs (input_uuid, source_type, source_id, destination_type,"
            " destination_id) VALUES (?, 'DATASET', ?, 'RUN', ?) ON CONFLICT DO NOTHING",
            (link, dataset_id, run_id),
        ).rowcount
        if is_new > 0:
            self._connection.executemany(
                "INSERT INTO input_tags (input_uuid, name, value) VALUES (?, ?, ?)",
                [(link, name, value) for name, value in one.tags.items()],
            )

    def models_of(self, run_id: str, uid: Uid) -> Iterable[LoggedModel]:
        """See `Shelf`. Id, place and tags."""
        query = "SELECT tag_key, tag_value FROM logged_model_tags WHERE model_id = ?"
        for model in self._marked(UID_TAG, uid):
            if model.source_run == run_id:
                tags = dict(self._connection.execute(query, (model.model_id,)))
                yield replace(model, tags=tags)

    def find(self, source_id: str) -> LoggedModel | None:
        """See `Shelf`."""
        return next(self._marked(MODEL_ID_TAG, source_id), None)

    def _marked(self, mark: str, value: str) -> Iterator[LoggedModel]:
        """Id, place and run."""
        if self._marks is None:
            return
        query = "SELECT name, artifact_location, source_run_id FROM logged_models"
        for model_id in self._marks.ids(mark, value, "r.lifecycle_stage = 'active'"):
            found = self._connection.execute(f"{query} WHERE model_id = ?", (model_id,)).fetchall()
            for name, location, run_id in found:  # none where it has just been removed
                yield LoggedModel(model_id, name, "", location=location, source_run=run_id)

    def take(self, run_id: str, model_id: str) -> None:
        """See `Shelf`."""
        with self._transaction():
            self._connection.execute(
                "INSERT INTO inputs (input_uuid, source_type, source_id, destination_type,"
                " destination_id) VALUES (?, 'RUN_INPUT', ?, 'MODEL_INPUT', ?)"
                " ON CONFLICT DO NOTHING",
                (uuid.uuid4().hex, run_id, model_id),
            )

    def make(self, run_id: str, wished: LoggedModel) -> LoggedModel:
        """See `Shelf`. It keeps its id where that is free, and stands where its files are."""
        now = int(time.time() * 1000)
        with self._transaction():
            query = "SELECT 1 FROM logged_models WHERE model_id = ?"
            is_taken = self._connection.execute(query, (wished.model_id,)).fetchone() is not None
            model_id = f"m-{uuid.uuid4().hex}" if is_taken else wished.model_id
            made = now if wished.created_ms is None else wished.created_ms
            last = made if wished.updated_ms is None else wished.updated_ms
            self._connection.execute(
                _MODEL,
                (model_id, run_id, wished.name[:500], wished.location, made, last, 1,
                 wished.model_type, run_id, wished.status_message),
            )  # fmt: skip
            for table, pairs in (("tag", wished.tags), ("param", wished.params)):
                self._connection.executemany(
                    f"INSERT INTO logged_model_{table}s (model_id, experiment_id, {table}_key,"
                    f" {table}_value) SELECT ?, experiment_id, ?, ? FROM runs WHERE run_uuid = ?",
                    [(model_id, key, value, run_id) for key, value in pairs.items()],
                )
        return LoggedModel(model_id, wished.name, wished.status, location=wished.location)

    def folder(self, model: LoggedModel) -> ArtifactFolder | None:
        """None: the row says where the run keeps the files."""
        return None

    def finish(self, run_id: str, model: LoggedModel) -> None:
        """See `Shelf`. One transaction."""
        with self._transaction():
            self._connection.execute(
                "UPDATE logged_models SET status = ? WHERE model_id = ?",
                (_NUMBER.get(model.status, 0), model.model_id),
            )
            query = "DELETE FROM logged_model_tags WHERE model_id = ?"
            self._connection.execute(query, (model.model_id,))
            self._connection.executemany(
                "INSERT INTO logged_model_tags (model_id, experiment_id, tag_key, tag_value)"
                " SELECT ?, experiment_id, ?, ? FROM runs WHERE run_uuid = ?",
                [(model.model_id, key, value, run_id) for key, value in model.tags.items()],
            )
            if model.step is not None:
                self._connection.execute(
                    "INSERT INTO inputs (input_uuid, source_type, source_id, destination_type,"
                    " destination_id, step) VALUES (?, 'RUN_OUTPUT', ?, 'MODEL_OUTPUT', ?, ?)"
                    " ON CONFLICT DO NOTHING",
                    (uuid.uuid4().hex, run_id, model.model_id, model.step),
                )

    def measure(self, run_id: str, model_id: str, metrics: Sequence[ModelMetric]) -> None:
        """See `Shelf`. One transaction."""
        with self._transaction():
            self._connection.executemany(
                _METRIC,
                [
                    (model_id, m.key, m.timestamp, m.step, storable_value(m.value), run_id, run_id,
                     m.dataset_name, m.dataset_digest)
                    for m in metrics
                ],
            )  # fmt: skip

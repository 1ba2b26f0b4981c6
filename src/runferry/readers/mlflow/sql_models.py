"""Logged models of MLflow 3 in a sqlite file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Final, Literal

from runferry.dialects.mlflow import schema
from runferry.dialects.mlflow.logged import STATUS, LoggedModel, ModelMetric
from runferry.dialects.mlflow.sql_cells import taken_apart, text_of
from runferry.readers.mlflow.sql_by_run import ByRun
from runferry.readers.mlflow.store import digest

_MODELS: Final = """
SELECT model_id, name, status, model_type, creation_timestamp_ms, last_updated_timestamp_ms,
       status_message, source_run_id, artifact_location
FROM logged_models WHERE model_id = ? AND lifecycle_stage IS NOT 'deleted'
"""
_METRICS: Final = """
SELECT metric_name, metric_value, metric_timestamp_ms, metric_step, run_id, dataset_name,
       dataset_digest
FROM logged_model_metrics WHERE model_id = ?
"""


class SqlModels:
    """One file. Where its tables are older than MLflow 3 there are none."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._is_there = bool(schema.columns(connection, "logged_models"))
        self._by_run = ByRun(
            connection, "models_by_run", ("SELECT source_run_id, model_id FROM logged_models",)
        )

    def of_run(self, run_id: str | None) -> Iterator[LoggedModel]:
        """Those that a run made, or that no run made."""
        for model_id in self._by_run.of(run_id) if self._is_there else ():
            yield from self.of_id(model_id)

    def of_id(self, model_id: str) -> Iterator[LoggedModel]:
        """The one of an id, if there is one."""
        if not self._is_there:
            return
        rows = self._connection.execute(_MODELS, (model_id,)).fetchall()
        for row in rows:
            with taken_apart():
                made = self._made(*row)
            yield made

    def _made(
        self, model_id: str, name: str, status: int, kind: str | None, made: int | None,
        last: int | None, said: str | None, run_id: str | None, location: str | None,
    ) -> LoggedModel:  # fmt: skip
        return LoggedModel(
            model_id=model_id,
            name=text_of(name),
            status=STATUS.get(status, str(status)),
            model_type=kind,
            created_ms=None if made is None else int(made),
            updated_ms=None if last is None else int(last),
            status_message=said,
            tags=self._pairs("tag", model_id),
            params=self._pairs("param", model_id),
            metrics=tuple(self._metrics(model_id)),
            source_run=run_id,
            location=None if location is None else text_of(location),
            step=self._step(model_id, run_id),
        )

    def _pairs(self, what: Literal["tag", "param"], model_id: str) -> dict[str, str]:
        rows = self._connection.execute(
            f"SELECT {what}_key, {what}_value FROM logged_model_{what}s WHERE model_id = ?",
            (model_id,),
        )
        return {key: "" if value is None else str(value) for key, value in rows}

    def _metrics(self, model_id: str) -> Iterator[ModelMetric]:
        for key, value, time, step, run_id, name, mark in self._connection.execute(
            _METRICS, (model_id,)
        ).fetchall():
            number = float("nan") if value is None else float(value)
            yield ModelMetric(key, number, time, step, run_id, name, mark)

    def _step(self, model_id: str, run_id: str | None) -> int | None:
        row = self._connection.execute(
            "SELECT step FROM inputs WHERE source_type = 'RUN_OUTPUT' AND source_id = ?"
            " AND destination_type = 'MODEL_OUTPUT' AND destination_id = ?",
            (run_id, model_id),
        ).fetchone()
        return None if row is None else int(row[0])

    def experiment_of(self, model_id: str) -> str:
        """The name of its experiment."""
        row = self._connection.execute(
            "SELECT e.name FROM logged_models m"
            " JOIN experiments e ON e.experiment_id = m.experiment_id WHERE m.model_id = ?",
            (model_id,),
        ).fetchone()
        return "" if row is None else str(row[0])

    def state(self, run_id: str | None) -> str:
        """Changes whenever anything of a run's models does, but for what lies in their files."""
        return digest([[m.model_id, m.name, m.facts] for m in self.of_run(run_id)])

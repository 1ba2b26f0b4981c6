"""Logged models of MLflow 3 in a sqlite file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from math import nan
from typing import Any, Final, Literal

from runferry.dialects.mlflow import schema
from runferry.dialects.mlflow.logged import STATUS, LoggedModel, ModelMetric
from runferry.dialects.mlflow.sql_cells import Cells, any_text
from runferry.losses import Loss
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

    def of_run(self, run_id: str | None, losses: list[Loss]) -> Iterator[LoggedModel]:
        """Those that a run made, or that no run made; `losses` gets what no cell says any more."""
        if unnamed := self.unnamed(run_id):
            detail = f"of {unnamed:,} models, which are not found by it: it is no text"
            Cells(losses).tell("logged_models.model_id", detail, unnamed)
        for model_id in self.ids(run_id):
            yield from self.of_id(model_id, losses)

    def ids(self, run_id: str | None) -> list[str]:
        """Of the models that a run made, or that no run made."""
        return [one for one in self._all(run_id) if isinstance(one, str)]

    def unnamed(self, run_id: str | None) -> int:
        """How many of them have an id that is no text: no row is found by it."""
        return sum(not isinstance(one, str) for one in self._all(run_id))

    def _all(self, run_id: str | None) -> Sequence[str | bytes]:
        return self._by_run.of(run_id) if self._is_there else ()

    def of_id(self, model_id: str, losses: list[Loss]) -> Iterator[LoggedModel]:
        """The one of an id, if there is one."""
        if not self._is_there:
            return
        for row in self._rows(_MODELS, model_id):
            yield self._made(row, Cells(losses))

    def _rows(self, query: str, model_id: str) -> list[Any]:
        with any_text(self._connection):
            return self._connection.execute(query, (model_id,)).fetchall()

    def _made(self, row: tuple[Any, ...], cells: Cells) -> LoggedModel:
        model_id, name, status, kind, made, last, said, run_id, location = row
        table = f"logged_models.{model_id}"
        return LoggedModel(
            model_id=model_id,
            name=cells.text(name, f"{table}.name") or model_id,
            status=_status(status, f"{table}.status", cells),
            model_type=cells.text(kind, f"{table}.model_type"),
            created_ms=cells.moment(made, f"{table}.creation_timestamp_ms"),
            updated_ms=cells.moment(last, f"{table}.last_updated_timestamp_ms"),
            status_message=cells.text(said, f"{table}.status_message"),
            tags=self._pairs("tag", model_id, cells),
            params=self._pairs("param", model_id, cells),
            metrics=tuple(self._metrics(model_id, cells)),
            source_run=cells.text(run_id, f"{table}.source_run_id"),
            location=cells.text(location, f"{table}.artifact_location"),
            step=self._step(model_id, run_id, cells),
        )

    def _pairs(self, what: Literal["tag", "param"], model_id: str, cells: Cells) -> dict[str, str]:
        table = f"logged_model_{what}s"
        query = f"SELECT {what}_key, {what}_value FROM {table} WHERE model_id = ?"
        return cells.pairs(self._rows(query, model_id), f"{table}.{model_id}")

    def _metrics(self, model_id: str, cells: Cells) -> Iterator[ModelMetric]:
        table = f"logged_model_metrics.{model_id}"
        for key, value, time, step, run_id, name, mark in self._rows(_METRICS, model_id):
            said = cells.text(key, f"{table}.metric_name")
            if said is None:
                continue
            number = nan if value is None else cells.number(value, f"{table}.{said}.metric_value")
            at = cells.moment(time, f"{table}.{said}.metric_timestamp_ms")
            count = cells.integer(step, f"{table}.{said}.metric_step")
            if number is not None and at is not None and count is not None:
                made_by = cells.text(run_id, f"{table}.run_id") or ""
                dataset = cells.text(name, f"{table}.dataset_name")
                digested = cells.text(mark, f"{table}.dataset_digest")
                yield ModelMetric(said, float(number), at, count, made_by, dataset, digested)

    def _step(self, model_id: str, run_id: object, cells: Cells) -> int | None:
        row = self._connection.execute(
            "SELECT step FROM inputs WHERE source_type = 'RUN_OUTPUT' AND source_id = ?"
            " AND destination_type = 'MODEL_OUTPUT' AND destination_id = ?",
            (run_id, model_id),
        ).fetchone()
        return None if row is None else cells.integer(row[0], f"inputs.{model_id}.step")

    def experiment_of(self, model_id: str) -> str:
        """The name of its experiment."""
        rows = self._rows(
            "SELECT e.name, e.experiment_id FROM logged_models m"
            " JOIN experiments e ON e.experiment_id = m.experiment_id WHERE m.model_id = ?",
            model_id,
        )
        for name, number in rows:  # as of runs, whose names these are
            return name if isinstance(name, str) else str(number)
        return ""

    def state(self, run_id: str | None) -> str:
        """Changes whenever anything of a run's models does, but for what lies in their files."""
        return digest([[m.model_id, m.name, m.facts] for m in self.of_run(run_id, [])])


def _status(cell: object, where: str, cells: Cells) -> str:
    number = cells.integer(cell, where)
    return STATUS.get(number or 0) or str(number)

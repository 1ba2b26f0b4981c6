"""What a run used in an MLflow sqlite file: datasets (MLflow 2.4) and logged models (3.0)."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any

from runferry.chunks import Document
from runferry.dialects.mlflow import schema
from runferry.dialects.mlflow.logged import Dataset
from runferry.dialects.mlflow.sql_cells import Cells, any_text
from runferry.losses import Loss


class SqlInputs:
    """One file. Where its table is older than MLflow 2.4 nothing was used."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._is_there = bool(schema.columns(connection, "inputs"))

    def datasets(self, run_id: str, losses: list[Loss]) -> Iterator[Document]:
        """In the order in which they were noted; `losses` gets what no cell says any more."""
        rows = self._rows(
            "SELECT i.input_uuid, d.dataset_uuid, d.name, d.digest, d.dataset_source_type,"
            " d.dataset_source, d.dataset_schema, d.dataset_profile FROM inputs i"
            " JOIN datasets d ON d.dataset_uuid = i.source_id"
            " WHERE i.destination_type = 'RUN' AND i.destination_id = ? ORDER BY i.rowid",
            run_id,
        )
        cells = Cells(losses)
        for input_id, dataset_id, name, mark, source_type, source, shape, profile in rows:
            query = "SELECT name, value FROM input_tags WHERE input_uuid = ?"
            table = f"datasets.{dataset_id}"
            yield Dataset(
                cells.text(name, f"{table}.name") or f"{dataset_id}",
                cells.text(mark, f"{table}.digest") or "",
                cells.text(source_type, f"{table}.dataset_source_type") or "",
                cells.text(source, f"{table}.dataset_source") or "",
                cells.text(shape, f"{table}.dataset_schema"),
                cells.text(profile, f"{table}.dataset_profile"),
                cells.pairs(self._rows(query, input_id), f"input_tags.{input_id}"),
            ).document

    def models(self, run_id: str, losses: list[Loss]) -> Iterator[str]:
        """The ids of logged models."""
        query = (
            "SELECT destination_id FROM inputs WHERE source_type = 'RUN_INPUT' AND source_id = ?"
            " AND destination_type = 'MODEL_INPUT' ORDER BY rowid"
        )
        for (model_id,) in self._rows(query, run_id):
            found = Cells(losses).text(model_id, "inputs.destination_id")
            if found is not None:
                yield found

    def state(self, run_id: str) -> list[Any]:
        """What the run used and made, as far as MLflow notes it."""
        return self._rows(  # each half has an index of MLflow's
            "SELECT source_id, destination_id FROM inputs"
            " WHERE source_type IN ('RUN_INPUT', 'RUN_OUTPUT') AND source_id = ?1"
            " UNION SELECT source_id, destination_id FROM inputs"
            " WHERE destination_type = 'RUN' AND destination_id = ?1 ORDER BY 1, 2",
            run_id,
        )

    def _rows(self, query: str, value: object) -> list[Any]:
        if not self._is_there:
            return []
        with any_text(self._connection):
            return self._connection.execute(query, (value,)).fetchall()

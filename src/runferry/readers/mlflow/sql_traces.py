"""Traces in an MLflow sqlite file, by the runs that they were recorded in."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from math import inf
from typing import Any, Final

from runferry.chunks import File, Lost
from runferry.dialects.mlflow import schema
from runferry.dialects.mlflow.artifacts import ArtifactFolder
from runferry.dialects.mlflow.sql_cells import Cells, any_text
from runferry.dialects.mlflow.traces import RUN_KEY, Trace, spans_in
from runferry.losses import Loss
from runferry.model import Tree
from runferry.readers.mlflow.sql_by_run import ByRun

_MADE: Final = f"SELECT value, request_id FROM trace_request_metadata WHERE key = '{RUN_KEY}'"
_LINKED: Final = """
SELECT destination_id, source_id FROM entity_associations
WHERE source_type = 'trace' AND destination_type = 'run'
"""
_PROMOTED: Final = {
    "mlflow.trace.tokenUsage": (
        "input_tokens", "output_tokens", "total_tokens", "cache_read_input_tokens",
        "cache_creation_input_tokens", "cache_creation_input_tokens_above_1hr",
    ),
    "mlflow.trace.cost": ("input_cost", "output_cost", "total_cost"),
}  # fmt: skip
"""Metadata that newer versions keep as columns (`trace_analytics.py`, 3.17.2)."""

_FEEDBACK: Final = "feedback"
"""What an assessment is called whose type no cell says any more, so that MLflow can read it."""


class SqlTraces:
    """One file. Where its tables are older than MLflow 2.14 there are none."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        needed = {
            "trace_info": {"request_id", "experiment_id", "timestamp_ms", "status"},
            "trace_request_metadata": {"request_id", "key", "value"},
        }
        self._is_there = not any(
            names - schema.columns(connection, table) for table, names in needed.items()
        )
        is_linked = bool(schema.columns(connection, "entity_associations"))
        selects = (_MADE, _LINKED) if is_linked else (_MADE,)
        self._by_run = ByRun(connection, "traces_by_run", selects)

    def of_run(self, run_id: str, losses: list[Loss]) -> Iterator[Trace]:
        """Those that were recorded in a run, or linked to it, by when they began; `losses` gets
        what no cell says any more."""
        if not self._is_there:
            return
        began = "SELECT timestamp_ms FROM trace_info WHERE request_id = ?"
        found: list[tuple[object, str]] = []
        for one in self._by_run.of(run_id):
            if isinstance(one, bytes):  # no row is found by it
                Cells(losses).tell("trace_info.request_id", f"{one!r:.60} is no text")
            else:
                found += ((row["timestamp_ms"], one) for row in self._rows(began, one))
        found.sort(key=_by_time)
        for _, trace_id in found:
            for row in self._rows("SELECT * FROM trace_info WHERE request_id = ?", trace_id):
                yield self._trace(row, Cells(losses))

    def chunks(
        self, run_id: str, located: Callable[[str], ArtifactFolder]
    ) -> Iterator[File | Lost]:
        """The same as files; `located` gives the folder of a trace whose spans are a file."""
        losses: list[Loss] = []
        for trace in self.of_run(run_id, losses):
            spans = self._spans(trace, Cells(losses))
            if spans is None and trace.place:
                spans = spans_in(located(trace.place))
            yield from trace.chunks(spans)
        yield from map(Lost, losses)

    def _rows(self, query: str, value: str) -> Iterator[dict[str, Any]]:
        """Rows by their columns; none where the table is not there yet."""
        with any_text(self._connection):
            cursor = self._connection.execute(query, (value,))
            names = [column[0] for column in cursor.description]
            rows = cursor.fetchall()
        return (dict(zip(names, row, strict=True)) for row in rows)

    def _pairs(self, table: str, trace_id: str, cells: Cells) -> dict[str, Tree]:
        # table is one of two words of ours, never from outside
        query = f"SELECT key, value FROM {table} WHERE request_id = ? ORDER BY key"
        with any_text(self._connection):
            rows = self._connection.execute(query, (trace_id,)).fetchall()
        return {**cells.pairs(rows, f"{table}.{trace_id}")}

    def _trace(self, found: dict[str, Any], cells: Cells) -> Trace:
        trace_id = found["request_id"]
        row = cells.without_bytes(found, f"trace_info.{trace_id}")
        tags = self._pairs("trace_tags", trace_id, cells)
        if row.get("trace_name") is not None:
            tags["mlflow.traceName"] = row["trace_name"]
        info: dict[str, Tree] = {
            "trace_id": trace_id,
            "trace_location": {
                "type": "MLFLOW_EXPERIMENT",
                "mlflow_experiment": {"experiment_id": str(row["experiment_id"])},
            },
            "state": row["status"],
            "trace_metadata": self._pairs("trace_request_metadata", trace_id, cells)
            | _promoted(row),
            "tags": tags,
        }
        began = cells.moment(row["timestamp_ms"], f"trace_info.{trace_id}.timestamp_ms")
        if began is not None:
            info["request_time"] = _time(began)
        for name in ("client_request_id", "request_preview", "response_preview"):
            if row.get(name) is not None:
                info[name] = row[name]
        took = cells.number(
            row.get("execution_time_ms"), f"trace_info.{trace_id}.execution_time_ms"
        )
        if took is not None:
            info["execution_duration_ms"] = took
        if assessments := self._assessments(trace_id, cells):
            info["assessments"] = assessments
        return Trace(info)

    def _assessments(self, trace_id: str, cells: Cells) -> list[Tree]:
        if not schema.columns(self._connection, "assessments"):
            return []
        query = "SELECT * FROM assessments WHERE trace_id = ? ORDER BY created_timestamp, rowid"
        table = f"assessments.{trace_id}"
        rows = (cells.without_bytes(row, table) for row in self._rows(query, trace_id))
        return [_assessment(row, cells) for row in rows]

    def _spans(self, trace: Trace, cells: Cells) -> bytes | None:
        """The spans that are rows; None where they are elsewhere."""
        if not schema.columns(self._connection, "spans"):
            return None
        query = "SELECT content FROM spans WHERE trace_id = ? ORDER BY start_time_unix_nano, rowid"
        rows = list(self._rows(query, trace.trace_id))
        texts = [cells.text(row["content"], f"spans.{trace.trace_id}.content") for row in rows]
        found = [text for text in texts if text is not None]
        return f'{{"spans": [{", ".join(found)}]}}'.encode() if rows else None


def _promoted(row: Mapping[str, Any]) -> dict[str, Tree]:
    found: dict[str, Tree] = {}
    if row.get("session_id") is not None:
        found["mlflow.trace.session"] = row["session_id"]
    for key, columns in _PROMOTED.items():
        held = {name: row[name] for name in columns if row.get(name) is not None}
        if held:
            found[key] = json.dumps(held)
    return found


def _by_time(found: tuple[object, str]) -> tuple[float, str]:
    """What is no time comes first."""
    began, trace_id = found
    return (began if isinstance(began, (int, float)) else -inf, trace_id)


def _assessment(row: Mapping[str, Any], cells: Cells) -> Tree:
    """As `Assessment.to_dictionary` spells it; `error` and `metadata` are JSON in the table."""
    source = {"source_type": row["source_type"], "source_id": row["source_id"]}
    found: dict[str, Tree] = {
        "assessment_id": row["assessment_id"],
        "assessment_name": row["name"],
        "trace_id": row["trace_id"],
        "source": {key: value for key, value in source.items() if value is not None},
        **_times(row, cells),
        "valid": bool(row["valid"]),
        row["assessment_type"] or _FEEDBACK: _assessed(row),
    }
    for name in ("span_id", "rationale", "overrides"):
        if row[name]:
            found[name] = row[name]
    if row["assessment_metadata"] is not None:
        found["metadata"] = {key: str(value) for key, value in _object(row["assessment_metadata"])}
    return found


def _times(row: Mapping[str, Any], cells: Cells) -> dict[str, Tree]:
    columns = {"create_time": "created_timestamp", "last_update_time": "last_updated_timestamp"}
    table = f"assessments.{row['trace_id']}"
    times = {name: cells.moment(row[it], f"{table}.{it}") for name, it in columns.items()}
    return {name: _time(at) for name, at in times.items() if at is not None}


def _assessed(row: Mapping[str, Any]) -> Tree:
    value = _json(row["value"])
    if row["assessment_type"] == "issue":
        return value
    if row["assessment_type"] == "expectation" and isinstance(value, (dict, list)):
        serialized: Tree = {"serialization_format": "JSON_FORMAT", "value": json.dumps(value)}
        return {"serialized_value": serialized}
    if row["error"] is None:
        return {"value": value}
    return {"value": value, "error": {key: said for key, said in _object(row["error"]) if said}}


def _json(text: str | None) -> Tree:
    """What is no JSON is a text: MLflow does not write such, but anybody can."""
    if text is None:
        return None
    try:
        found: Tree = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return found


def _object(text: str) -> Iterable[tuple[str, Tree]]:
    found = _json(text)
    return found.items() if isinstance(found, dict) else {"text": found}.items()


def _time(milliseconds: int) -> str:
    """As protobuf spells a time in JSON: three digits of a second, or none.

    Beyond the years that there are it stays the number that it is.
    """
    try:
        at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)
    except OverflowError:
        return str(milliseconds)
    digits = f".{at.microsecond // 1000:03d}" if at.microsecond else ""
    return f"{at:%Y-%m-%dT%H:%M:%S}{digits}Z"

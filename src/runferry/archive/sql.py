"""DuckDB over the explicit list of segments: one view for each table, each with the run's uid."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa

from runferry.archive import snapshots
from runferry.archive.catalog import Catalog
from runferry.archive.layout import ROW_TABLES
from runferry.archive.reading import plain_schema
from runferry.archive.record import DamagedRun, RunRecord, attribute_to_json, run_to_json
from runferry.dialects.row_tables import ROW_SCHEMAS
from runferry.paths import pattern_of
from runferry.tables import dumps

if TYPE_CHECKING:
    from runferry.archive.store import Archive

RUNS = pa.schema(
    [
        pa.field("uid", pa.string()),
        *(pa.field(name, pa.string()) for name in ("tracker", "scope", "run_id")),
        *(
            pa.field(name, pa.string())
            for name in (
                "name", "project", "entity", "group", "kind", "job_type", "parent", "sweep",
                "notes", "user", "host", "source_url", "status", "state", "client", "origin_uid",
            )
        ),
        pa.field("tags", pa.list_(pa.string())),
        pa.field("labels", pa.string()),  # JSON
        *(pa.field(name, pa.timestamp("us")) for name in ("created", "started", "ended")),
        pa.field("exit_code", pa.int64()),
        pa.field("complete", pa.bool_()),
        pa.field("generation", pa.int64()),
        pa.field("digest", pa.string()),
        pa.field("points", pa.int64()),
    ]
)  # fmt: skip

ATTRIBUTES = pa.schema(
    [
        pa.field("uid", pa.string()),
        pa.field("role", pa.string()),
        pa.field("path", pa.list_(pa.string())),
        pa.field("value", pa.string()),  # JSON
    ]
)

LOSSES = pa.schema(
    [
        pa.field("uid", pa.string()),
        *(pa.field(name, pa.string()) for name in ("code", "fate", "where")),
        pa.field("count", pa.int64()),
        pa.field("detail", pa.string()),
    ]
)


DAMAGED = pa.schema([pa.field("uid", pa.string()), pa.field("error", pa.string())])


def connect(archive: Archive) -> duckdb.DuckDBPyConnection:
    """A connection in memory whose views read the segments that the commits name now.

    Runs whose commit cannot be read are in the view `damaged` alone.
    """
    damaged: list[DamagedRun] = []
    records = list(Catalog(archive).records(damaged))
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    for table in ROW_TABLES:
        _view_of_segments(connection, archive, records, table)
    for name, rows in _small_tables(archive, records).items():
        connection.register(name, rows)
    unread = [{"uid": run.uid, "error": str(run.error)} for run in damaged]
    connection.register("damaged", pa.Table.from_pylist(unread, schema=DAMAGED))
    return connection


def _view_of_segments(
    connection: duckdb.DuckDBPyConnection, archive: Archive, records: list[RunRecord], table: str
) -> None:
    files = [str(archive.path / segment.path) for record in records for segment in record.of(table)]
    if not files:
        connection.register(table, _without_zone(ROW_SCHEMAS[table]).empty_table())
        return
    columns = ", ".join(_column(name) for name in ROW_SCHEMAS[table].names)
    listed = ", ".join(_quoted(pattern_of(file)) for file in files)
    # never hive_partitioning: it would take every `name=value` folder above the archive for a
    # column, in place of the file's own
    connection.execute(
        f"CREATE VIEW {table} AS SELECT regexp_extract(filename, {_quoted(_UID)}, 1) AS uid, "
        f"{columns} FROM read_parquet([{listed}], hive_partitioning = false, filename = true)"
    )


_UID = r"[/\\]run=([0-9a-f]{32})[/\\][^/\\]*$"


def _column(name: str) -> str:
    # without its zone, which is UTC: the Python client needs a package of its own for zones
    return "CAST(time AS TIMESTAMP) AS time" if name == "time" else f'"{name}"'


def _without_zone(schema: pa.Schema) -> pa.Schema:
    plain = plain_schema(schema).insert(0, pa.field("uid", pa.string()))
    at = plain.get_field_index("time")
    return plain if at < 0 else plain.set(at, pa.field("time", pa.timestamp("us")))


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _small_tables(archive: Archive, records: list[RunRecord]) -> dict[str, pa.Table]:
    tables = {
        "runs": pa.Table.from_pylist([_run_row(record) for record in records], schema=RUNS),
        "attributes": pa.Table.from_pylist(
            [row for record in records for row in _attribute_rows(record)], schema=ATTRIBUTES
        ),
        "losses": pa.Table.from_pylist(
            [row for record in records for row in _loss_rows(record)], schema=LOSSES
        ),
    }
    for name, schema in snapshots.SNAPSHOT_SCHEMAS.items():
        parts = []
        for record in records:
            rows = archive.snapshot(record, name)
            if rows:
                part = snapshots.to_table(name, rows)
                parts.append(part.add_column(0, "uid", pa.repeat(record.run.uid, len(rows))))
        with_uid = schema.insert(0, pa.field("uid", pa.string()))
        tables[name] = pa.concat_tables(parts) if parts else with_uid.empty_table()
    return tables


def _run_row(record: RunRecord) -> dict[str, Any]:
    run = record.run
    row = {name: getattr(run, name, None) for name in RUNS.names}
    times = {"created": run.created, "started": run.started, "ended": run.ended}
    row |= {name: time and time.replace(tzinfo=None) for name, time in times.items()}
    points = record.sums.get("points")
    return row | {
        "tracker": run.key.tracker,
        "scope": run.key.scope,
        "run_id": run.key.run_id,
        "tags": list(run.tags),
        "labels": json.dumps(run_to_json(run).get("labels", {})),
        "generation": record.generation,
        "digest": record.digest,
        "points": points.rows if points else 0,
    }


def _attribute_rows(record: RunRecord) -> list[dict[str, Any]]:
    return [
        {
            "uid": record.run.uid,
            "role": item.role,
            "path": attribute_to_json(item)[1],
            "value": dumps(item.value),
        }
        for item in record.attributes
    ]


def _loss_rows(record: RunRecord) -> list[dict[str, Any]]:
    return [
        {
            "uid": record.run.uid,
            "code": loss.code,
            "fate": loss.fate.label,
            "where": loss.where,
            "count": loss.count,
            "detail": loss.detail,
        }
        for loss in record.losses
    ]

"""Tables that each commit states as a whole: series, files, artifacts, documents.

A row is a mapping that JSON and Parquet spell alike. Small tables stand in the commit record
itself, which saves a small run most of its files; larger ones are a Parquet segment.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from runferry.archive.counts import counts_of
from runferry.archive.layout import KIND_OF, TABLE_OF
from runferry.chunks import Artifact, Document, File
from runferry.model import (
    ArtifactEntry,
    Blob,
    DataKind,
    Series,
    SeriesCounts,
    VersionFacts,
    version_number,
)
from runferry.tables import dumps, loads

INLINE_ROWS = 512

Row = Mapping[str, Any]
BlobOf = Callable[[str, "int | None", "str | None"], Blob]

_BLOB = [
    pa.field("sha256", pa.string()),
    pa.field("size", pa.int64()),
    pa.field("mime", pa.string()),
    pa.field("present", pa.bool_()),
]
_COUNTS = [
    *(
        pa.field(name, pa.int64())
        for name in (
            "points", "nan", "positive_inf", "negative_inf", "null_values", "inexact_ints",
            "not_float", "null_steps", "fractional_steps", "negative_steps", "falling_steps",
            "duplicate_steps", "null_times", "submillisecond_times", "first_step", "last_step",
            "min_step", "max_step", "min_time_ns", "max_time_ns", "longest",
        )
    ),
    pa.field("min_value", pa.float64()),
    pa.field("max_value", pa.float64()),
]  # fmt: skip

SNAPSHOT_SCHEMAS: dict[str, pa.Schema] = {
    "series": pa.schema(
        [
            pa.field("key", pa.string()),
            pa.field("path", pa.list_(pa.string())),
            pa.field("stream", pa.string()),
            pa.field("kind", pa.string()),
            pa.field("x_axis", pa.string()),
            pa.field("goal", pa.string()),
            pa.field("summary_rule", pa.string()),
            pa.field("hidden", pa.bool_()),
            pa.field("original_key", pa.string()),
            *_COUNTS,
            pa.field("tally", pa.string()),  # JSON: what the next pull counts on from, by table
        ]
    ),
    "files": pa.schema([pa.field("path", pa.string()), pa.field("role", pa.string()), *_BLOB]),
    "artifacts": pa.schema(
        [
            *(
                pa.field(name, pa.string())
                for name in ("name", "type", "relation", "version", "artifact_id")
            ),
            pa.field("aliases", pa.list_(pa.string())),
            pa.field("description", pa.string()),
            pa.field("metadata", pa.string()),  # JSON
            pa.field("digest", pa.string()),
            pa.field(
                "entries",
                pa.list_(
                    pa.struct(
                        [
                            pa.field("path", pa.string()),
                            pa.field("reference", pa.string()),
                            pa.field("digest", pa.string()),
                            *_BLOB,
                        ]
                    )
                ),
            ),
        ]
    ),
    "documents": pa.schema(
        [
            pa.field("kind", pa.string()),
            pa.field("name", pa.string()),
            pa.field("body", pa.string()),  # JSON
        ]
    ),
}


def to_table(name: str, rows: Sequence[Row]) -> pa.Table:
    """Rows as an Arrow table; what a row leaves out is null."""
    if name == "series":
        rows = [_series_columns(row) for row in rows]
    return pa.Table.from_pylist([dict(row) for row in rows], schema=SNAPSHOT_SCHEMAS[name])


def from_table(name: str, table: pa.Table) -> list[Row]:
    """The inverse of `to_table`."""
    rows = [_dense(row) for row in table.to_pylist()]
    return [_series_row(row) for row in rows] if name == "series" else rows


def _dense(row: Row) -> Row:
    """The row without its nulls, in lists of rows too."""
    return {
        name: [_dense(item) if isinstance(item, dict) else item for item in value]
        if isinstance(value, list)
        else value
        for name, value in row.items()
        if value is not None
    }


# --- series ---------------------------------------------------------------------------------------


def facts_row(series: Series) -> Row:
    """A series without its counts."""
    return _dense(
        {
            "key": series.key,
            "path": list(series.path),
            "stream": series.stream,
            "kind": series.kind,
            "x_axis": series.x_axis,
            "goal": series.goal,
            "summary_rule": series.summary_rule,
            "hidden": series.hidden,
            "original_key": series.original_key,
        }
    )


def series_row(series: Series, tallies: Mapping[str, Mapping[str, Any]]) -> Row:
    """A series and what was counted of it, by row table: where the next pull counts on from."""
    return {**facts_row(series), "tally": dict(tallies)}


def series_of(row: Row) -> Series:
    """The series of a row, with its counts."""
    tallies = row.get("tally", {})
    kind = row["kind"]
    longest = max((tally.get("longest", 0) for tally in tallies.values()), default=0)
    counts = counts_of({**tallies.get(TABLE_OF[kind], {}), "longest": longest})
    return Series(
        key=row["key"],
        path=tuple(row["path"]),
        stream=row["stream"],
        kind=kind,
        x_axis=row.get("x_axis"),
        goal=row.get("goal"),
        summary_rule=row.get("summary_rule"),
        hidden=row["hidden"],
        counts=counts,
        original_key=row.get("original_key"),
    )


def mixed_of(rows: Iterable[Row]) -> dict[str, dict[DataKind, SeriesCounts]]:
    """By key: what was counted of rows of other kinds than the series is declared to have."""
    mixed: dict[str, dict[DataKind, SeriesCounts]] = {}
    for row in rows:
        for table, tally in row.get("tally", {}).items():
            if KIND_OF[table] != row["kind"] and tally.get("points"):
                mixed.setdefault(row["key"], {})[KIND_OF[table]] = counts_of(tally)
    return mixed


def _series_columns(row: Row) -> Row:
    counts = series_of(row).counts
    stated = {spec.name: getattr(counts, spec.name) for spec in _COUNTS}
    return {**row, **stated, "tally": json.dumps(row.get("tally", {}))}


def _series_row(columns: Row) -> Row:
    facts = {name: value for name, value in columns.items() if name in _FACTS}
    return {**facts, "tally": json.loads(columns["tally"])}


_FACTS = {
    "key", "path", "stream", "kind", "x_axis", "goal", "summary_rule", "hidden", "original_key",
}  # fmt: skip


# --- files, artifacts, documents ------------------------------------------------------------------


def _blob_row(blob: Blob) -> Row:
    return {
        "sha256": blob.sha256,
        "size": blob.size,
        "mime": blob.media_type,
        "present": not blob.is_missing,
    }


def blob_of(row: Row, stored: BlobOf) -> Blob:
    """The blob a row speaks of; `stored` finds those that are there."""
    if row["present"]:
        return stored(row["sha256"], row["size"], row.get("mime"))
    return Blob(row.get("size"), row.get("mime"), row.get("sha256"))


def file_row(file: File) -> Row:
    """A file whose blob is in the archive, or missing."""
    return _dense({"path": file.path, "role": file.role, **_blob_row(file.blob)})


def file_of(row: Row, stored: BlobOf) -> File:
    """The inverse of `file_row`."""
    return File(row["path"], row["role"], blob_of(row, stored))


def artifact_row(artifact: Artifact) -> Row:
    """An artifact whose entries' blobs are in the archive, or missing."""
    entries = [
        _dense(
            {
                "path": entry.path,
                "reference": entry.reference,
                "digest": entry.digest,
                **_blob_row(entry.blob),
            }
        )
        for entry in artifact.entries
    ]
    return _dense(
        {
            "name": artifact.name,
            "type": artifact.type,
            "relation": artifact.relation,
            "version": artifact.version,
            "artifact_id": artifact.artifact_id,
            "aliases": list(artifact.aliases),
            "description": artifact.description,
            "metadata": None if artifact.metadata is None else dumps(artifact.metadata),
            "digest": artifact.digest,
            "entries": entries,
        }
    )


def artifact_of(row: Row, stored: BlobOf) -> Artifact:
    """The inverse of `artifact_row`."""
    entries = tuple(
        ArtifactEntry(
            entry["path"], blob_of(entry, stored), entry.get("reference"), entry.get("digest")
        )
        for entry in row["entries"]
    )
    return Artifact(
        name=row["name"],
        type=row["type"],
        relation=row["relation"],
        version=row.get("version"),
        artifact_id=row.get("artifact_id"),
        aliases=tuple(row["aliases"]),
        description=row.get("description"),
        metadata=loads(row["metadata"]) if "metadata" in row else None,
        digest=row.get("digest"),
        entries=entries,
    )


def version_facts_of(row: Row) -> VersionFacts:
    """What of an artifact is known without its entries."""
    is_produced = row["relation"] == "produced"
    aliases = tuple(row["aliases"])
    return VersionFacts(row["name"], row["type"], is_produced, row.get("version"), aliases)


def in_order_of_versions(rows: Iterable[Row]) -> list[Row]:
    """Artifacts, the versions of a name as its source counts them: v9 comes before v10."""

    def place(row: Row) -> tuple[str, str, str, int]:
        number = version_number(row.get("version"))
        return row["name"], row["type"], row["relation"], -1 if number is None else number

    return sorted(rows, key=place)


def document_row(document: Document) -> Row:
    """A document; its body as JSON text."""
    return {"kind": document.kind, "name": document.name, "body": dumps(document.body)}


def document_of(row: Row) -> Document:
    """The inverse of `document_row`."""
    return Document(row["kind"], row["name"], loads(row["body"]))


_IDENTITY = {
    "series": ("key",),
    "files": ("path",),
    "artifacts": ("name", "type", "relation", "version", "artifact_id"),
    "documents": ("kind", "name"),
}


def identity(table: str, row: Row) -> tuple[str | None, ...]:
    """What a later row must share with an earlier one to replace it."""
    return tuple(row.get(name) for name in _IDENTITY[table])


def content(table: str, rows: Iterable[Row]) -> list[Any]:
    """What of the rows counts for the content digest: all but what was counted."""
    if table == "series":
        return [{name: row[name] for name in row if name in _FACTS} for row in rows]
    return list(rows)

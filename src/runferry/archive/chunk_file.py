"""One chunk as one file: a line of JSON that names its kind, then JSON or an Arrow stream."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa

from runferry.archive import snapshots
from runferry.archive.layout import ROW_TABLES
from runferry.archive.record import (
    attribute_from_json,
    attribute_to_json,
    loss_from_json,
    loss_to_json,
    run_from_json,
    run_to_json,
)
from runferry.archive.row_chunks import chunks_of, media_of, rows_of
from runferry.archive.snapshots import BlobOf
from runferry.chunks import (
    Artifact,
    Attributes,
    Checkpoint,
    Chunk,
    Document,
    File,
    Header,
    Lost,
    SeriesFacts,
)
from runferry.tables import from_json, to_json


def to_bytes(chunk: Chunk) -> bytes:
    """The file's content; blobs must be in the archive already."""
    rows = rows_of(chunk)
    if rows is not None:
        return _table(*rows)
    match chunk:
        case Header(run):
            return _json("header", run_to_json(run))
        case Attributes(attributes, is_whole):
            kind = "all-attributes" if is_whole else "attributes"
            return _json(kind, [attribute_to_json(item) for item in attributes])
        case SeriesFacts(series):
            return _json("series", [snapshots.series_row(item, {}) for item in series])
        case File():
            return _json("file", snapshots.file_row(chunk))
        case Artifact():
            return _json("artifact", snapshots.artifact_row(chunk))
        case Document():
            return _json("document", snapshots.document_row(chunk))
        case Lost(loss):
            return _json("lost", loss_to_json(loss))
        case Checkpoint(position):
            return _json("checkpoint", to_json(position))
    raise TypeError(f"no chunk: {type(chunk).__name__}")


def _json(kind: str, body: Any) -> bytes:
    return f"{json.dumps({'kind': kind})}\n{json.dumps(body)}\n".encode()


def _table(kind: str, batch: pa.RecordBatch) -> bytes:
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_stream(sink, batch.schema, options=options) as stream:
        stream.write_batch(batch)
    return json.dumps({"kind": kind}).encode() + b"\n" + bytes(sink.getvalue())


def from_bytes(content: bytes, stored: BlobOf) -> Chunk:
    """The inverse of `to_bytes`; `stored` finds blobs. Raises ValueError for an unknown kind."""
    line, body = content.split(b"\n", 1)
    kind = json.loads(line)["kind"]
    if kind in ROW_TABLES:
        return _from_table(kind, body, stored)
    spelled = json.loads(body)
    match kind:
        case "header":
            return Header(run_from_json(spelled))
        case "attributes" | "all-attributes":
            attributes = tuple(attribute_from_json(item) for item in spelled)
            return Attributes(attributes, is_whole=kind == "all-attributes")
        case "series":
            return SeriesFacts(tuple(snapshots.series_of(row) for row in spelled))
        case "file":
            return snapshots.file_of(spelled, stored)
        case "artifact":
            return snapshots.artifact_of(spelled, stored)
        case "document":
            return snapshots.document_of(spelled)
        case "lost":
            return Lost(loss_from_json(spelled))
        case "checkpoint":
            return Checkpoint(from_json(spelled))
    raise ValueError(f"a chunk of unknown kind {kind!r}")


def _from_table(kind: str, body: bytes, stored: BlobOf) -> Chunk:
    with pa.ipc.open_stream(body) as stream:
        batch = stream.read_next_batch()
    if kind == "media":
        return media_of(batch, stored)
    (chunk,) = chunks_of(kind, batch, stored)
    return chunk

"""Chunks that are no rows of numbers as trees, exact, both ways; bytes are kept elsewhere."""

from __future__ import annotations

from typing import Any, cast

import pyarrow as pa

from runferry.chunks import (
    Artifact,
    Attributes,
    Chunk,
    Console,
    Document,
    File,
    Header,
    Lost,
    Media,
    Raw,
    SeriesFacts,
)
from runferry.dialects import codec
from runferry.dialects.codec import Find, Keep
from runferry.model import Blob, Tree
from runferry.tables import CONSOLE, conform

_Fields = dict[str, Any]


def chunk_tree(chunk: Chunk, keep: Keep) -> tuple[str, Tree]:
    """The kind of a chunk, and what it says. Raises TypeError for rows and checkpoints."""
    match chunk:
        case Header(run):
            return "header", codec.run_tree(run)
        case Attributes(items, is_whole):
            trees = [codec.attribute_tree(item) for item in items]
            return "all-attributes" if is_whole else "attributes", trees
        case SeriesFacts(series):
            return "series", [codec.series_tree(one) for one in series]
        case Console(batch):
            return "console", _console_tree(batch)
        case Media(items):
            return "media", [codec.media_tree(item, keep(item.blob, item.key)) for item in items]
        case File(path, role, blob):
            return "file", {"path": path, "role": role, "blob": keep(blob, path)}
        case Artifact(entries=entries):
            held = [codec.entry_tree(entry, keep(entry.blob, entry.path)) for entry in entries]
            return "artifact", codec.artifact_tree(chunk, held)
        case Document():
            return "document", codec.document_tree(chunk)
        case Raw():
            return "raw", codec.raw_tree(chunk)
        case Lost(loss):
            return "lost", codec.loss_tree(loss)
    raise TypeError(f"no tree for a chunk of {type(chunk).__name__}")


def chunk_of(kind: str, tree: Tree, find: Find) -> Chunk:
    """The inverse of `chunk_tree`. Raises ValueError for a kind that there is not."""
    match kind:
        case "header":
            return Header(codec.run_of(tree))
        case "attributes" | "all-attributes":
            items = tuple(map(codec.attribute_of, _list(tree)))
            return Attributes(items, is_whole=kind == "all-attributes")
        case "series":
            return SeriesFacts(tuple(map(codec.series_of, _list(tree))))
        case "console":
            return Console(_console_of(tree))
        case "media":
            return Media(tuple(codec.media_of(item, find) for item in _list(tree)))
        case "file":
            kept = cast("_Fields", tree)
            return File(kept["path"], kept["role"], find(kept["blob"]))
        case "artifact":
            return codec.artifact_of(tree, find)
        case "document":
            return codec.document_of(tree)
        case "raw":
            return codec.raw_of(tree)
        case "lost":
            return Lost(codec.loss_of(tree))
    raise ValueError(f"a chunk of unknown kind {kind!r}")


def blob_facts(blob: Blob) -> dict[str, Tree]:
    """What is known of a blob apart from its bytes."""
    return {"size": blob.size, "media_type": blob.media_type, "sha256": blob.sha256}


def _list(tree: Tree) -> list[Tree]:
    return cast("list[Tree]", tree)


def _console_tree(batch: pa.RecordBatch) -> Tree:
    columns = conform(batch, CONSOLE)
    micros = columns.column("time").cast(pa.int64())
    plain = columns.drop_columns(["time"]).to_pydict()
    return {"time": micros.to_pylist(), **plain}


def _console_of(tree: Tree) -> pa.RecordBatch:
    stated = cast("_Fields", tree)
    arrays = [
        pa.array(stated["time"], pa.int64()).cast(column.type)
        if column.name == "time"
        else pa.array(stated[column.name], _plain(column.type)).cast(column.type)
        for column in CONSOLE
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=CONSOLE)


def _plain(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind

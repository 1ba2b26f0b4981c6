"""Images, sounds, curves, meshes and graphs with their bytes."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import BinaryIO

import pyarrow as pa

from runferry import chunks, tables
from runferry.model import Address, Blob, MediaItem, MediaType, Tree

_AT_ONCE = 1024
_TYPES: dict[str, MediaType] = {
    "image": "image",
    "audio": "audio",
    "pr_curve": "plot",
    "mesh": "object3d",
}
_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"BM", "image/bmp"),
)
_ANY = "application/octet-stream"


def media_chunks(rows: pa.RecordBatch, keys: list[str]) -> Iterator[chunks.Media]:
    """The media of a batch; their bytes stay in it until they are asked for."""
    for start in range(0, rows.num_rows, _AT_ONCE):
        part = rows.slice(start, _AT_ONCE)
        yield chunks.Media(tuple(_items(part, keys)))


def _items(rows: pa.RecordBatch, keys: list[str]) -> Iterator[MediaItem]:
    content = rows.column("content")
    small = rows.drop_columns(["content", "time"]).to_pylist()
    micro = rows.column("time").cast(pa.int64()).to_pylist()
    for number, (row, time) in enumerate(zip(small, micro, strict=True)):
        time_ns = None if time is None else time * 1000 + (row["time_ns"] or 0)
        metadata = tables.loads(row["metadata"]) if row["metadata"] is not None else None
        form = str(row["form"])
        if form not in _TYPES:
            metadata = {"plugin": "graphs", "form": form}
        yield MediaItem(
            keys[row["series"]],
            Address(row["seq"], row["step"], row["step_frac"], time_ns),
            _TYPES.get(form, "other"),
            _blob(content[number].as_buffer(), form, metadata),
            index=row["index"],
            caption=row["caption"],
            metadata=metadata,
        )


def _blob(content: pa.Buffer, form: str, metadata: Tree) -> Blob:
    def opened() -> BinaryIO:
        return io.BytesIO(content)

    return Blob(content.size, _media_type(content, form, metadata), None, opened)


def _media_type(content: pa.Buffer, form: str, metadata: Tree) -> str:
    stated = metadata.get("content_type") if isinstance(metadata, dict) else None
    if isinstance(stated, str) and stated:
        return stated
    if form == "pr_curve":
        return "application/json"
    if form != "image":
        return _ANY
    start = content.slice(0, min(content.size, 8)).to_pybytes()
    return next((kind for magic, kind in _MAGIC if start.startswith(magic)), _ANY)

"""Chunks as lines of JSON, exactly: the notation of the reference tracker."""

from __future__ import annotations

import base64
import hashlib
import shutil
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa

from runferry import chunks, losses, model

_CLASSES: Mapping[str, type] = {
    kind.__name__: kind
    for kind in (
        *chunks.Chunk.__args__,
        *(model.Run, model.RunKey, model.Fork, model.Attribute, model.Series),
        *(model.SeriesCounts, model.MediaItem, model.Address, model.ArtifactEntry),
        losses.Loss,
    )
}


class ChunkCodec:
    """Writes objects of the model as JSON values, their bytes into a folder, and reads them back.

    Every value that JSON could confuse with another is tagged; nothing from the data names a file.
    """

    def __init__(self, blobs: Path) -> None:
        self._blobs = blobs

    def encode(self, value: object) -> Any:
        """An object as what `json.dumps` writes."""
        match value:
            case None | bool() | str():
                return value
            case losses.Fate():
                return {"$fate": value.label}
            case int():
                return {"$int": str(value)}
            case float():
                return {"$float": value.hex()}
            case bytes():
                return {"$bytes": base64.b64encode(value).decode("ascii")}
            case datetime():
                return {"$time": value.isoformat()}
            case list():
                return [self.encode(item) for item in value]
            case tuple():
                return {"$tuple": [self.encode(item) for item in value]}
            case Mapping():
                return {"$map": [[name, self.encode(item)] for name, item in value.items()]}
            case model.Blob():
                return {"$blob": self._store(value)}
            case pa.RecordBatch():
                return {"$batch": _spell(value)}
            case _ if is_dataclass(value) and type(value).__name__ in _CLASSES:
                stated = {f.name: self.encode(getattr(value, f.name)) for f in fields(value)}
                return {"$is": type(value).__name__, "fields": stated}
        raise TypeError(f"no notation for {type(value).__name__}")

    def decode(self, value: Any) -> Any:
        """The inverse of `encode`."""
        if isinstance(value, list):
            return [self.decode(item) for item in value]
        if not isinstance(value, dict):
            return value
        if "$is" in value:
            stated = {name: self.decode(item) for name, item in value["fields"].items()}
            return _CLASSES[value["$is"]](**stated)
        ((tag, inner),) = value.items()
        match tag:
            case "$fate":
                return losses.Fate.parse(inner)
            case "$int":
                return int(inner)
            case "$float":
                return float.fromhex(inner)
            case "$bytes":
                return base64.b64decode(inner)
            case "$time":
                return datetime.fromisoformat(inner)
            case "$tuple":
                return tuple(self.decode(item) for item in inner)
            case "$map":
                return {name: self.decode(item) for name, item in inner}
            case "$blob":
                return self._load(inner)
            case "$batch":
                return _read(inner)
        raise ValueError(f"no such tag: {tag}")

    def _store(self, blob: model.Blob) -> dict[str, Any]:
        if blob.open is None:
            known = None
        else:
            self._blobs.mkdir(parents=True, exist_ok=True)
            with blob.open() as source:
                known = _sha256(source)
            target = self._blobs / known
            if not target.exists():
                part = target.with_suffix(".part")
                with blob.open() as source, part.open("wb") as sink:
                    shutil.copyfileobj(source, sink)
                part.replace(target)
        stated = {"size": blob.size, "media_type": blob.media_type, "sha256": blob.sha256}
        return {**stated, "stored": known}

    def _load(self, spelled: dict[str, Any]) -> model.Blob:
        opener = None
        if spelled["stored"] is not None:
            path = self._blobs / spelled["stored"]
            opener = lambda: path.open("rb")  # noqa: E731
        return model.Blob(spelled["size"], spelled["media_type"], spelled["sha256"], opener)


def _sha256(source: BinaryIO) -> str:
    digest = hashlib.sha256()
    while piece := source.read(1 << 20):
        digest.update(piece)
    return digest.hexdigest()


def _spell(batch: pa.RecordBatch) -> str:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as stream:
        stream.write_batch(batch)
    return base64.b64encode(sink.getvalue()).decode("ascii")


def _read(spelled: str) -> pa.RecordBatch:
    with pa.ipc.open_stream(base64.b64decode(spelled)) as stream:
        return stream.read_next_batch()

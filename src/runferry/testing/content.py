"""All that a run holds, in a form that compares: however it was cut into chunks."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import pyarrow as pa

from runferry import chunks, tables
from runferry.losses import Fate, Loss
from runferry.model import Blob, Kind, MediaItem, Role, Run, Series
from runferry.ports import Location, Reader, ReadOptions, RemoteId

Cells = tuple[Any, ...]
_TABLES = {
    chunks.Points: tables.POINTS,
    chunks.Texts: tables.TEXTS,
    chunks.Histograms: tables.HISTOGRAMS,
    chunks.Console: tables.CONSOLE,
}

_KINDS: dict[type, Kind] = {
    chunks.Points: "scalar",
    chunks.Texts: "text",
    chunks.Histograms: "histogram",
    chunks.Console: "console",
    chunks.File: "file",
    chunks.Artifact: "artifact",
    chunks.Document: "document",
    chunks.Raw: "raw",
}


@dataclass
class Content:
    """A run as a value; two are equal when nothing tells the runs apart. NaN equals itself."""

    header: Run | None = None
    attributes: dict[tuple[Role, tuple[str, ...]], str] = field(default_factory=dict)
    series: dict[str, Series] = field(default_factory=dict)
    rows: dict[str, list[Cells]] = field(default_factory=dict)  # by table, in source order
    files: dict[str, str] = field(default_factory=dict)  # path → role and digest
    things: list[str] = field(default_factory=list)  # media, artifacts, documents, raw
    losses: list[Loss] = field(default_factory=list)

    @classmethod
    def of(cls, stream: Iterable[chunks.Chunk]) -> Self:
        """What these chunks say, taken together."""
        content = cls()
        for chunk in stream:
            content.add(chunk)
        return content

    def add(self, chunk: chunks.Chunk) -> None:
        """One chunk more."""
        match chunk:
            case chunks.Header(run):
                self.header = run
            case chunks.Attributes(items, is_whole):
                if is_whole:
                    self.attributes.clear()
                for item in items:
                    self.attributes[(item.role, item.path)] = tables.dumps(item.value)
            case chunks.SeriesFacts(items):
                self.series.update((item.key, replace(item, counts=None)) for item in items)
            case chunks.Points() | chunks.Texts() | chunks.Histograms() | chunks.Console():
                batch = tables.conform(chunk.batch, _TABLES[type(chunk)])
                self.rows.setdefault(type(chunk).__name__, []).extend(row_values(batch))
            case chunks.Media(items):
                self.things += [repr(_with_digest(item)) for item in items]
            case chunks.File(path, role, blob):
                self.files[path] = f"{role} {digest_of(blob)}"
            case chunks.Artifact(entries=entries):
                held = [(e.path, e.reference, e.digest, digest_of(e.blob)) for e in entries]
                self.things.append(f"{replace(chunk, entries=())!r} {held!r}")
            case chunks.Document() | chunks.Raw():
                self.things.append(repr(chunk))
            case chunks.Lost(loss):
                told = replace(loss, count=-loss.count)  # what this takes back, if it does
                if told in self.losses:
                    self.losses.remove(told)
                else:
                    self.losses.append(loss)

    def comparable(self) -> dict[str, Any]:
        """Everything that counts, with rows and things in an order of their own."""
        return {
            "header": self.header,
            "attributes": self.attributes,
            "series": self.series,
            "rows": {name: sorted(map(repr, rows)) for name, rows in self.rows.items() if rows},
            "files": self.files,
            "things": sorted(self.things),
            # a reader that reads on may state a loss again, and what was kept is no loss
            "losses": sorted({repr(loss) for loss in self.losses if loss.fate > Fate.KEPT}),
        }


def kinds_of(chunk: chunks.Chunk) -> frozenset[Kind]:
    """The kinds of what a chunk holds, as `Reader.gives` and `Limits.holds` name them."""
    match chunk:
        case chunks.Attributes(items):
            return frozenset(item.role for item in items)
        case chunks.Media(items):
            return frozenset(item.media_type for item in items)
    kind = _KINDS.get(type(chunk))
    return frozenset() if kind is None else frozenset({kind})


def row_values(batch: pa.RecordBatch) -> list[Cells]:
    """Rows as tuples in which every bit of a float counts and times are integers."""
    columns = []
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        if pa.types.is_timestamp(column.type):
            columns.append(column.cast(pa.int64()).to_pylist())
        elif name == "value":
            columns.append([v if v is None else struct.pack(">d", v) for v in column.to_pylist()])
        else:
            columns.append(column.to_pylist())
    return list(zip(*columns, strict=True))


def digest_of(blob: Blob) -> str:
    """The hash of the bytes, or that they are gone."""
    if blob.open is None:
        return "missing"
    digest = hashlib.sha256()
    with blob.open() as source:
        while piece := source.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def _with_digest(item: MediaItem) -> MediaItem:
    return replace(item, blob=Blob(media_type=item.blob.media_type, sha256=digest_of(item.blob)))


def everything(
    reader: type[Reader], where: Location, options: ReadOptions | None = None
) -> dict[str, Content]:
    """All runs of a place by their run ids."""
    source = reader.open(where, options or ReadOptions())
    try:
        return {run.key.run_id: Content.of(source.read(run)) for run in source.runs()}
    finally:
        source.close()


def one(reader: type[Reader], where: Location, remote: RemoteId) -> Content:
    """The run with this id in a destination."""
    return everything(reader, where)[remote]


def snapshot(root: Path, *, but: Path | None = None) -> dict[str, str]:
    """Every file and folder below `root` with its content, leaving out what is below `but`."""
    seen = {}
    for path in sorted(root.rglob("*")):
        if but is not None and (path == but or but in path.parents):
            continue
        name = str(path.relative_to(root))
        if path.is_symlink() or not path.is_file():
            seen[name] = "link" if path.is_symlink() else "folder"
        else:
            seen[name] = digest_of(Blob.from_path(path))
    return seen

"""The bundle: an artifact folder `runferry/` that refines what MLflow holds of a run.

One part for each chunk that was appended: `<kind>-<generation>-<number>.parquet` with the archive's
own columns, or `.json` for what is few. A run that is sent again from its first chunk on begins a
new generation, which counts once `sealed-<generation>.json` stands: it names all parts and their
sizes, so one that is gone or cut is noticed, and one that is left over is not read.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, BinaryIO, Final, cast

from runferry.dialects.mlflow.artifacts import ArtifactFolder, Entry
from runferry.dialects.mlflow.paths import BUNDLE
from runferry.model import Blob, Tree
from runferry.tables import dumps, loads

if TYPE_CHECKING:
    import pyarrow as pa

_PART: Final = re.compile(rf"{BUNDLE}/([a-z]+)-(\d+)-(\d+)\.(parquet|json)")
_SEAL: Final = re.compile(rf"{BUNDLE}/sealed-(\d+)\.json")

UNREADABLE: Final = (OSError, ValueError)
"""What reading a part raises that is cut, flipped or no JSON."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a bundle."""

    kind: str
    generation: int
    number: int
    entry: Entry

    @property
    def order(self) -> tuple[int, int, str]:
        """Parts are read in the order in which their chunks were sent."""
        return (self.generation, self.number, self.kind)


def part_path(kind: str, generation: int, number: int, suffix: str) -> str:
    """The artifact path of a part."""
    return f"{BUNDLE}/{kind}-{generation}-{number:08d}.{suffix}"


def seal_path(generation: int) -> str:
    """The artifact path of the list of all parts."""
    return f"{BUNDLE}/sealed-{generation}.json"


def all_parts(entries: Iterable[Entry]) -> list[Part]:
    """The parts among some artifacts, of all generations, in order."""
    found = []
    for entry in entries:
        match = _PART.fullmatch(entry.path)
        if match:
            found.append(Part(match[1], int(match[2]), int(match[3]), entry))
    return sorted(found, key=lambda part: part.order)


def seals_of(entries: Iterable[Entry]) -> dict[int, Entry]:
    """The lists of parts among some artifacts, by generation."""
    return {int(match[1]): e for e in entries if (match := _SEAL.fullmatch(e.path))}


def seal_tree(parts: Iterable[Part]) -> Tree:
    """What `sealed-<generation>.json` says: each part and its size."""
    return {part.entry.path: part.entry.size for part in parts}


def tree_bytes(tree: Tree) -> bytes:
    """A tree as the content of a part."""
    return dumps(tree).encode("utf-8", "surrogatepass")


def read_tree(blob: Blob) -> Tree:
    """The tree in a part. Raises ValueError where it is none, OSError where it cannot be read."""
    with opened(blob) as source:
        return loads(source.read().decode("utf-8", "surrogatepass"))


def batch_bytes(batch: pa.RecordBatch) -> bytes:
    """Rows as the Parquet content of a part; equal rows give equal bytes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = io.BytesIO()
    table = pa.Table.from_batches([batch])
    # as in the archive: no statistics, which would be wrong about NaN
    pq.write_table(table, sink, compression="zstd", write_statistics=False)
    return sink.getvalue()


def read_batches(blob: Blob, schema: pa.Schema, rows: int) -> Iterator[pa.RecordBatch]:
    """The rows of a part. Raises pyarrow.ArrowException (or OSError) where it is damaged."""
    import pyarrow.parquet as pq

    from runferry.tables import conform, decoded

    with opened(blob) as source:
        file = pq.ParquetFile(io.BytesIO(source.read()))
        for batch in decoded(file, batch_size=rows, use_threads=False):
            yield conform(batch, schema)


def count_rows(blob: Blob) -> int:
    """How many rows a part has, from its footer alone. Raises what `read_batches` does."""
    import pyarrow.parquet as pq

    with opened(blob) as source:
        return int(pq.ParquetFile(source).metadata.num_rows)


def opened(blob: Blob) -> BinaryIO:
    """The blob's bytes; OSError when they are gone."""
    if blob.open is None:
        raise FileNotFoundError("the bundle's part is gone")
    return blob.open()


# --- blobs ----------------------------------------------------------------------------------------


def kept_blob(blob: Blob, path: str | None) -> dict[str, Tree]:
    """How a blob is found again: under which artifact path, or that it was missing all along."""
    return {
        "path": path,
        "size": blob.size,
        "media_type": blob.media_type,
        "sha256": blob.sha256,
    }


def copies_of(kept: Tree) -> list[str]:
    """The artifact paths of what was stored besides, for MLflow to show."""
    return cast("list[str]", cast("dict[str, Tree]", kept).get("copies") or [])


def stored_paths(kept: Tree) -> list[str]:
    """The artifact paths of a blob, and of its copies; none if its bytes were missing.

    Raises KeyError, TypeError, ValueError for another shape, and for what is no path of a file in
    there: a store that is told to remove the path of nothing removes all.
    """
    path = cast("dict[str, Tree]", kept)["path"]
    paths = [] if path is None else [path, *copies_of(kept)]
    if not all(isinstance(one, str) for one in paths):
        raise TypeError("a path that is no text")
    parts = [PurePosixPath(one).parts for one in cast("list[str]", paths)]
    if not all(parts) or any(it in ("/", "//", "..") for one in parts for it in one):
        raise ValueError("a path that is none of a file in the run")
    return cast("list[str]", paths)


def found_blob(
    folder: ArtifactFolder, entries: Mapping[str, Entry], kept: Tree
) -> tuple[Blob, str | None, bool]:
    """The blob, its artifact path, and whether its bytes, once stored, are gone or were changed."""
    tree = cast("dict[str, Tree]", kept)
    size = cast("int | None", tree["size"])
    media_type = cast("str | None", tree["media_type"])
    digest = cast("str | None", tree["sha256"])
    path = cast("str | None", tree["path"])
    if path is None:
        return Blob(size, media_type, digest), None, False
    entry = entries.get(path)
    if entry is None:
        return Blob(size, media_type, digest), path, True
    stored = folder.blob(entry)
    is_changed = size is not None and entry.size is not None and entry.size != size
    return Blob(entry.size, media_type, None, stored.open), path, is_changed

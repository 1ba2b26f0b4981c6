"""The files of one run as chunks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, TypeVar

import pyarrow as pa

from runferry.chunks import (
    Attributes,
    Chunk,
    Console,
    File,
    Histograms,
    Lost,
    Media,
    Points,
    Raw,
    SeriesFacts,
    Texts,
)
from runferry.dialects import codec
from runferry.dialects.plain_folder import layout
from runferry.dialects.plain_folder.forms import SCHEMAS, Form
from runferry.dialects.plain_folder.run_file import RunFile
from runferry.dialects.row_tables import media_item
from runferry.errors import Damaged
from runferry.losses import Fate, Loss
from runferry.model import Blob, DataKind, Series
from runferry.paths import blob_at, inside
from runferry.tables import loads

_CHUNK_OF: Final[dict[str, tuple[Callable[[pa.RecordBatch], Chunk], DataKind]]] = {
    "points": (Points, "scalar"),
    "texts": (Texts, "text"),
    "histograms": (Histograms, "histogram"),
}
_MEDIA_ROWS: Final = 4_096

Thing = TypeVar("Thing")


class RunFolder:
    """One run's folder. What is gone from it since it was written is told as a loss."""

    def __init__(
        self,
        home: Path,
        form: Form,
        said: RunFile,
        bytes_of: Callable[[str], Blob | None] | None = None,
    ) -> None:
        """`bytes_of`: what to give for a file of the folder, by its name there; None for gone."""
        self._home = home
        self._form = form
        self._said = said
        self._bytes_of = bytes_of or self._as_they_are
        self._declared: set[str] = set()
        self._gone: list[Loss] = []

    def chunks(self) -> Iterator[Chunk]:
        """Everything but the header. Raises Damaged."""
        attributes = tuple(self._listed(layout.ATTRIBUTES, codec.attribute_of))
        if attributes:
            yield Attributes(attributes, is_whole=True)
        series = tuple(self._listed(layout.SERIES, codec.series_of))
        self._declared.update(item.key for item in series)
        if series:
            yield SeriesFacts(series)
        for table, (chunk_of, kind) in _CHUNK_OF.items():
            for batch in self._rows(table):
                yield from self._strangers(batch, kind)
                yield chunk_of(batch)
        for batch in self._rows("media"):
            yield from self._strangers(batch, "media")
            yield from self._media(batch)
        for batch in self._rows("console"):
            yield Console(batch)
        for batch in self._rows("raw"):
            for row in batch.to_pylist():
                yield Raw(row["record_type"], row["reason"], row["payload"], row["seq"])
        yield from self._listed(layout.FILES, self._file)
        yield from self._listed(
            layout.ARTIFACTS, lambda tree: codec.artifact_of(tree, self._blob_of)
        )
        yield from self._listed(layout.DOCUMENTS, codec.document_of)
        for loss in (*self._said.losses, *self._gone):
            yield Lost(loss)

    # --- rows -------------------------------------------------------------------------------------

    def _rows(self, table: str) -> Iterator[pa.RecordBatch]:
        path = self._home / f"{table}.{self._form.name}"
        left = self._said.rows.get(table, 0)
        if path.is_file():
            for batch in self._form.batches(path, SCHEMAS[table]):
                left -= batch.num_rows
                yield batch
        if left > 0:
            self._gone.append(
                Loss("missing-rows", Fate.DROPPED, path.name, left, "rows that were written here")
            )

    def _strangers(self, batch: pa.RecordBatch, kind: DataKind) -> Iterator[SeriesFacts]:
        """Declares what somebody added by hand."""
        words = batch.column("key").dictionary.to_pylist()
        new = [key for key in words if key not in self._declared]
        self._declared.update(new)
        if new:
            yield SeriesFacts(tuple(Series(key, (key,), kind=kind) for key in new))

    def _media(self, batch: pa.RecordBatch) -> Iterator[Media]:
        at = batch.schema.get_field_index("time")
        batch = batch.set_column(at, "time", batch.column(at).cast(pa.int64()))
        for start in range(0, batch.num_rows, _MEDIA_ROWS):
            rows = batch.slice(start, _MEDIA_ROWS).to_pylist()
            yield Media(tuple(media_item(row, self._media_blob(row)) for row in rows))

    def _media_blob(self, row: dict[str, Any]) -> Blob:
        return self._blob(row["file"], row["size"], row["mime"], row["sha256"])

    # --- listings ---------------------------------------------------------------------------------

    def _listed(self, listing: str, decoded: Callable[[Any], Thing]) -> Iterator[Thing]:
        path = self._home / listing
        if not path.is_file():
            return
        with path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                try:
                    yield decoded(loads(line))
                except (ValueError, KeyError, TypeError) as error:
                    raise Damaged(
                        f"line {number} cannot be read ({type(error).__name__}: {error})",
                        where=str(path),
                        hint="mend the line, or remove it: the rest is read without it",
                        offset=None,
                    ) from error

    def _file(self, tree: Any) -> File:
        return File(tree["path"], tree["role"], self._blob_of(tree))

    def _blob_of(self, tree: Any) -> Blob:
        return self._blob(tree["file"], tree["size"], tree["media_type"], tree["sha256"])

    def _blob(
        self, file: str | None, size: int | None, media_type: str | None, sha256: str | None
    ) -> Blob:
        """The bytes that are in a file here; the archive hashes what it takes."""
        if file is None:
            return Blob(size, media_type, sha256)
        found = self._bytes_of(file)
        if found is None:
            self._gone.append(
                Loss("missing-blob", Fate.DROPPED, file, 1, "a file that was written here")
            )
            return Blob(size, media_type, sha256)
        return replace(found, media_type=media_type)

    def _as_they_are(self, file: str) -> Blob | None:
        path = inside(self._home, file)
        return None if path is None else blob_at(path)

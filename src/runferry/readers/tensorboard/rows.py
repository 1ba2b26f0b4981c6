"""Turns the scanner's batches into chunks: numbers of series become keys."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from runferry import chunks, tables
from runferry.model import DataKind, KeyPath, Series
from runferry.readers.declared import Declared
from runferry.readers.tensorboard.media import media_chunks
from runferry.readers.tensorboard.own import Own

if TYPE_CHECKING:
    from runferry._native import EventBatch

_TABLES: tuple[tuple[DataKind, pa.Schema, type[Any]], ...] = (
    ("scalar", tables.POINTS, chunks.Points),
    ("text", tables.TEXTS, chunks.Texts),
    ("histogram", tables.HISTOGRAMS, chunks.Histograms),
)


class FileRows:
    """The rows of one event file. `member` is the second element of the paths of its series."""

    def __init__(self, declared: Declared, own: Own, member: str | None) -> None:
        self._declared = declared
        self._own = own
        self._member = member
        self._paths: list[KeyPath] = []
        self._keys: list[str] = []
        self._dictionary: pa.Array = pa.array([], pa.string())
        self._unsure: dict[DataKind, set[int]] = {
            kind: set() for kind in ("scalar", "text", "histogram", "media")
        }

    def key(self, tag: str) -> str:
        """The key of a tag's series."""
        return self._own.key(tag) or self._declared.keys.key(self._path(tag))

    def _path(self, tag: str) -> KeyPath:
        return (tag,) if self._member is None else (tag, self._member)

    def rows_of(self, batch: EventBatch) -> Iterator[chunks.Chunk]:
        """The rows of a batch, each series declared before its first row."""
        for tag, _, _ in batch.series:
            for unsure in self._unsure.values():
                unsure.add(len(self._keys))
            self._paths.append(self._path(tag))
            self._keys.append(self.key(tag))
        if batch.series:
            self._dictionary = pa.array(self._keys, pa.string())
        found = (batch.points, batch.texts, batch.histograms)
        for (kind, schema, wrap), table in zip(_TABLES, found, strict=True):
            if table is not None:
                rows = pa.record_batch(table)
                yield from self._declare(kind, rows)
                yield wrap(self._keyed(rows, schema))
        if batch.media is not None:
            rows = pa.record_batch(batch.media)
            yield from self._declare("media", rows)
            yield from media_chunks(rows, self._keys)

    def _declare(self, kind: DataKind, rows: pa.RecordBatch) -> Iterator[chunks.Chunk]:
        unsure = self._unsure[kind]
        if not unsure:
            return
        numbers = unsure.intersection(pc.unique(rows.column("series")).to_pylist())
        unsure -= numbers
        found: list[Series] = []
        for number in sorted(numbers):
            series = self._declared.missing(self._keys[number], self._paths[number], "user", kind)
            if series is not None:
                found.append(series)
        if found:
            yield chunks.SeriesFacts(tuple(found))

    def _keyed(self, rows: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
        columns = []
        for column in schema:
            if column.name == "key":
                numbers = rows.column("series").cast(pa.int32())
                columns.append(pa.DictionaryArray.from_arrays(numbers, self._dictionary))
            else:
                columns.append(rows.column(column.name).cast(column.type))
        return pa.RecordBatch.from_arrays(columns, schema=schema)

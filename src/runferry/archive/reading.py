"""Reading segments back: whole for people, batch by batch for everything else."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from runferry.archive import snapshots
from runferry.archive.record import RunRecord, Segment
from runferry.dialects.row_tables import ROW_SCHEMAS
from runferry.errors import Corrupt, NotFound
from runferry.tables import UNDECODED, decoded

if TYPE_CHECKING:
    from runferry.archive.store import Archive

BATCH_ROWS = 65_536


@contextmanager
def _corruption(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise Corrupt(
            "a segment that a commit names is gone", where=str(path), hint=_HINT
        ) from error
    except UNDECODED as error:
        raise Corrupt(f"a segment cannot be read ({error})", where=str(path), hint=_HINT) from error


_HINT = "restore the file, or pull the run again"


@contextmanager
def opened(root: Path, segment: Segment) -> Iterator[pq.ParquetFile]:
    """A segment, its size compared with what its commit states; keys come as dictionaries."""
    path = root / segment.path
    with _corruption(path):
        size = path.stat().st_size
        if size != segment.size:
            raise Corrupt(
                f"a segment has {size:,} bytes, its commit states {segment.size:,}",
                where=str(path),
                hint=_HINT,
            )
        schema = ROW_SCHEMAS.get(segment.table)
        coded = [] if schema is None else [f.name for f in schema if pa.types.is_dictionary(f.type)]
        with pq.ParquetFile(path, read_dictionary=coded) as file:
            yield file


def check_segment(root: Path, segment: Segment) -> None:
    """Raises Corrupt when a file is not the one that was committed."""
    path = root / segment.path
    with _corruption(path), path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    if digest != segment.sha256:
        raise Corrupt(
            f"a segment's SHA-256 is {digest}, its commit states {segment.sha256}",
            where=str(path),
            hint=_HINT,
        )


def read_segment(root: Path, segment: Segment) -> pa.Table:
    """One whole segment."""
    with opened(root, segment) as file:
        table = file.read()
        table.validate(full=True)
        return table


def batches(
    root: Path,
    segments: Sequence[Segment],
    *,
    columns: list[str] | None = None,
    rows: int = BATCH_ROWS,
) -> Iterator[pa.RecordBatch]:
    """The rows of several segments of one table, in the table's own schema.

    A batch is from one row group: long texts make small ones, and so many rows too many bytes.
    """
    for segment in segments:
        schema = ROW_SCHEMAS[segment.table]
        if columns is not None:
            schema = pa.schema([schema.field(name) for name in columns])
        with opened(root, segment) as file:
            for group in range(file.num_row_groups):
                for batch in decoded(file, batch_size=rows, row_groups=[group], columns=columns):
                    yield in_schema(batch, schema)


def in_schema(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """The batch with exactly the types of the schema."""
    columns = [_as(batch.column(spec.name), spec.type) for spec in schema]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _as(column: pa.Array, wanted: pa.DataType) -> pa.Array:
    if column.type == wanted:
        return column
    if pa.types.is_dictionary(column.type) and pa.types.is_dictionary(wanted):
        indices = column.indices.cast(wanted.index_type)
        return pa.DictionaryArray.from_arrays(indices, column.dictionary)
    if pa.types.is_dictionary(wanted):
        return column.cast(wanted.value_type).dictionary_encode().cast(wanted)
    return column.cast(wanted)


def table(archive: Archive, record: RunRecord, name: str, stream: str | None) -> pa.Table:
    """One whole table, keys as plain strings; `stream` keeps the series of that stream only."""
    if name in snapshots.SNAPSHOT_SCHEMAS:
        found = snapshots.to_table(name, archive.snapshot(record, name))
        return (
            found.filter(pc.equal(found["stream"], stream))
            if stream and name == "series"
            else found
        )
    if name not in ROW_SCHEMAS:
        known = ", ".join([*ROW_SCHEMAS, *snapshots.SNAPSHOT_SCHEMAS])
        raise NotFound(f"no table is called {name!r}", hint=f"one of {known}")
    plain = plain_schema(ROW_SCHEMAS[name])
    parts = [read_segment(archive.path, segment).cast(plain) for segment in record.of(name)]
    whole = pa.concat_tables(parts) if parts else plain.empty_table()
    if stream is None or "key" not in plain.names:
        return whole
    keys = [series.key for series in archive.series(record) if series.stream == stream]
    return whole.filter(pc.is_in(whole["key"], pa.array(keys, pa.string())))


def plain_schema(schema: pa.Schema) -> pa.Schema:
    """The schema with dictionaries as plain columns, as files and people have it."""
    return pa.schema(
        [
            pa.field(spec.name, spec.type.value_type) if pa.types.is_dictionary(spec.type) else spec
            for spec in schema
        ]
    )

"""Tables as Parquet, encoded as in the archive; what text needs spelled out stands as it is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from runferry.dialects.plain_folder.forms import (
    SCHEMAS,
    TableSink,
    damaged,
    in_schema,
    plain,
    small_batches,
)
from runferry.dialects.plain_folder.layout import FormName
from runferry.dialects.row_tables import parquet_options
from runferry.ports import BATCH_ROWS
from runferry.tables import UNDECODED, decoded

_GROUP_ROWS: Final = 262_144
_GROUP_BYTES: Final = 16 << 20
_FOR_PEOPLE: Final[dict[str, Any]] = {
    "compression": "zstd",
    "write_statistics": False,  # DuckDB would believe those of columns that hold NaN
}


class ParquetForm:
    """Tables as `.parquet`."""

    name: FormName = "parquet"

    def sink(self, path: Path, table: str, schema: pa.Schema) -> TableSink:
        """A new file."""
        return _ParquetSink(path, table, schema)

    def batches(self, path: Path, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        """The rows; columns in any order, those that are missing null, strange ones passed over."""
        try:
            with pq.ParquetFile(path, memory_map=False) as file:
                known = [name for name in schema.names if name in file.schema_arrow.names]
                found = decoded(file, batch_size=BATCH_ROWS, columns=known)
                for batch in small_batches(found):
                    yield _in_schema(batch, schema)
        except UNDECODED as error:
            raise damaged(path, error) from error


class _ParquetSink:
    """Gathers rows until they make a row group."""

    def __init__(self, path: Path, table: str, schema: pa.Schema) -> None:
        self._schema = schema
        names = tuple(schema.names)
        options = parquet_options(table, names) if table in SCHEMAS else _FOR_PEOPLE
        self._file = pq.ParquetWriter(path, schema, **options)
        self._waiting: list[pa.RecordBatch] = []
        self._rows = self._bytes = 0

    def write(self, batch: pa.RecordBatch) -> None:
        self._waiting.append(batch)
        self._rows += batch.num_rows
        self._bytes += batch.nbytes
        if self._rows >= _GROUP_ROWS or self._bytes >= _GROUP_BYTES:
            self._flush()

    def _flush(self) -> None:
        rows = pa.Table.from_batches(self._waiting, self._schema).unify_dictionaries()
        self._file.write_table(rows, row_group_size=max(len(rows), 1))
        self._waiting, self._rows, self._bytes = [], 0, 0

    def close(self) -> None:
        try:
            if self._waiting:
                self._flush()
        finally:
            self._file.close()


def _in_schema(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    columns = {
        field.name: plain(batch.column(field.name))
        if field.name in batch.schema.names
        else pa.nulls(batch.num_rows, getattr(field.type, "value_type", field.type))
        for field in schema
    }
    return in_schema(columns, schema)

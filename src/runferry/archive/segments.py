"""The Parquet files of a run, while they are written."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from runferry.archive.durable import HashingFile
from runferry.archive.record import Segment
from runferry.dialects.row_tables import ROW_GROUP, parquet_options

_WRITE_BYTES = 1 << 18  # the writer's own pieces are a few bytes each


class SegmentFile:
    """One segment while it is written; a row group for each table that is added."""

    def __init__(self, root: Path, path: str, table: str, number: int, schema: pa.Schema) -> None:
        self.table = table
        self.rows = 0
        self._number = number
        self.path = path
        self._file = HashingFile(root / path)
        try:
            self._buffered = pa.BufferedOutputStream(pa.PythonFile(self._file, "w"), _WRITE_BYTES)
            self._writer = pq.ParquetWriter(
                self._buffered, schema, **parquet_options(table, tuple(schema.names))
            )
        except BaseException:
            self._file.close()
            raise

    def add(self, rows: pa.Table) -> None:
        """Append rows of the schema as one row group."""
        self._writer.write_table(rows, row_group_size=ROW_GROUP)
        self.rows += rows.num_rows

    def finish(self) -> Segment:
        """Complete the file, which is not durable yet, and say what it is."""
        self._writer.close()
        self._buffered.close()
        self._file.close()
        return Segment(
            self.table, self._number, self.path, self.rows, self._file.size, self._file.sha256
        )

    def abandon(self) -> None:
        """Let go of the file, which is of no use any more."""
        self._file.close()  # first: then it hears neither what is buffered nor a footer
        with suppress(OSError, pa.ArrowException):  # of a write that failed before
            self._writer.close()

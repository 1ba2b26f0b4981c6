"""Rows of series in order of steps, for an export in which they are in none."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from runferry.errors import Damaged
from runferry.paths import pattern_of, spelled
from runferry.ports import BATCH_ROWS
from runferry.readers.neptune.export.batches import Rows, conformed

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

_LITTLE: Final[dict[str, Any]] = {
    "threads": 1,
    "memory_limit": "256MB",
    "preserve_insertion_order": False,
}
_SELECT: Final = """
    SELECT {columns}
    FROM read_parquet(
        ?, union_by_name = true, filename = true, file_row_number = true, hive_partitioning = false
    )
    WHERE run_id = ? AND attribute_path IS NOT NULL
      AND attribute_type IN ('float_series', 'string_series', 'histogram_series', 'file_series')
    ORDER BY step NULLS LAST, timestamp NULLS LAST, attribute_path, filename, file_row_number
"""


def sorted_batches(rows: Rows, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Batches of all rows of series, sorted on disk where a little memory does not hold them."""
    import duckdb

    with tempfile.TemporaryDirectory(prefix="runferry-") as folder:
        connection = duckdb.connect(":memory:", config={**_LITTLE, "temp_directory": folder})
        try:
            paths = [pattern_of(str(path)) for path in rows.whole()]
            query = _SELECT.format(columns=", ".join(columns))
            relation = connection.sql(query, params=[paths, rows.run_id])
            for batch in _reader_of(relation):
                yield conformed(batch, columns)
        except duckdb.Error as error:
            raise Damaged(
                f"its rows cannot be put in order: {str(error).splitlines()[0]}",
                where=spelled(str(rows.paths[0].parent)),
                hint="export the run again into a new folder",
                offset=None,
            ) from error
        finally:
            connection.close()


def _reader_of(relation: duckdb.DuckDBPyRelation) -> pa.RecordBatchReader:
    """The result as it is computed, under the name that this version of DuckDB has for it."""
    name = "to_arrow_reader" if hasattr(relation, "to_arrow_reader") else "fetch_arrow_reader"
    return getattr(relation, name)(BATCH_ROWS)

"""Tables as CSV: RFC 4180, UTF-8, `\\n` at line ends, a header, nulls as empty unquoted cells.

Every word is quoted, so `""` is an empty word and nothing is null. Floats have the shortest digits
that give them back; `nan`, `inf`, `-inf`, `-0` are what pandas, Excel and DuckDB call them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.csv

from runferry.dialects.plain_folder.forms import (
    TableSink,
    base64_column,
    bytes_column,
    in_blocks,
    in_schema,
    opened_new,
    pieces,
    plain,
    small_batches,
)
from runferry.dialects.plain_folder.layout import FormName
from runferry.dialects.plain_folder.number_cells import (
    meant_lists,
    spelled_lists,
    with_nan_bits,
    without_nan_bits,
)
from runferry.dialects.plain_folder.text_cells import meant_column, spelled, spelled_column
from runferry.dialects.plain_folder.time_cells import meant_times, spelled_times
from runferry.tables import POINTS

_WORDS = pa.string()


class CsvForm:
    """Tables as `.csv`."""

    name: FormName = "csv"

    def sink(self, path: Path, table: str, schema: pa.Schema) -> TableSink:
        """A new file with its header."""
        return _CsvSink(path, schema)

    def batches(self, path: Path, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        """The rows; columns in any order, those that are missing null, strange ones passed over."""
        types = {field.name: _cell_type(field.type) for field in schema}

        def opened(file: Path, block: int) -> Iterator[pa.RecordBatch]:
            with pyarrow.csv.open_csv(
                file,
                read_options=pyarrow.csv.ReadOptions(block_size=block),
                parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
                convert_options=pyarrow.csv.ConvertOptions(
                    column_types=types,
                    include_columns=schema.names,
                    include_missing_columns=True,
                    null_values=[""],
                    strings_can_be_null=True,
                    quoted_strings_can_be_null=False,
                ),
            ) as rows:
                for batch in small_batches(rows):
                    yield _meant(batch, schema)

        return in_blocks(path, opened)


class _CsvSink:
    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._file = opened_new(path)
        self._file.write(_header(schema).encode())
        cells = pa.schema([pa.field(f.name, _written_type(f.type)) for f in schema])
        options = pyarrow.csv.WriteOptions(include_header=False, batch_size=8192)
        self._rows = pyarrow.csv.CSVWriter(self._file, cells, write_options=options)

    def write(self, batch: pa.RecordBatch) -> None:
        if batch.schema.equals(POINTS):
            batch = with_nan_bits(batch)
        for piece in pieces(batch):
            columns = [_spelled(column) for column in piece.columns]
            self._rows.write_batch(pa.RecordBatch.from_arrays(columns, piece.schema.names))

    def close(self) -> None:
        self._rows.close()
        self._file.close()


def _header(schema: pa.Schema) -> str:
    return ",".join(_quoted(spelled(name)) for name in schema.names) + "\n"


def _quoted(name: str) -> str:
    is_plain = name and name == name.strip() and not any(letter in name for letter in ',"\n')
    return name if is_plain else '"' + name.replace('"', '""') + '"'


def _written_type(arrow_type: pa.DataType) -> pa.DataType:
    """Words keep their dictionary while they are written, since that is faster."""
    if pa.types.is_dictionary(arrow_type):
        return pa.dictionary(pa.int32(), _WORDS)
    return _cell_type(arrow_type)


def _cell_type(arrow_type: pa.DataType) -> pa.DataType:
    is_number = pa.types.is_integer(arrow_type) or pa.types.is_floating(arrow_type)
    return arrow_type if is_number or pa.types.is_boolean(arrow_type) else _WORDS


def _spelled(column: pa.Array) -> pa.Array:
    kind = column.type
    if pa.types.is_dictionary(kind):
        words = spelled_column(column.dictionary)
        return pa.DictionaryArray.from_arrays(column.indices.cast(pa.int32()), words)
    if pa.types.is_string(kind):
        return spelled_column(column)
    if pa.types.is_timestamp(kind):
        return spelled_times(column)
    if pa.types.is_list(kind):
        return spelled_lists(column)
    if pa.types.is_binary(kind):
        return base64_column(column)
    return column


def _meant(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    columns = {field.name: _meant_cells(batch.column(field.name), field.type) for field in schema}
    found = in_schema(columns, schema)
    return without_nan_bits(found) if schema.equals(POINTS) else found


def _meant_cells(column: pa.Array, wanted: pa.DataType) -> pa.Array:
    if pa.types.is_timestamp(wanted):
        return meant_times(column)
    if pa.types.is_list(wanted):
        return meant_lists(column)
    if pa.types.is_binary(wanted):
        return bytes_column(column)
    if pa.types.is_string(wanted):
        return meant_column(column)
    if pa.types.is_dictionary(wanted):
        words = plain(column).dictionary_encode()
        known = meant_column(words.dictionary)
        return pa.DictionaryArray.from_arrays(words.indices.cast(wanted.index_type), known)
    return column

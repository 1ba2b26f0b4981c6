"""Tables as JSON lines: one object a row, valid JSON everywhere, nulls left out.

JSON has no NaN and no infinity. In `points` these stand as a word under `special`, so that `value`
is a number wherever it is there; lists that hold one stand as text under `…_special`.
"""

from __future__ import annotations

import json
import mmap
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json

from runferry.dialects.plain_folder.forms import (
    TableSink,
    base64_column,
    bytes_column,
    damaged,
    in_blocks,
    in_schema,
    opened_new,
    pieces,
    small_batches,
)
from runferry.dialects.plain_folder.layout import FormName
from runferry.dialects.plain_folder.number_cells import (
    meant_lists,
    spelled_floats,
    spelled_lists,
    with_nan_bits,
    without_nan_bits,
)
from runferry.dialects.plain_folder.time_cells import meant_times, spelled_times
from runferry.tables import POINTS

_WORDS = pa.string()
_NULL_LINE: Final = re.compile(rb"^[ \t\r]*null", re.MULTILINE)
_SPECIAL: Final = {"nan": '"NaN"', "inf": '"Infinity"', "-inf": '"-Infinity"'}


class JsonLinesForm:
    """Tables as `.jsonl`."""

    name: FormName = "jsonl"

    def sink(self, path: Path, table: str, schema: pa.Schema) -> TableSink:
        """A new file."""
        return _JsonSink(path)

    def batches(self, path: Path, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        """The rows; what an object leaves out is null, what no table has is passed over."""
        types = _read_schema(schema)

        def opened(file: Path, block: int) -> Iterator[pa.RecordBatch]:
            with pyarrow.json.open_json(
                file,
                read_options=pyarrow.json.ReadOptions(block_size=block),
                parse_options=pyarrow.json.ParseOptions(
                    explicit_schema=types,
                    newlines_in_values=False,
                    unexpected_field_behavior="ignore",
                ),
            ) as rows:
                for batch in small_batches(rows):
                    batch.validate(full=True)  # Arrow takes any bytes for the text of JSON
                    yield _meant(batch, schema)

        if not path.stat().st_size:
            return iter(())
        _check_no_line_is_null(path)
        return in_blocks(path, opened)


def _check_no_line_is_null(path: Path) -> None:
    """Raises Damaged. Until apache/arrow#47409 is mended: Arrow crashes on such a line."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        if content.find(b"null") != -1 and _NULL_LINE.search(content):
            raise damaged(path, ValueError("a line is null where an object should be"))


class _JsonSink:
    def __init__(self, path: Path) -> None:
        self._file = opened_new(path)

    def write(self, batch: pa.RecordBatch) -> None:
        is_points = batch.schema.equals(POINTS)
        for piece in pieces(with_nan_bits(batch) if is_points else batch):
            columns = dict(zip(piece.schema.names, piece.columns, strict=True))
            self._file.write(_lines(_told(columns) if is_points else columns))

    def close(self) -> None:
        self._file.close()


def _told(columns: dict[str, pa.Array]) -> dict[str, pa.Array]:
    """Points with what is no number in a column of its own."""
    value = columns["value"]
    is_finite = pc.is_finite(value)
    if pc.all(is_finite).as_py() is not False:  # None: there is nothing but nulls
        return columns
    word = pc.if_else(is_finite, pa.scalar(None, _WORDS), value.cast(_WORDS))
    for spelled, quoted in _SPECIAL.items():
        word = pc.if_else(pc.equal(word, spelled), json.loads(quoted), word)
    finite = pc.if_else(is_finite, value, pa.scalar(None, pa.float64()))
    told: dict[str, pa.Array] = {}
    for name, column in columns.items():
        told[name] = finite if name == "value" else column
        if name == "value":
            told["special"] = word
    return told


# --- writing --------------------------------------------------------------------------------------


def _lines(columns: dict[str, pa.Array]) -> bytes:
    """Each row as an object; its members are joined column by column."""
    members = []
    for name, column in columns.items():
        if pa.types.is_list(column.type):
            members += _list_members(name, column)
        elif column.null_count < len(column):
            members.append(_members(name, column))
    rows = pc.binary_join_element_wise(*members, ",", null_handling="skip")
    everything = pa.ListArray.from_arrays(pa.array([0, len(rows)], pa.int32()), rows)
    joined: bytes = pc.binary_join(everything, "}\n{")[0].as_buffer().to_pybytes()
    return b"{" + joined + b"}\n"


def _members(name: str, column: pa.Array) -> pa.Array:
    """`"name":value` for every row that has a value."""
    if pa.types.is_dictionary(column.type):
        words = _members(name, column.dictionary)
        return pa.DictionaryArray.from_arrays(column.indices, words).cast(_WORDS)
    return pc.binary_join_element_wise(f"{json.dumps(name)}:", _values(column), "")


def _values(column: pa.Array) -> pa.Array:
    kind = column.type
    if pa.types.is_timestamp(kind):
        return pc.binary_join_element_wise('"', spelled_times(column), '"', "")
    if pa.types.is_floating(kind):
        text = spelled_floats(column)
        if pc.all(pc.is_finite(column)).as_py() is False:
            for spelled, quoted in _SPECIAL.items():
                text = pc.if_else(pc.equal(text, spelled), quoted, text)
        return text
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        return column.cast(_WORDS)
    words = (base64_column(column) if pa.types.is_binary(kind) else column).to_pylist()
    return pa.array([None if word is None else _quoted(word) for word in words], _WORDS)


def _quoted(word: str) -> str:
    return json.dumps(word, ensure_ascii=False)


def _list_members(name: str, column: pa.Array) -> list[pa.Array]:
    """Lists of numbers as lists, and those with a NaN or an infinity in them as text."""
    text = spelled_lists(column)
    is_special = pc.match_substring(text, "n")
    nothing = pa.scalar(None, _WORDS)
    plain = pc.binary_join_element_wise(
        f"{json.dumps(name)}:", pc.if_else(is_special, nothing, text), ""
    )
    special = _members(f"{name}_special", pc.if_else(is_special, text, nothing))
    return [plain, special]


# --- reading --------------------------------------------------------------------------------------


def _read_schema(schema: pa.Schema) -> pa.Schema:
    fields = [pa.field(field.name, _read_type(field.type)) for field in schema]
    fields += [
        pa.field(f"{field.name}_special", _WORDS)
        for field in schema
        if pa.types.is_list(field.type)
    ]
    if schema.equals(POINTS):
        fields.append(pa.field("special", _WORDS))
    return pa.schema(fields)


def _read_type(arrow_type: pa.DataType) -> pa.DataType:
    is_number = pa.types.is_integer(arrow_type) or pa.types.is_floating(arrow_type)
    is_plain = is_number or pa.types.is_boolean(arrow_type) or pa.types.is_list(arrow_type)
    return arrow_type if is_plain else _WORDS


def _meant(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    columns: dict[str, Any] = {}
    for field in schema:
        column = batch.column(field.name)
        if pa.types.is_timestamp(field.type):
            column = meant_times(column)
        elif pa.types.is_list(field.type):
            special = meant_lists(batch.column(f"{field.name}_special"))
            column = pc.if_else(special.is_valid(), special, column)
        elif pa.types.is_binary(field.type):
            column = bytes_column(column)
        columns[field.name] = column
    if not schema.equals(POINTS):
        return in_schema(columns, schema)
    special = batch.column("special").cast(pa.float64())
    columns["value"] = pc.coalesce(columns["value"], special)
    return without_nan_bits(in_schema(columns, schema))

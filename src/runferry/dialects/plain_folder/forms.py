"""A form: how the rows of a table are spelled in one file, and read back exactly."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, Protocol

import pyarrow as pa

from runferry.dialects.plain_folder.layout import FormName
from runferry.dialects.row_tables import MEDIA, ROW_SCHEMAS
from runferry.errors import Damaged
from runferry.ports import BATCH_ROWS

_BLOCK: Final = 1 << 20
_MOST_BLOCK: Final = (1 << 31) - 1
_PIECE_BYTES: Final = 16 << 20

SCHEMAS: Final[dict[str, pa.Schema]] = {
    **ROW_SCHEMAS,
    "media": MEDIA.append(pa.field("file", pa.string())),  # below the run's folder, with `/`
}
"""Every table that holds a run's rows. `media` also says in which file the bytes are."""


class TableSink(Protocol):
    """A file that takes rows of one table."""

    def write(self, batch: pa.RecordBatch) -> None:
        """Add rows of the table's schema."""
        ...

    def close(self) -> None:
        """The file is complete, though not durable yet."""
        ...


class Form(Protocol):
    """One way to spell tables."""

    @property
    def name(self) -> FormName:
        """Also what the files end with."""
        ...

    def sink(self, path: Path, table: str, schema: pa.Schema) -> TableSink:
        """A new file for a table; `schema` may be that of a table for people."""
        ...

    def batches(self, path: Path, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        """The rows of a file of one of `SCHEMAS`, in it. Raises Damaged."""
        ...


def pieces(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """The rows in pieces of some megabytes, so that their text stays small."""
    rows = max(1, batch.num_rows * _PIECE_BYTES // max(batch.nbytes, _PIECE_BYTES))
    for start in range(0, batch.num_rows, rows):
        yield batch.slice(start, rows)


def small_batches(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The same rows, no more in a batch than a chunk may have, and none empty."""
    for batch in batches:
        for start in range(0, batch.num_rows, BATCH_ROWS):
            yield batch.slice(start, BATCH_ROWS)


def in_blocks(
    path: Path, opened: Callable[[Path, int], Iterator[pa.RecordBatch]]
) -> Iterator[pa.RecordBatch]:
    """Batches of a text file that Arrow reads by blocks: larger ones where a row needs it.

    Raises Damaged for what cannot be parsed.
    """
    block, done = _BLOCK, 0
    largest = min(path.stat().st_size + 1, _MOST_BLOCK)
    while True:
        try:
            for batch in _after(done, opened(path, block)):
                done += batch.num_rows
                yield batch
            return
        except pa.ArrowInvalid as error:
            if "straddling" not in str(error) or block >= largest:
                raise damaged(path, error) from error
        block = min(block * 16, largest)


def damaged(path: Path, error: Exception) -> Damaged:
    """What could not be read, and why."""
    reason = " ".join(str(error).split())[:300]
    return Damaged(
        f"this cannot be read ({reason})",
        where=str(path),
        hint="mend the line, or take the file away: the rest of the run is read without it",
        offset=None,
    )


def _after(rows: int, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Without the first rows, which were read before."""
    for batch in batches:
        skipped = min(rows, batch.num_rows)
        rows -= skipped
        if skipped < batch.num_rows:
            yield batch.slice(skipped)


def in_schema(columns: dict[str, pa.Array], schema: pa.Schema) -> pa.RecordBatch:
    """Columns as the schema has them. Raises pyarrow.ArrowInvalid where one may not be null."""
    arrays = []
    for field in schema:
        column = columns[field.name]
        if column.null_count and not field.nullable:
            raise pa.ArrowInvalid(f"{field.name} is empty in a row, or there is no such column")
        arrays.append(_typed(column, field.type))
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _typed(column: pa.Array, wanted: Any) -> pa.Array:
    if column.type == wanted:
        return column
    if pa.types.is_dictionary(wanted):
        return column.cast(wanted.value_type).dictionary_encode().cast(wanted)
    return column.cast(wanted)


def plain(column: pa.Array) -> pa.Array:
    """A column of words without its dictionary."""
    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column


def base64_column(column: pa.Array) -> pa.Array:
    """Bytes as words."""
    words = [None if it is None else base64.b64encode(it).decode() for it in column.to_pylist()]
    return pa.array(words, pa.string())


def bytes_column(column: pa.Array) -> pa.Array:
    """The inverse of `base64_column`. Raises pyarrow.ArrowInvalid."""
    try:
        found = [
            None if word is None else base64.b64decode(word, validate=True)
            for word in column.to_pylist()
        ]
    except ValueError as error:
        raise pa.ArrowInvalid(f"bytes that are no base64 ({error})") from error
    return pa.array(found, pa.binary())


def opened_new(path: Path) -> Any:
    """A new file for Arrow to write to."""
    return pa.OSFile(str(path), "wb")

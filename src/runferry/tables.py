"""The Arrow schemas of rows, and typed values as JSON.

Every table starts with the same address: key, step, step_frac, time, time_ns, seq (see
`model.Address`). A reader may leave out a column that would be all null; `conform` puts it back.
"""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from runferry.model import Tree
from runferry.thrift import stand_in_for_pandas

if TYPE_CHECKING:
    import pyarrow.parquet as pq

with stand_in_for_pandas():
    pa.array([None])  # now pyarrow knows whether there is pandas

TIME = pa.timestamp("us", tz="UTC")
KEY = pa.dictionary(pa.int32(), pa.string())  # in flight; stored as a plain string

_ADDRESS = [
    pa.field("key", KEY, nullable=False),
    pa.field("step", pa.int64()),  # null where the source has none; the floor of a fractional one
    pa.field("step_frac", pa.int32()),  # millionths ≥ 0, null where the step is whole
    pa.field("time", TIME),
    pa.field("time_ns", pa.int16()),  # 0–999 below the µs, null where the source has no ns
]
_SEQ = pa.field("seq", pa.int64(), nullable=False)  # source row, shared by values logged together

UNDECODED: Final = (pa.ArrowException, OSError, UnicodeDecodeError)
"""What pyarrow raises of a damaged Parquet file: of pages OSError, without a number; of names in
the footer that are no text UnicodeDecodeError."""

_SHARED = 65_536
"""Rows of a column of nulls that batches share."""

POINT_KINDS = ("float64", "float32", "int", "bool", "null")

POINTS = pa.schema(
    [
        *_ADDRESS,
        pa.field("value", pa.float64()),  # null only for a null that was logged
        pa.field("value_i64", pa.int64()),  # exactly when the integer is not exact in float64
        pa.field("kind", pa.dictionary(pa.int8(), pa.string()), nullable=False),  # POINT_KINDS
        _SEQ,
    ]
)

TEXTS = pa.schema(
    [
        *_ADDRESS,
        pa.field("text", pa.string()),
        # "text", or "json" for a logged list, mapping or integer beyond int64, as its source text
        pa.field("form", pa.dictionary(pa.int8(), pa.string()), nullable=False),
        _SEQ,
    ]
)

HISTOGRAMS = pa.schema(
    [
        *_ADDRESS,
        pa.field("edges", pa.list_(pa.float64())),  # one more than counts, unless the source errs
        pa.field("counts", pa.list_(pa.float64())),
        pa.field(
            "counts_kind", pa.dictionary(pa.int8(), pa.string()), nullable=False
        ),  # int, float64
        pa.field("extra", pa.string()),  # what else the source stored (packed bins, sums), as JSON
        _SEQ,
    ]
)

CONSOLE = pa.schema(
    [
        pa.field("time", TIME),
        pa.field("time_ns", pa.int16()),
        pa.field("stream", pa.dictionary(pa.int8(), pa.string()), nullable=False),  # stdout, stderr
        pa.field("line", pa.string(), nullable=False),  # as written, its line end included
        _SEQ,
    ]
)


def decoded(
    file: pq.ParquetFile,
    *,
    batch_size: int,
    row_groups: Sequence[int] | None = None,
    columns: Sequence[str] | None = None,
    use_threads: bool = True,
) -> Iterator[pa.RecordBatch]:
    """The rows of a Parquet file, of which text is text: Arrow takes any bytes for it.

    Raises what `UNDECODED` names.
    """
    for batch in file.iter_batches(batch_size, row_groups, columns, use_threads):
        batch.validate(full=True)
        yield batch


def conform(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """The batch with exactly the schema's columns, missing nullable ones as nulls.

    Raises ValueError for a column the schema does not have, or a missing one that may not be null.
    """
    if batch.schema.equals(schema):
        return batch
    strangers = set(batch.schema.names) - set(schema.names)
    if strangers:
        raise ValueError(f"columns that no table has: {', '.join(sorted(strangers))}")
    columns = []
    for column in schema:
        index = batch.schema.get_field_index(column.name)
        if index >= 0:
            found = batch.column(index)
            columns.append(found if found.type == column.type else found.cast(column.type))
        elif column.nullable:
            columns.append(_nulls(column.type, batch.num_rows))
        else:
            raise ValueError(f"column {column.name} is missing")
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _nulls(kind: pa.DataType, rows: int) -> pa.Array:
    """So many of them; batches share one column, as nobody changes what they hold."""
    return _shared_nulls(kind).slice(0, rows) if rows <= _SHARED else pa.nulls(rows, kind)


@lru_cache(maxsize=16)
def _shared_nulls(kind: pa.DataType) -> pa.Array:
    return pa.nulls(_SHARED, kind)


# --- typed values as JSON -------------------------------------------------------------------------
# A value that JSON cannot tell apart is a mapping with the one key "$float", "$int", "$bytes",
# "$time" or "$text" (its pieces: two halves of a surrogate pair, as escapes side by side, would be
# read as a whole one); {"$items": …} has such a text as a key; a mapping of the source's whose only
# key begins with "$" is wrapped in {"$map": …}.

_EXACT = 2**53
_SURROGATE = re.compile("[\ud800-\udfff]")
_BETWEEN_HALVES = re.compile("(?<=[\ud800-\udbff])(?=[\udc00-\udfff])")


def to_json(value: Tree) -> Any:
    """A tree as what `json.dumps` writes faithfully; see `from_json` for the inverse."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return {"$text": _BETWEEN_HALVES.split(value)} if _would_join(value) else value
    if isinstance(value, int):
        return value if -_EXACT <= value <= _EXACT else {"$int": str(value)}
    if isinstance(value, float):
        if math.isnan(value):
            return {"$float": "nan"}
        if math.isinf(value):
            return {"$float": "inf" if value > 0 else "-inf"}
        return value
    if isinstance(value, bytes):
        return {"$bytes": base64.b64encode(value).decode("ascii")}
    if isinstance(value, datetime):
        return {"$time": value.astimezone(UTC).isoformat()}
    if isinstance(value, list):
        return [to_json(item) for item in value]
    tree = {name: to_json(item) for name, item in value.items()}
    if any(map(_would_join, tree)):
        return {"$items": [[to_json(name), item] for name, item in tree.items()]}
    if len(tree) == 1 and next(iter(tree)).startswith("$"):
        return {"$map": tree}
    return tree


def from_json(value: Any) -> Tree:
    """The inverse of `to_json`. Raises ValueError for what that never gives."""
    if isinstance(value, list):
        return [from_json(item) for item in value]
    if not isinstance(value, dict):
        return value  # type: ignore[no-any-return]
    if len(value) == 1:
        ((tag, inner),) = value.items()
        if tag.startswith("$"):
            try:
                return _tagged(tag, inner)
            except (TypeError, AttributeError, OverflowError) as error:
                raise ValueError(f"{tag} does not hold {inner!r:.60}") from error
    return {name: from_json(item) for name, item in value.items()}


def _tagged(tag: str, inner: Any) -> Tree:
    match tag:
        case "$float":
            return float(inner)
        case "$int":
            return int(inner)
        case "$bytes":
            return base64.b64decode(inner)
        case "$time":
            return datetime.fromisoformat(inner)
        case "$text":
            return "".join(inner)
        case "$items":
            return {str(from_json(name)): from_json(item) for name, item in inner}
        case "$map":
            return {name: from_json(item) for name, item in inner.items()}
    raise ValueError(f"unknown tag {tag}")


def _would_join(text: str) -> bool:
    return not text.isascii() and _BETWEEN_HALVES.search(text) is not None


def dumps(value: Tree, *, indent: int | None = None) -> str:
    """A tree as JSON from which `loads` gives back the very same tree; one line without `indent`.

    It is readable, and UTF-8 can hold it: lone surrogates are escapes.
    """
    spelled = json.dumps(
        to_json(value),
        ensure_ascii=False,
        allow_nan=False,
        indent=indent,
        separators=None if indent else (",", ":"),
    )
    if spelled.isascii():
        return spelled
    return _SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", spelled)


def loads(text: str | bytes) -> Tree:
    """The inverse of `dumps`. Raises ValueError for what that never gives."""
    try:
        return from_json(json.loads(text))
    except RecursionError as error:
        raise ValueError("this is nested beyond measure") from error

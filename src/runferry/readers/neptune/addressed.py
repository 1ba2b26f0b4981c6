"""Rows of Neptune's series as our columns: keys, steps, times."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from runferry import tables
from runferry.dialects.neptune.names import ConsoleStream

if TYPE_CHECKING:
    from numpy.typing import NDArray


def keyed(paths: pa.Array, keys: Mapping[str, str]) -> pa.Array:
    """A column of attribute paths as one of keys."""
    column = paths.dictionary_encode()
    names = [keys[name] for name in column.dictionary.to_pylist()]
    return pa.DictionaryArray.from_arrays(column.indices, pa.array(names, pa.string()))


def as_micros(milliseconds: pa.Array, zone: tzinfo | None = None) -> pa.Array:
    """Times as ours; with a zone they are the local time there, whatever they say."""
    micros = milliseconds.cast(tables.TIME)
    if zone is None or zone is UTC:
        return micros
    local = micros.cast(pa.int64()).cast(pa.timestamp("us"))
    kept = {"ambiguous": "earliest", "nonexistent": "latest"}
    return pc.assume_timezone(local, _name_of(zone), **kept).cast(tables.TIME)


def _name_of(zone: tzinfo) -> str:
    """A zone as Arrow calls it: by its name, or an offset `+02:00`."""
    if isinstance(zone, ZoneInfo):
        return zone.key
    return datetime(2000, 1, 1, tzinfo=zone).isoformat()[-6:]


def as_batch(columns: dict[str, pa.Array], schema: pa.Schema) -> pa.RecordBatch:
    """The columns as a batch of a table of ours."""
    return tables.conform(pa.RecordBatch.from_pydict(columns), schema)


def points_batch(address: dict[str, pa.Array], values: pa.Array) -> pa.RecordBatch:
    """Floats as a batch of `tables.POINTS`; what is null there is a null that was logged."""
    present = values.is_valid().to_numpy(zero_copy_only=False)
    kinds = pa.DictionaryArray.from_arrays(
        pa.array(np.where(present, 0, 1).astype(np.int8)), pa.array(["float64", "null"])
    )
    return as_batch({**address, "value": values, "kind": kinds}, tables.POINTS)


def texts_batch(address: dict[str, pa.Array], values: pa.Array) -> pa.RecordBatch:
    """Strings as a batch of `tables.TEXTS`."""
    return as_batch({**address, "text": values, "form": _all("text", len(values))}, tables.TEXTS)


def console_batch(
    times: pa.Array,
    lines: pa.Array,
    stream: ConsoleStream,
    first_seq: int,
    *,
    add_ends: bool = False,
) -> pa.RecordBatch:
    """Lines as a batch of `tables.CONSOLE`; a null is an empty one."""
    lines = lines.fill_null("")
    if add_ends:
        lines = pc.binary_join_element_wise(lines, "\n", "")
    columns = {
        "time": times,
        "stream": _all(stream, len(lines)),
        "line": lines,
        "seq": pa.array(np.arange(first_seq, first_seq + len(lines), dtype=np.int64)),
    }
    return as_batch(columns, tables.CONSOLE)


def histograms_batch(address: dict[str, pa.Array], values: pa.Array) -> pa.RecordBatch:
    """Structs of type, edges and values as a batch of `tables.HISTOGRAMS`."""
    types, edges, counts = (pc.struct_field(values, name) for name in ("type", "edges", "values"))
    is_counting = pc.fill_null(pc.equal(types, "COUNTING"), False)
    kinds = pc.if_else(is_counting, pa.scalar(0, pa.int8()), pa.scalar(1, pa.int8()))
    words = types.dictionary_encode()
    told = [json.dumps({"type": word}) for word in words.dictionary.to_pylist()]
    extra = pa.DictionaryArray.from_arrays(words.indices, pa.array(told, pa.string()))
    columns = {
        **address,
        "edges": edges,
        "counts": counts,
        "counts_kind": pa.DictionaryArray.from_arrays(
            _whole_only(kinds, counts), pa.array(["int", "float64"])
        ),
        "extra": pc.if_else(is_counting, pa.scalar(None, pa.string()), extra.cast(pa.string())),
    }
    return as_batch(columns, tables.HISTOGRAMS)


def _whole_only(kinds: pa.Array, counts: pa.Array) -> pa.Array:
    """Kinds, with that of floats where a count is no whole number."""
    flat = counts.flatten().to_numpy(zero_copy_only=False)
    rows = pc.list_parent_indices(counts).to_numpy(zero_copy_only=False)
    found = kinds.to_numpy(zero_copy_only=False).copy()
    found[rows[flat != np.floor(flat)]] = 1
    return pa.array(found, pa.int8())


def _all(word: str, rows: int) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int8)), pa.array([word]))


def numbered(first: int, places: NDArray[np.int64]) -> pa.Array:
    """`seq` of rows at these places of a batch whose first row has the number `first`."""
    return pa.array(places + first, pa.int64())

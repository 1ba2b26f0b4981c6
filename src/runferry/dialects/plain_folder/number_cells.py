"""Numbers that text does not tell by itself: NaN with other bits, and lists of floats."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_USUAL_NAN = np.int64(0x7FF8_0000_0000_0000)


def with_nan_bits(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Points with the bits of each unusual NaN in `value_i64`, where a float has nothing else."""
    value = batch.column("value")
    is_nan = pc.fill_null(pc.is_nan(value), False)
    if not pc.any(is_nan).as_py():
        return batch
    bits = value.view(pa.int64())
    is_odd = pc.and_(is_nan, pc.fill_null(pc.not_equal(bits, _USUAL_NAN), False))
    exact = pc.if_else(is_odd, bits, batch.column("value_i64"))
    return _replaced(batch, "value_i64", exact)


def without_nan_bits(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The inverse of `with_nan_bits`."""
    value, exact = batch.column("value"), batch.column("value_i64")
    if exact.null_count == len(exact):
        return batch
    is_bits = pc.and_(pc.fill_null(pc.is_nan(value), False), exact.is_valid())
    if not pc.any(is_bits).as_py():
        return batch
    restored = pc.if_else(is_bits, exact.view(pa.float64()), value)
    left = pc.if_else(is_bits, pa.scalar(None, pa.int64()), exact)
    return _replaced(_replaced(batch, "value", restored), "value_i64", left)


def _replaced(batch: pa.RecordBatch, name: str, column: pa.Array) -> pa.RecordBatch:
    at = batch.schema.get_field_index(name)
    return batch.set_column(at, batch.schema.field(at), column)


def spelled_floats(column: pa.Array) -> pa.Array:
    """Floats as text with all their digits; `-0.0` keeps its sign for those who read integers."""
    text = column.cast(pa.string())
    return pc.if_else(pc.equal(text, "-0"), "-0.0", text)


def spelled_lists(column: pa.Array) -> pa.Array:
    """Lists of floats as `[0,0.5,inf]`; nulls stay null."""
    words = spelled_floats(column.values)
    offsets = pa.concat_arrays([column.offsets])  # of a slice: Arrow wants them from their start
    lists = pa.ListArray.from_arrays(offsets, words, mask=column.is_null())
    return pc.binary_join_element_wise("[", pc.binary_join(lists, ","), "]", "")


def meant_lists(column: pa.Array) -> pa.Array:
    """The inverse of `spelled_lists`. Raises pyarrow.ArrowInvalid."""
    inner = pc.utf8_trim(column, characters="[] ")
    words = pc.split_pattern(inner, ",")
    lengths = pc.if_else(pc.equal(inner, ""), 0, pc.list_value_length(words))
    floats = pc.list_flatten(words)
    floats = floats.filter(pc.not_equal(floats, "")).cast(pa.float64())
    ends = np.cumsum(lengths.fill_null(0).to_numpy(zero_copy_only=False))
    offsets = pa.array(np.concatenate([[0], ends]).astype(np.int32))
    return pa.ListArray.from_arrays(offsets, floats, mask=column.is_null())

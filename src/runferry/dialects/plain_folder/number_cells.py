"""Numbers that text does not tell by itself: NaN with other bits, and lists of floats."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_USUAL_NAN = np.int64(0x7FF8_0000_0000_0000)
_BITS = "nan:"
_NULL = "null"


def with_nan_bits(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Points with the bits of each unusual NaN in `value_i64`, where a float has nothing else."""
    value = batch.column("value")
    is_odd = _is_odd_nan(value)
    if not pc.any(is_odd).as_py():
        return batch
    exact = pc.if_else(is_odd, value.view(pa.int64()), batch.column("value_i64"))
    return _replaced(batch, "value_i64", exact)


def _is_odd_nan(numbers: pa.Array) -> pa.Array:
    """Which are NaN with other bits than the usual; a null is none."""
    is_nan = pc.fill_null(pc.is_nan(numbers), False)
    if not pc.any(is_nan).as_py():
        return is_nan
    is_unusual = pc.not_equal(numbers.view(pa.int64()), _USUAL_NAN)
    return pc.and_(is_nan, pc.fill_null(is_unusual, False))


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
    """Lists of floats as `[0,0.5,inf]`; nulls stay null.

    A null in a list is `null`, and a NaN that is not the usual one `nan:` and its 64 bits in hex.
    """
    words = _with_odd_nans(column.values, spelled_floats(column.values)).fill_null(_NULL)
    offsets = pa.concat_arrays([column.offsets])  # of a slice: Arrow wants them from their start
    lists = pa.ListArray.from_arrays(offsets, words, mask=column.is_null())
    return pc.binary_join_element_wise("[", pc.binary_join(lists, ","), "]", "")


def _with_odd_nans(numbers: pa.Array, words: pa.Array) -> pa.Array:
    is_odd = _is_odd_nan(numbers)
    if not pc.any(is_odd).as_py():
        return words
    bits = numbers.view(pa.uint64()).filter(is_odd).to_pylist()
    return pc.replace_with_mask(words, is_odd, pa.array([f"{_BITS}{one:016x}" for one in bits]))


def meant_lists(column: pa.Array) -> pa.Array:
    """The inverse of `spelled_lists`. Raises pyarrow.ArrowInvalid."""
    inner = pc.utf8_trim(column, characters="[] ")
    words = pc.split_pattern(inner, ",")
    lengths = pc.if_else(pc.equal(inner, ""), 0, pc.list_value_length(words))
    flat = pc.list_flatten(words)
    floats = _meant_floats(flat.filter(pc.not_equal(flat, "")))
    ends = np.cumsum(lengths.fill_null(0).to_numpy(zero_copy_only=False))
    offsets = pa.array(np.concatenate([[0], ends]).astype(np.int32))
    return pa.ListArray.from_arrays(offsets, floats, mask=column.is_null())


def _meant_floats(words: pa.Array) -> pa.Array:
    is_odd = pc.starts_with(words, _BITS)
    is_none = pc.equal(words, _NULL)
    is_word = pc.or_(is_odd, is_none)
    if not pc.any(is_word).as_py():
        return words.cast(pa.float64())
    floats = pc.if_else(is_word, pa.scalar(None, pa.string()), words).cast(pa.float64())
    bits = [word.removeprefix(_BITS) for word in words.filter(is_odd).to_pylist()]
    try:
        odd = pa.array([int(one, 16) for one in bits], pa.uint64()).view(pa.float64())
    except (ValueError, OverflowError) as error:
        raise pa.ArrowInvalid(f"bits that are none ({error})") from error
    return pc.replace_with_mask(floats, is_odd, odd)

"""Values of points as JSON, by the column."""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_EXACT: Final = 2.0**53
_INT64: Final = 2.0**63


def number_texts(batch: pa.RecordBatch) -> pa.Array:
    """The value of each row of `tables.POINTS`, none of them null.

    Integers have no point, all other numbers have one or an exponent; NaN and the infinities are
    spelled as Python's `json` does, which is what ClearML reads with.
    """
    column = batch.column("value")
    values = column.to_numpy(zero_copy_only=False)
    is_int = pc.equal(batch.column("kind").cast(pa.string()), "int").to_numpy(zero_copy_only=False)
    with np.errstate(invalid="ignore"):
        is_zero_below = (values == 0) & np.signbit(values)
        fits = (values >= -_INT64) & (values < _INT64)
        is_whole = (np.abs(values) < _EXACT) & (values == np.floor(values)) & ~is_zero_below
    whole = pa.array(np.where(fits, values, 0.0).astype(np.int64))
    exact = pc.coalesce(batch.column("value_i64"), whole).cast(pa.string())
    texts = column.cast(pa.string())
    if is_whole.any():
        texts = pc.if_else(pa.array(is_whole), pc.binary_join_element_wise(exact, ".0", ""), texts)
    if is_int.any():
        texts = pc.if_else(pa.array(is_int), exact, texts)
    odd = {"NaN": np.isnan(values), "Infinity": values == np.inf, "-Infinity": values == -np.inf}
    for word, where in {**odd, "-0.0": is_zero_below & ~is_int}.items():
        if where.any():
            texts = pc.if_else(pa.array(where), word, texts)
    return texts

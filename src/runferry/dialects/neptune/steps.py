"""Steps of Neptune, whole numbers and millionths, as our columns and back; columns only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from numpy.typing import NDArray

MILLION: Final = 1_000_000
STEP: Final = pa.decimal128(18, 6)
MOST: Final = 10**12 - 1
"""The greatest whole step that an export can hold; the least is its negative."""


def millionths_of(column: pa.Array) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Decimals with six places as (millionths, which are there); 0 where none is."""
    decimals = column.cast(STEP)
    present = decimals.is_valid().to_numpy(zero_copy_only=False)
    if not present.any():
        return np.zeros(len(decimals), np.int64), present
    # 16 bytes each, little-endian two's complement: 18 digits fit into the lower 8
    words = np.frombuffer(decimals.buffers()[1], np.int64)
    begin = 2 * decimals.offset
    low = words[begin : begin + 2 * len(decimals) : 2]
    return np.where(present, low, 0), present


def split_steps(
    millionths: NDArray[np.int64], present: NDArray[np.bool_]
) -> tuple[pa.Array, pa.Array]:
    """Millionths as (step, step_frac): the floor, and what is above it or null where whole."""
    whole, fraction = np.divmod(millionths, MILLION)
    return (
        pa.array(whole, pa.int64(), mask=~present),
        pa.array(fraction.astype(np.int32), pa.int32(), mask=~present | (fraction == 0)),
    )


def joined_steps(step: pa.Array, step_frac: pa.Array) -> pa.Array:
    """Our columns as decimals. Raises ValueError for a step of more than 12 digits."""
    present = step.is_valid().to_numpy(zero_copy_only=False)
    whole = step.fill_null(0).to_numpy(zero_copy_only=False)
    if (np.abs(whole) > MOST).any():
        raise ValueError("a step of more than 12 digits")
    millionths = whole * MILLION + step_frac.fill_null(0).to_numpy(zero_copy_only=False)
    words = np.empty(2 * len(millionths), np.int64)
    words[0::2] = millionths
    words[1::2] = millionths >> 63
    valid = pa.array(present).buffers()[1]
    return pa.Array.from_buffers(STEP, len(millionths), [valid, pa.py_buffer(words)])

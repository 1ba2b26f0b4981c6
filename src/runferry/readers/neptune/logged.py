"""Steps and times that Neptune's clients logged, as our columns; no loop over values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from runferry.dialects.neptune.steps import MILLION, split_steps
from runferry.dialects.times import NS, seconds_ns

if TYPE_CHECKING:
    from numpy.typing import NDArray

_EXACT: Final = 2.0**53
_COARSE: Final = 2.0**23  # seconds from which on the doubles around are further apart than 1 ns
_LAST: Final = 9.2e9  # seconds that 64 bits of nanoseconds hold


def float_steps(steps: Sequence[float | None]) -> tuple[pa.Array, pa.Array, int, int]:
    """Steps as (step, step_frac), and how many of them were rounded, and how many were none.

    Neptune's servers keep six places of a step, and so do we.
    """
    found = pa.array(steps, pa.float64(), from_pandas=False)
    present = found.is_valid().to_numpy(zero_copy_only=False)
    values = found.fill_null(0.0).to_numpy(zero_copy_only=False)
    with np.errstate(invalid="ignore", over="ignore"):
        usable = np.abs(values) < _EXACT / MILLION  # so NaN is none
        safe = np.where(usable, values, 0.0)
        floor = np.floor(safe)
        millionths = np.rint((safe - floor) * MILLION)
        exact = floor + millionths / MILLION == safe
        large = ~usable & (np.abs(values) < _EXACT) & (values == np.floor(values))
    whole = np.where(large, values, floor).astype(np.int64)
    kept = present & (usable | large)
    total = np.where(large, 0, millionths).astype(np.int64)
    step, fraction = split_steps(total, kept)
    step = pa.array(whole + np.asarray(step.fill_null(0)), pa.int64(), mask=~kept)
    rounded = int((kept & usable & ~exact).sum())
    return step, fraction, rounded, int((present & ~kept).sum())


def second_times(seconds: Sequence[float | None]) -> tuple[pa.Array, pa.Array, int]:
    """Seconds since the epoch as (time, time_ns), and how many were no time.

    By the rule of `runferry.dialects.times.seconds_ns`.
    """
    found = pa.array(seconds, pa.float64(), from_pandas=False)
    present = found.is_valid().to_numpy(zero_copy_only=False)
    values = found.fill_null(0.0).to_numpy(zero_copy_only=False)
    with np.errstate(invalid="ignore"):
        usual = (np.abs(values) >= _COARSE) & (np.abs(values) < _LAST)
    safe = np.where(usual, values, 0.0)
    floor = np.floor(safe)
    total = floor.astype(np.int64) * NS + np.rint((safe - floor) * NS).astype(np.int64)
    kept = present & usual
    for row in np.flatnonzero(present & ~usual).tolist():
        time = seconds_ns(float(values[row]))
        kept[row] = time is not None
        total[row] = time or 0
    micros, below = time_columns(total, kept)
    return micros, below, int((present & ~kept).sum())


def time_columns(
    nanoseconds: NDArray[np.int64], present: NDArray[np.bool_]
) -> tuple[pa.Array, pa.Array]:
    """Nanoseconds since the epoch as (time, time_ns)."""
    micros, below = np.divmod(nanoseconds, 1000)
    return (
        pa.array(micros, pa.int64(), mask=~present).cast(pa.timestamp("us", tz="UTC")),
        pa.array(below.astype(np.int16), pa.int16(), mask=~present | (below == 0)),
    )

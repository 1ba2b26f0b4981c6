"""The order of rows by step: (step, step_frac, seq), and behind them (time, seq) without a step."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Order = tuple[NDArray[np.int64], ...]
"""The components of the order, the first deciding first."""

_LATEST = np.iinfo(np.int64).max


def order_of(batch: pa.RecordBatch) -> Order:
    """The components of the order, the first deciding first."""
    step, seq = batch.column("step"), batch.column("seq")
    stepless = step.is_null().to_numpy(zero_copy_only=False)
    first = step.fill_null(0).to_numpy(zero_copy_only=False)
    frac = batch.column("step_frac").fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
    if stepless.any():
        time = batch.column("time").view(pa.int64()).fill_null(_LATEST)
        below = batch.column("time_ns").fill_null(0).to_numpy(zero_copy_only=False)
        first = np.where(stepless, time.to_numpy(zero_copy_only=False), first)
        frac = np.where(stepless, below.astype(np.int64), frac)
    return stepless.astype(np.int64), first, frac, seq.to_numpy(zero_copy_only=False)


def sorting(order: Order) -> NDArray[np.int64]:
    """The places of the rows in order; rows that are alike stay as they stand."""
    deciding = [part for part in order if len(part) and (part != part[0]).any()]
    if not deciding:
        return np.arange(len(order[0]))
    return np.lexsort(deciding[::-1]).astype(np.int64, copy=False)

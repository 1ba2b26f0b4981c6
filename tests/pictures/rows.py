"""Rows of one series, as a reader gives them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from runferry.pictures.curves import Axis, Curve, Rows


def batch(
    steps: Sequence[int | None] | NDArray[np.int64],
    values: Sequence[float | None] | NDArray[np.float64],
    first_seq: int = 0,
) -> pa.RecordBatch:
    rows = len(values)
    return pa.RecordBatch.from_pydict(
        {
            "step": pa.array(steps, pa.int64()),
            "step_frac": pa.nulls(rows, pa.int32()),
            "value": pa.array(values, pa.float64(), from_pandas=False),
            "seq": pa.array(np.arange(first_seq, first_seq + rows)),
        }
    )


def curve_of(rows: pa.RecordBatch, width: int, span: int, *, is_log: bool = False) -> Curve:
    curve = Curve(Axis("step", 0, span), width, is_log)
    curve.add(Rows.of(rows, "step"))
    return curve

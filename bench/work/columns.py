"""What is compared of decoded columns: per series how many and their exact sum, steps, times."""

from __future__ import annotations

import math
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc


def outcome_of(points: pa.Table) -> dict[str, Any]:
    """Of a table with `name` ("user:loss"), value, seq, step and time."""
    names = points["name"].combine_chunks().dictionary_encode()
    per_series = {}
    for index, name in enumerate(names.dictionary.to_pylist()):
        column = points["value"].filter(pc.equal(names.indices, index))
        # fsum is exact: equal whatever the order in which the rows came
        per_series[name] = [len(column), math.fsum(column.to_pylist())]
    is_user = pc.starts_with(points["name"], "user:")
    rows = points.filter(is_user).group_by("seq").aggregate([("step", "min"), ("time", "min")])
    return {
        "series": per_series,
        "history": rows.num_rows,
        "stats": len(pc.unique(points["seq"].filter(pc.invert(is_user)))),
        # in Python, whose integers do not overflow
        "step_sum": sum(rows["step_min"].to_pylist()),
        "time_us_sum": sum(rows["time_min"].cast(pa.int64()).to_pylist()),
    }

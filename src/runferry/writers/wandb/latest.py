"""The last value of each series: the summary of a run whose source has none."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from runferry.model import Tree


class LatestValues:
    """Keeps one value a series."""

    def __init__(self) -> None:
        self._values: dict[str, Tree] = {}

    def look_at(self, points: pa.RecordBatch) -> None:
        """Rows of `tables.POINTS`, in the order in which they are shown."""
        keys = points.column("key")
        last = np.full(len(keys.dictionary), -1, np.int64)
        last[keys.indices.to_numpy()] = np.arange(points.num_rows)  # the last of each key counts
        rows = last[last >= 0]
        found = points.take(pa.array(rows))
        names = ("value", "value_i64", "kind")
        columns = (found.column(name).to_pylist() for name in names)
        for key, value, exact, kind in zip(found.column("key").to_pylist(), *columns, strict=True):
            self._values[key] = _value(value, exact, kind)

    def __iter__(self) -> Iterator[tuple[str, Tree]]:
        return iter(self._values.items())


def _value(value: float | None, exact: int | None, kind: str) -> Tree:
    if value is None:
        return None
    if kind == "bool":
        return value != 0
    if kind == "int" and (exact is not None or value.is_integer()):
        return exact if exact is not None else int(value)
    return value

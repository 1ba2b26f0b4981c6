"""History rows between JSON lines, as they come and go, and Arrow, as they are exported."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from runferry.testing.wandb_service.history_keys import leaves

if TYPE_CHECKING:
    import pyarrow as pa

Row = dict[str, Any]


def as_json(row: Row) -> str:
    """A row as the service's GraphQL spells it: what JSON has no number for is text.

    The vendor's sweeps treat "NaN" in a history as a number for that reason (wandb/sweeps #32).
    """
    return json.dumps(without_bare_nan(row), allow_nan=False, separators=(",", ":"))


def without_bare_nan(value: Any) -> Any:
    """The value with "NaN", "Infinity" and "-Infinity" for such numbers."""
    match value:
        case float() if not math.isfinite(value):
            return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
        case dict():
            return {key: without_bare_nan(each) for key, each in value.items()}
        case list():
            return [without_bare_nan(each) for each in value]
    return value


def table_of(rows: list[Row]) -> pa.Table:
    """Rows as an export has them: a column a leaf, absent as null; mappings with `_type` whole.

    Numbers of a column are integers where all are, else doubles; what has several types is JSON.
    """
    import pyarrow as pa

    flat = [dict(leaves(row)) for row in rows]
    names = dict.fromkeys(name for row in flat for name in row)
    return pa.table({name: _column([row.get(name) for row in flat]) for name in names})


def _column(values: list[Any]) -> pa.Array:
    import pyarrow as pa

    numbers = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
    kinds = {type(value) for value in values if value is not None}
    if kinds <= {int, float}:
        if float in kinds:
            values = [None if value is None else float(value) for value in values]
        try:
            return pa.array(values, pa.float64() if float in kinds else None)
        except OverflowError:  # beyond 64 bits
            return pa.array([None if value is None else float(value) for value in values])
    if kinds <= {int, float, str} and all(
        value in numbers for value in values if isinstance(value, str)
    ):
        return pa.array(
            [
                None if v is None else numbers.get(v, v) if isinstance(v, str) else float(v)
                for v in values
            ],
            pa.float64(),
        )
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return pa.array([None if v is None else json.dumps(v) for v in values], pa.string())


def rows_of(table: pa.Table) -> list[Row]:
    """The rows of an export; an absent value is absent again."""
    return [
        {name: value for name, value in row.items() if value is not None}
        for row in table.to_pylist()
    ]

"""Values of rows as Arrow batches: what is a scalar, what is a text, and the columns of both."""

from __future__ import annotations

from dataclasses import dataclass, field

import pyarrow as pa

from runferry import tables
from runferry.model import Address, Tree

_LEAST, _MOST = -(2**63), 2**63 - 1


def scalar_of(value: Tree) -> tuple[float | None, int | None, str] | None:
    """A point's value, exact integer and kind; None for what is no scalar."""
    if value is None:
        return None, None, "null"
    if isinstance(value, bool):
        return float(value), None, "bool"
    if isinstance(value, float):
        return value, None, "float64"
    if isinstance(value, int) and _LEAST <= value <= _MOST:
        return float(value), (None if int(float(value)) == value else value), "int"
    return None


def whole_step(value: Tree) -> int | None:
    """A whole number that 64 bits hold, however it is written."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if _LEAST <= value <= _MOST else None


def address_columns(keys: list[str], addresses: list[Address]) -> dict[str, pa.Array]:
    """The columns that every table begins with."""
    times = [at.time_ns for at in addresses]
    micro = [None if t is None else t // 1000 for t in times]
    below = [None if t is None else t % 1000 for t in times]
    return {
        "key": pa.array(keys, pa.string()).dictionary_encode(),
        "step": pa.array([at.step for at in addresses], pa.int64()),
        "step_frac": pa.array([at.step_frac for at in addresses], pa.int32()),
        "time": pa.array(micro, pa.int64()).cast(tables.TIME),
        "time_ns": pa.array(below, pa.int16()),
        "seq": pa.array([at.seq for at in addresses], pa.int64()),
    }


@dataclass
class PointRows:
    """Scalars of one batch in the making."""

    keys: list[str] = field(default_factory=list)
    addresses: list[Address] = field(default_factory=list)
    values: list[float | None] = field(default_factory=list)
    exact: list[int | None] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)

    def add(self, key: str, at: Address, scalar: tuple[float | None, int | None, str]) -> None:
        """Add a value as `scalar_of` gives it."""
        self.keys.append(key)
        self.addresses.append(at)
        self.values.append(scalar[0])
        self.exact.append(scalar[1])
        self.kinds.append(scalar[2])

    def record_batch(self) -> pa.RecordBatch:
        """The rows as a batch of `tables.POINTS`."""
        columns = address_columns(self.keys, self.addresses)
        columns["value"] = pa.array(self.values, pa.float64(), from_pandas=False)
        columns["value_i64"] = pa.array(self.exact, pa.int64())
        kind_type = tables.POINTS.field("kind").type
        columns["kind"] = pa.array(self.kinds, pa.string()).cast(kind_type)
        return tables.conform(pa.RecordBatch.from_pydict(columns), tables.POINTS)


TextRow = tuple[str, Address, str | None, str]
"""Key, address, text and form of one row."""


def text_batch(rows: list[TextRow]) -> pa.RecordBatch:
    """The rows as a batch of `tables.TEXTS`."""
    columns = address_columns([row[0] for row in rows], [row[1] for row in rows])
    columns["text"] = pa.array([row[2] for row in rows], pa.string())
    forms = pa.array([row[3] for row in rows], pa.string())
    columns["form"] = forms.cast(tables.TEXTS.field("form").type)
    return tables.conform(pa.RecordBatch.from_pydict(columns), tables.TEXTS)

"""Columns of a sequence of numbers, as the process sends them, and as batches of ours."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from runferry import tables
from runferry.dialects.aim.process import Frame
from runferry.dialects.times import NS

_COLUMNS: Final = (
    ("step", "<i8"), ("millionths", "<i4"), ("value", "<f8"), ("exact", "<i8"), ("is_int", "u1"),
    ("epoch", "<f8"), ("has_epoch", "u1"), ("is_int_epoch", "u1"), ("time", "<f8"),
)  # fmt: skip


MILLION: Final = 1_000_000


def time_ns_of(seconds: Any) -> int | None:
    """Aim's seconds since the epoch, which it takes in microseconds; None for what is no time."""
    if not isinstance(seconds, (int, float)) or not abs(seconds) < 2.0**63 / NS:
        return None
    whole = math.floor(seconds)
    return whole * NS + round((seconds - whole) * 1e6) * 1000


@dataclass(frozen=True, slots=True)
class Sequence:
    """Rows of one sequence, by step."""

    columns: dict[str, NDArray[Any]]

    @classmethod
    def of(cls, frame: Frame) -> Self:
        """See `child._metric`."""
        rows, found, offset = frame.told["rows"], {}, 0
        for name, kind in _COLUMNS:
            found[name] = np.frombuffer(frame.payload, np.dtype(kind), rows, offset)
            offset += found[name].nbytes
        assert offset == len(frame.payload), "the process sends other columns"
        return cls(found)

    def __len__(self) -> int:
        return len(self.columns["value"])

    def values(self, key: str, first: int) -> pa.RecordBatch:
        """The numbers, as a batch of `tables.POINTS`; rows are numbered from `first`."""
        value, exact = self.columns["value"], self.columns["exact"]
        is_int = self.columns["is_int"].astype(bool)
        near = np.where(np.abs(value) < 2.0**63, value, 0.0)
        beyond = is_int & ((near.astype(np.int64) != exact) | (np.abs(value) >= 2.0**63))
        columns = {
            "value": pa.array(value, from_pandas=False),
            "value_i64": pa.array(exact, mask=~beyond),
            "kind": _kinds(is_int),
        }
        return self._batch(key, first, columns, np.ones(len(self), np.bool_))

    def epochs(self, key: str, first: int) -> pa.RecordBatch | None:
        """The epochs of the same rows; None where none was stated."""
        known = self.columns["has_epoch"].astype(bool)
        if not known.any():
            return None
        columns = {
            "value": pa.array(self.columns["epoch"], from_pandas=False),
            "kind": _kinds(self.columns["is_int_epoch"]),
        }
        return self._batch(key, first, columns, known)

    def _batch(
        self, key: str, first: int, columns: dict[str, pa.Array], kept: NDArray[np.bool_]
    ) -> pa.RecordBatch:
        rows = len(self)
        millionths = self.columns["millionths"]
        time = self.columns["time"]
        is_timed = np.isfinite(time) & (np.abs(time) < 2.0**63 / NS)
        whole = np.floor(np.where(is_timed, time, 0.0))
        below = np.round((np.where(is_timed, time, 0.0) - whole) * 1e6).astype(np.int64)
        micros = whole.astype(np.int64) * 1_000_000 + below
        address = {
            "key": pa.DictionaryArray.from_arrays(
                pa.array(np.zeros(rows, np.int32)), pa.array([key])
            ),
            "step": pa.array(self.columns["step"] + millionths // MILLION),
            "step_frac": pa.array(millionths % MILLION, mask=millionths % MILLION == 0),
            "time": pa.array(micros, mask=~is_timed).cast(tables.TIME),
            "seq": pa.array(np.arange(first, first + rows, dtype=np.int64)),
        }
        batch = pa.RecordBatch.from_pydict({**address, **columns})
        if not kept.all():
            batch = batch.filter(pa.array(kept))
        return tables.conform(batch, tables.POINTS)


def _kinds(is_int: NDArray[Any]) -> pa.Array:
    words = pa.array(["float64", "int"])
    return pa.DictionaryArray.from_arrays(pa.array(is_int.astype(np.int8)), words)

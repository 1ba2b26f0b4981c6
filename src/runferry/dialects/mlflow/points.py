"""Scalars as rows of MLflow's `metrics`, and back; column operations only.

MLflow stores a NaN as value 0 with `is_nan`, ±Inf as the largest float
(`SqlAlchemyStore.sanitize_metric_value`), times in milliseconds ≥ 0, and no null anywhere.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from runferry.model import KeyPath, Stream
from runferry.tables import KEY, POINTS, TIME

if TYPE_CHECKING:
    from numpy.typing import NDArray

AT_ONCE: Final = 1 << 22
"""Fingerprints held for each side of a comparison; more rows take more passes."""
LARGEST: Final = 1.7976931348623157e308
SYSTEM_PREFIX: Final = "system/"
"""MLflow's UI shows metrics of this folder as system metrics."""


@dataclass(frozen=True, slots=True)
class NativePoints:
    """Rows of `metrics` as columns; `keys[codes[i]]` is the i-th row's key."""

    keys: Sequence[str]
    codes: NDArray[np.int64]
    timestamp: NDArray[np.int64]
    step: NDArray[np.int64]
    value: NDArray[np.float64]
    is_nan: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.codes)

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> NativePoints:
        """Some of the rows."""
        return NativePoints(
            self.keys,
            self.codes[rows],
            self.timestamp[rows],
            self.step[rows],
            self.value[rows],
            self.is_nan[rows],
        )

    def row_keys(self) -> list[str]:
        """Each row's key."""
        return [self.keys[code] for code in self.codes.tolist()]

    def fingerprints(self) -> NDArray[np.uint64]:
        """A 64-bit hash a row, equal exactly for rows that MLflow's primary key finds equal.

        A changed row goes unseen only if its new hash meets one of the run's n others: n / 2^64.
        """
        seeds = np.array([_seed(key) for key in self.keys], dtype=np.uint64)
        mixed = seeds[self.codes] if len(self.keys) else np.zeros(0, np.uint64)
        finite = np.clip(np.where(self.is_nan, 0.0, self.value), -LARGEST, LARGEST)
        value = np.ascontiguousarray(finite + 0.0)  # −0.0 and 0.0 are one to a database
        for column in (self.timestamp, self.step, value):
            mixed = _mix(mixed ^ column.view(np.uint64))
        return _mix(mixed ^ self.is_nan.astype(np.uint64))

    def latest(self) -> NativePoints:
        """Each key's latest row, as MLflow says: greatest (step, time, value), first of equals."""
        order = np.lexsort(
            (-np.arange(len(self)), self.value, self.timestamp, self.step, self.codes)
        )
        codes = self.codes[order]
        is_last = np.append(codes[1:] != codes[:-1], True) if len(codes) else np.zeros(0, bool)
        return self.take(order[is_last])


class Passes:
    """Rows that are compared by their fingerprints, so many at once that memory stays flat."""

    def __init__(self, rows: int) -> None:
        self.count = max(1, -(-rows // AT_ONCE))

    def of(self, hashes: NDArray[np.uint64], number: int) -> NDArray[np.uint64]:
        """Those that fall to a pass."""
        return hashes if self.count == 1 else hashes[self.has(hashes, number)]

    def has(self, hashes: NDArray[np.uint64], number: int) -> NDArray[np.bool_]:
        """Whether each falls to a pass."""
        mine: NDArray[np.bool_] = hashes % np.uint64(self.count) == np.uint64(number)
        return mine


def sorted_hashes(batches: Iterable[NDArray[np.uint64]]) -> NDArray[np.uint64]:
    """All fingerprints together, in order."""
    found = list(batches)
    together = np.concatenate(found) if found else np.zeros(0, np.uint64)
    together.sort()
    return together


def contains(ordered: NDArray[np.uint64], hashes: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Whether each fingerprint is among the ordered ones."""
    if not len(ordered):
        return np.zeros(len(hashes), np.bool_)
    places = np.minimum(np.searchsorted(ordered, hashes), len(ordered) - 1)
    held: NDArray[np.bool_] = ordered[places] == hashes
    return held


def native_key(key: str, stream: Stream) -> str:
    """A series' name in MLflow."""
    return SYSTEM_PREFIX + key if stream == "system" else key


def path_and_stream(key: str) -> tuple[KeyPath, Stream]:
    """The series behind a metric that MLflow itself logged; the inverse of `native_key`."""
    if key.startswith(SYSTEM_PREFIX) and len(key) > len(SYSTEM_PREFIX):
        return (key[len(SYSTEM_PREFIX) :],), "system"
    return (key,), "user"


def as_native(batch: pa.RecordBatch, names: Mapping[str, str]) -> NativePoints:
    """What MLflow holds of a batch of `tables.POINTS`; `names` gives each key's native name.

    A null step becomes the row's `seq` (so that the line keeps its order), a null time 0.
    """
    key = batch.column("key")
    if not pa.types.is_dictionary(key.type):
        key = key.dictionary_encode()
    spelled = [names[name] for name in key.dictionary.to_pylist()]
    step = pc.coalesce(batch.column("step"), batch.column("seq"))
    micros = pc.fill_null(batch.column("time").cast(pa.int64()), 0)
    value = pc.fill_null(batch.column("value"), float("nan")).to_numpy(zero_copy_only=False)
    is_nan = np.isnan(value)
    finite = np.clip(np.where(is_nan, 0.0, value), -LARGEST, LARGEST)
    return NativePoints(
        spelled,
        key.indices.to_numpy(zero_copy_only=False).astype(np.int64),
        np.maximum(micros.to_numpy(zero_copy_only=False) // 1000, 0),
        np.ascontiguousarray(step.to_numpy(zero_copy_only=False), dtype=np.int64),
        finite,
        is_nan,
    )


def storable_value(value: float) -> float:
    """One value as MLflow stores it (`SqlAlchemyStore.sanitize_metric_value`).

    NaN is 0, infinities are the largest float.
    """
    return 0.0 if value != value else max(-LARGEST, min(LARGEST, value))


def as_points(native: NativePoints, keys: Sequence[str], first_seq: int) -> pa.RecordBatch:
    """Rows that MLflow itself logged, as `tables.POINTS`; `keys` are ours, by code."""
    value = np.where(native.is_nan, np.nan, native.value)
    value = np.where(value >= LARGEST, np.inf, np.where(value <= -LARGEST, -np.inf, value))
    rows = len(native)
    columns = {
        "key": pa.DictionaryArray.from_arrays(
            pa.array(native.codes, pa.int32()), pa.array(keys, pa.string())
        ).cast(KEY),
        "step": pa.array(native.step, pa.int64()),
        "step_frac": pa.nulls(rows, pa.int32()),
        "time": pa.array(native.timestamp * 1000, pa.int64()).cast(TIME),
        "time_ns": pa.nulls(rows, pa.int16()),
        "value": pa.array(value, pa.float64()),  # from_pandas is off: a NaN stays one
        "value_i64": pa.nulls(rows, pa.int64()),
        "kind": pa.DictionaryArray.from_arrays(
            pa.array(np.zeros(rows, np.int8)), pa.array(["float64"])
        ),
        "seq": pa.array(np.arange(first_seq, first_seq + rows, dtype=np.int64)),
    }
    return pa.RecordBatch.from_arrays([columns[name] for name in POINTS.names], schema=POINTS)


def _seed(key: str) -> int:
    digest = hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little")


def _mix(hashed: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finalizer of splitmix64 (Steele, Lea and Flood, 2014): every bit depends on all."""
    hashed = hashed + np.uint64(0x9E3779B97F4A7C15)
    hashed = (hashed ^ (hashed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    hashed = (hashed ^ (hashed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return hashed ^ (hashed >> np.uint64(31))

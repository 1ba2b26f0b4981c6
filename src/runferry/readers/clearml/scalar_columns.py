"""Scalars as most of them are, collected by the column: a number, an iteration, a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from runferry.chunks import Chunk, Points
from runferry.dialects.clearml.names import SCALAR, SINGLE_ITERATION, Event
from runferry.ports import BATCH_ROWS
from runferry.tables import POINTS, TIME, conform

_EXACT: Final = 2**53
_LEAST, _MOST = SINGLE_ITERATION + 1, 2**63 - 1
_MOST_MS: Final = 2**63 // 1_000_000


class ScalarColumns:
    """The rows of one batch, of series that have been declared."""

    def __init__(self) -> None:
        self.keys: dict[tuple[str, str], str] = {}  # by title and series
        self.avoided: set[str] = set()  # keys of which rows wait elsewhere
        self._held: set[str] = set()
        self._key: list[str] = []
        self._step: list[int] = []
        self._time: list[int | None] = []
        self._value: list[float] = []
        self._seq: list[int] = []

    @property
    def is_full(self) -> bool:
        """Whether it is to be drained."""
        return len(self._key) >= BATCH_ROWS

    def holds(self, key: str) -> bool:
        """Whether rows of this key wait here."""
        return key in self._held

    def take(self, event: Event, seq: int) -> bool:
        """Whether it took the event: any other one is for somebody who looks closer."""
        if event.get("type") != SCALAR:
            return False
        value, step, time = event.get("value"), event.get("iter"), event.get("timestamp")
        title, series = event.get("metric"), event.get("variant")
        if type(title) is not str or type(series) is not str:
            return False
        key = self.keys.get((title, series))
        if key is None or key in self.avoided:
            return False
        if type(step) is not int or not _LEAST <= step <= _MOST:
            return False
        if type(value) is not float and (type(value) is not int or not -_EXACT < value < _EXACT):
            return False
        if time is not None and (type(time) is not int or not -_MOST_MS < time < _MOST_MS):
            return False
        self._held.add(key)
        self._key.append(key)
        self._step.append(step)
        self._time.append(time)
        self._value.append(value)
        self._seq.append(seq)
        return True

    def drain(self) -> Iterator[Chunk]:
        """What was collected; nothing is held afterwards."""
        if not self._key:
            return
        kinds = pa.array([type(value) is int for value in self._value])
        millis = pa.array(self._time, pa.int64())
        columns = {
            "key": pa.array(self._key, pa.string()).dictionary_encode(),
            "step": pa.array(self._step, pa.int64()),
            "time": pc.multiply(millis, 1000).cast(TIME),
            "time_ns": pc.if_else(millis.is_valid(), pa.scalar(0, pa.int16()), None),
            "value": pa.array(self._value, pa.float64(), from_pandas=False),
            "kind": pc.if_else(kinds, "int", "float64").cast(POINTS.field("kind").type),
            "seq": pa.array(self._seq, pa.int64()),
        }
        self._held.clear()
        self._key, self._step, self._time, self._value, self._seq = [], [], [], [], []
        yield Points(conform(pa.RecordBatch.from_pydict(columns), POINTS))

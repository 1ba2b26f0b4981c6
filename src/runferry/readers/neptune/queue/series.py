"""Values of series from a queue, collected into batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pyarrow as pa

from runferry import chunks
from runferry.dialects.neptune.names import console_of, stream_named, stream_of
from runferry.losses import Fate, Loss, LossLedger
from runferry.model import Address, DataKind, KeyPath, Series, Tree
from runferry.ports import BATCH_ROWS
from runferry.readers.declared import Declared
from runferry.readers.neptune.addressed import console_batch, points_batch, texts_batch
from runferry.readers.neptune.logged import float_steps, second_times
from runferry.readers.neptune.queue.bursts import Burst
from runferry.readers.neptune.queue.logged_values import (
    Picture,
    columns_of,
    number_of,
    picture_of,
    text_of_line,
)
from runferry.readers.neptune.queue.logs import Operation

_KINDS: Final[dict[str, DataKind]] = {
    "LogFloats": "scalar",
    "LogStrings": "text",
    "LogImages": "media",
}
_BYTES_AT_ONCE: Final = 8 << 20  # of texts


@dataclass
class _Rows:
    """Values of one kind, side by side with their addresses."""

    keys: list[str] = field(default_factory=list)
    steps: list[float | None] = field(default_factory=list)
    times: list[float | None] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    values: list[float | str] = field(default_factory=list)
    length: int = 0  # characters of texts


@dataclass
class QueueSeries:
    """The series of a container; `seq`, `lines` and `consoles` go on where a cursor says."""

    declared: Declared
    seq: int = 0
    lines: int = 0
    consoles: dict[str, Tree] = field(default_factory=dict)
    """For each stream of the console the attribute that is it."""
    losses: LossLedger = field(default_factory=LossLedger)
    _floats: _Rows = field(default_factory=_Rows)
    _texts: _Rows = field(default_factory=_Rows)
    _console: dict[str, _Rows] = field(default_factory=dict)
    _new: list[Series] = field(default_factory=list)

    def takes(self, kind: str) -> bool:
        """Whether operations of this kind log values."""
        return kind in _KINDS

    def add(self, operation: Operation) -> Iterator[chunks.Chunk]:
        """The values of one operation; gives what became full by it. Raises Unreplayable."""
        found, steps, times = columns_of(operation.fields.get("values"))
        if operation.kind == "LogImages":
            pictures = [picture_of(value) for value in found]
            yield from self._images(self._key(operation.path, "media"), pictures, steps, times)
            self.seq += len(found)
            return
        is_floats = operation.kind == "LogFloats"
        values = [number_of(one) if is_floats else text_of_line(one) for one in found]
        stream = self._stream(operation, steps)
        if stream is not None:
            _extend(
                self._console.setdefault(stream, _Rows()),
                [""] * len(values),
                values,
                steps,
                times,
                0,
            )
        else:
            rows = self._floats if is_floats else self._texts
            key = self._key(operation.path, _KINDS[operation.kind])
            _extend(rows, [key] * len(values), values, steps, times, self.seq)
            self.seq += len(values)
        yield from self._full()

    def add_burst(self, burst: Burst) -> Iterator[chunks.Chunk]:
        """The numbers of many operations; gives what became full by them."""
        keys = {text: self._key(path, "scalar") for text, path in burst.names.items()}
        columns = burst.columns()
        _extend(self._floats, [keys[text] for text in burst.paths], *columns, self.seq)
        self.seq += len(burst)
        yield from self._full()

    def _full(self) -> Iterator[chunks.Chunk]:
        held = (self._floats, self._texts, *self._console.values())
        if any(len(rows.keys) >= BATCH_ROWS or rows.length >= _BYTES_AT_ONCE for rows in held):
            yield from self.drain()

    def _key(self, path: KeyPath, kind: DataKind) -> str:
        stream = stream_of(path)
        key = self.declared.keys.key(path, stream)
        series = self.declared.missing(key, path, stream, kind)
        if series is not None:
            self._new.append(series)
        return key

    def _stream(self, operation: Operation, steps: list[float | None]) -> str | None:
        """The stream of the console that these lines are, if they are: one attribute for each."""
        stream = console_of(operation.path)
        is_lines = operation.kind == "LogStrings" and all(step is None for step in steps)
        if stream is None or not is_lines:
            return None
        owner = self.consoles.setdefault(stream, list[Tree](operation.path))
        return stream if owner == list(operation.path) else None

    def _images(
        self,
        key: str,
        pictures: list[Picture],
        steps: list[float | None],
        times: list[float | None],
    ) -> Iterator[chunks.Chunk]:
        step, fraction = self._steps(steps)
        micros, below = self._times(times)
        micros = micros.cast(pa.int64())
        items = []
        for row, picture in enumerate(pictures):
            time_us = micros[row].as_py()
            time_ns = None if time_us is None else time_us * 1000 + (below[row].as_py() or 0)
            at = Address(self.seq + row, step[row].as_py(), fraction[row].as_py(), time_ns)
            items.append(picture.item(key, at))
        if self._new:
            yield chunks.SeriesFacts(tuple(self._new))
            self._new = []
        if items:
            yield chunks.Media(tuple(items))

    # --- batches

    def drain(self) -> Iterator[chunks.Chunk]:
        """All that was collected; nothing is held afterwards."""
        if self._new:
            yield chunks.SeriesFacts(tuple(self._new))
        for part in _cut(self._floats):
            values = pa.array(part.values, pa.float64(), from_pandas=False)
            yield chunks.Points(points_batch(self._address(part), values))
        for part in _cut(self._texts):
            yield chunks.Texts(texts_batch(self._address(part), pa.array(part.values, pa.string())))
        for stream, rows in self._console.items():
            for part in _cut(rows):
                yield from self._lines_of(stream, part)
        self._floats, self._texts, self._console, self._new = _Rows(), _Rows(), {}, []

    def _lines_of(self, stream: str, part: _Rows) -> Iterator[chunks.Chunk]:
        lines = pa.array(part.values, pa.string())
        micros, _ = self._times(part.times)
        name = stream_named(stream)
        yield chunks.Console(console_batch(micros, lines, name, self.lines))
        self.lines += len(lines)

    def _address(self, rows: _Rows) -> dict[str, pa.Array]:
        step, fraction = self._steps(rows.steps)
        micros, below = self._times(rows.times)
        return {
            "key": pa.array(rows.keys, pa.string()).dictionary_encode(),
            "step": step,
            "step_frac": fraction,
            "time": micros,
            "time_ns": below,
            "seq": pa.array(np.array(rows.numbers, np.int64)),
        }

    def _steps(self, steps: list[float | None]) -> tuple[pa.Array, pa.Array]:
        step, fraction, rounded, unusable = float_steps(steps)
        why = "steps are kept to six places, as Neptune keeps them"
        self.losses.add(Loss("rounded-step", Fate.ROUNDED, "", rounded, why))
        why = "a step that is no number of Neptune's; the value is kept without it"
        self.losses.add(Loss("bad-step", Fate.DROPPED, "", unusable, why))
        return step, fraction

    def _times(self, times: list[float | None]) -> tuple[pa.Array, pa.Array]:
        micros, below, unusable = second_times(times)
        why = "a time that is none; the value is kept without it"
        self.losses.add(Loss("bad-time", Fate.DROPPED, "", unusable, why))
        return micros, below


def _extend(
    rows: _Rows,
    keys: list[str],
    values: Sequence[float | str],
    steps: list[float | None],
    times: list[float | None],
    seq: int,
) -> None:
    rows.keys.extend(keys)
    rows.steps.extend(steps)
    rows.times.extend(times)
    rows.numbers.extend(range(seq, seq + len(values)))
    rows.values.extend(values)
    rows.length += sum(len(value) for value in values if isinstance(value, str))


def _cut(rows: _Rows) -> Iterator[_Rows]:
    """The rows in pieces that are no longer than a batch may be."""
    for begin in range(0, len(rows.keys), BATCH_ROWS):
        end = begin + BATCH_ROWS
        yield _Rows(
            rows.keys[begin:end],
            rows.steps[begin:end],
            rows.times[begin:end],
            rows.numbers[begin:end],
            rows.values[begin:end],
        )

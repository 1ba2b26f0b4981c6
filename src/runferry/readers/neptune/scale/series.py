"""Values of series from snapshots, collected into batches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pyarrow as pa

from runferry import chunks
from runferry.dialects.neptune.names import console_of, lacks_ends, path_of, stream_named, stream_of
from runferry.dialects.neptune.schema import COUNTING, DENSITY
from runferry.dialects.neptune.steps import MILLION, split_steps
from runferry.losses import Fate, Loss, LossLedger
from runferry.model import Address, DataKind, KeyPath, MediaItem, Series, Stream, Tree
from runferry.ports import BATCH_ROWS
from runferry.readers.declared import Declared
from runferry.readers.neptune.addressed import (
    console_batch,
    histograms_batch,
    points_batch,
    texts_batch,
)
from runferry.readers.neptune.logged import time_columns
from runferry.readers.neptune.media import kind_of
from runferry.readers.neptune.scale.uploads import Uploads
from runferry.readers.neptune.scale.wire import FileRef, Histogram, Snapshot, Value

_BYTES_AT_ONCE: Final = 8 << 20  # of texts, and of bins
_PREVIEW: Final = "(preview)"
_COMPLETION: Final = "(preview completion)"
_HISTOGRAMS: Final = pa.struct(
    [
        ("type", pa.string()),
        ("edges", pa.list_(pa.float64())),
        ("values", pa.list_(pa.float64())),
    ]
)
_NONE: Final = np.iinfo(np.int64).min


@dataclass
class _Rows:
    keys: list[str] = field(default_factory=list)
    micros: list[int] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    values: list[object] = field(default_factory=list)
    length: int = 0

    def add(self, key: str, at: Snapshot, seq: int, value: object, length: int = 0) -> None:
        """One value more."""
        self.keys.append(key)
        self.micros.append(_NONE if at.micros is None else at.micros)
        self.times.append(_NONE if at.time_ns is None else at.time_ns)
        self.numbers.append(seq)
        self.values.append(value)
        self.length += length


@dataclass
class ScaleSeries:
    """The series of a run; `consoles` and `lines` go on where a cursor says."""

    declared: Declared
    consoles: dict[str, Tree] = field(default_factory=dict)
    """For each stream of the console: its attribute, the first step and the last in millionths."""
    lines: int = 0
    losses: LossLedger = field(default_factory=LossLedger)
    _floats: _Rows = field(default_factory=_Rows)
    _texts: _Rows = field(default_factory=_Rows)
    _bins: _Rows = field(default_factory=_Rows)
    _console: dict[str, _Rows] = field(default_factory=dict)
    _new: list[Series] = field(default_factory=list)
    _keys: dict[str, str] = field(default_factory=dict)
    """Of series of numbers that have been declared, by path."""

    def add(self, snapshot: Snapshot, seq: int, uploads: Uploads) -> Iterator[chunks.Chunk]:
        """What was logged in one call; gives what became full by it."""
        for name, value in snapshot.appended:
            if isinstance(value, float) and snapshot.preview is None and name in self._keys:
                self._floats.add(self._keys[name], snapshot, seq, value)
                continue
            path = path_of(name)
            if snapshot.preview is not None:
                ratio = self._key((*path, _COMPLETION), "scalar")
                self._floats.add(ratio, snapshot, seq, snapshot.preview)
                path = (*path, _PREVIEW)
                why = "values that were to be replaced later: series of their own"
                self.losses.add(Loss("preview", Fate.RENAMED, name, 1, why))
            yield from self._value(path, snapshot, seq, value, uploads)
        if any(len(one.keys) >= BATCH_ROWS or one.length >= _BYTES_AT_ONCE for one in self._held):
            yield from self.drain()

    @property
    def _held(self) -> tuple[_Rows, ...]:
        return (self._floats, self._texts, self._bins, *self._console.values())

    def _value(
        self, path: KeyPath, at: Snapshot, seq: int, value: Value, uploads: Uploads
    ) -> Iterator[chunks.Chunk]:
        match value:
            case bool():
                self._strange(path, at, seq, value)
            case float() | int():
                key = self._keys["/".join(path)] = self._key(path, "scalar")
                self._floats.add(key, at, seq, float(value))
            case str():
                if not self._line(path, at, seq, value):
                    self._texts.add(self._key(path, "text"), at, seq, value, len(value))
            case Histogram(edges, values, is_counting):
                kind = COUNTING if is_counting else DENSITY
                bins = {"type": kind, "edges": edges, "values": values}
                self._bins.add(self._key(path, "histogram"), at, seq, bins, 16 * len(edges))
            case FileRef():
                yield from self._file(path, at, seq, value, uploads)
            case _:
                self._strange(path, at, seq, value)

    def _key(self, path: KeyPath, kind: DataKind) -> str:
        stream: Stream = stream_of(path)
        key = self.declared.keys.key(path, stream)
        series = self.declared.missing(key, path, stream, kind)
        if series is not None:
            self._new.append(series)
        return key

    def _strange(self, path: KeyPath, at: Snapshot, seq: int, value: Value) -> None:
        """A value that no series of Neptune's has: kept as its text."""
        self._texts.add(self._key(path, "text"), at, seq, repr(value))
        why = "a value that no series holds is a text"
        self.losses.add(Loss("odd-value", Fate.REENCODED, "/".join(path), 1, why))

    def _line(self, path: KeyPath, at: Snapshot, seq: int, value: str) -> bool:
        """Whether this is the next line of the console.

        The client counts them in millionths of a step, so that steps say no more than their order.
        """
        stream = console_of(path)
        if stream is None or at.micros is None or not lacks_ends(path):
            return False
        name = "/".join(path)
        match self.consoles.get(stream):
            case None:
                self.consoles[stream] = [name, at.micros, at.micros]
            case [owner, first, int(last)] if owner == name and at.micros == last + 1:
                self.consoles[stream] = [name, first, at.micros]
            case _:
                return False
        self._console.setdefault(stream, _Rows()).add("", at, seq, value, len(value))
        return True

    def _file(
        self, path: KeyPath, at: Snapshot, seq: int, value: FileRef, uploads: Uploads
    ) -> Iterator[chunks.Chunk]:
        key = self._key(path, "media")
        if self._new:
            yield chunks.SeriesFacts(tuple(self._new))
            self._new = []
        whole, millionths = divmod(at.micros, MILLION) if at.micros is not None else (None, 0)
        address = Address(seq, whole, millionths or None, at.time_ns)
        blob = uploads.blob(value, "/".join(path))
        yield chunks.Media(
            (MediaItem(key, address, kind_of(value.mime_type), blob, path=value.path),)
        )

    # --- batches

    def drain(self) -> Iterator[chunks.Chunk]:
        """All that was collected; nothing is held afterwards."""
        if self._new:
            yield chunks.SeriesFacts(tuple(self._new))
        for part in _cut(self._floats):
            values = pa.array(part.values, pa.float64(), from_pandas=False)
            yield chunks.Points(points_batch(_address(part), values))
        for part in _cut(self._texts):
            yield chunks.Texts(texts_batch(_address(part), pa.array(part.values, pa.string())))
        for part in _cut(self._bins):
            bins = pa.array(part.values, _HISTOGRAMS)
            yield chunks.Histograms(histograms_batch(_address(part), bins))
        for stream, rows in self._console.items():
            for part in _cut(rows):
                micros, below = _times(part)
                del below  # the client stamps lines in microseconds
                lines = pa.array(part.values, pa.string())
                name = stream_named(stream)
                batch = console_batch(micros, lines, name, self.lines, add_ends=True)
                yield chunks.Console(batch)
                self.lines += len(lines)
        self._floats, self._texts, self._bins = _Rows(), _Rows(), _Rows()
        self._console, self._new = {}, []

    def facts(self) -> Iterator[tuple[KeyPath, Tree]]:
        """Where the lines of the console come from, so that they can be put back."""
        for stream, told in self.consoles.items():
            match told:
                case [name, int(first), _]:
                    places: dict[str, Tree] = {
                        "attribute": name,
                        "first step": first / MILLION,
                        "stride": 1 / MILLION,
                        "line ends added": True,
                    }
                    yield ("neptune", "console", stream), places


def _address(rows: _Rows) -> dict[str, pa.Array]:
    micros = np.array(rows.micros, np.int64)
    present = micros != _NONE
    step, fraction = split_steps(np.where(present, micros, 0), present)
    time, time_ns = _times(rows)
    return {
        "key": pa.array(rows.keys, pa.string()).dictionary_encode(),
        "step": step,
        "step_frac": fraction,
        "time": time,
        "time_ns": time_ns,
        "seq": pa.array(np.array(rows.numbers, np.int64)),
    }


def _times(rows: _Rows) -> tuple[pa.Array, pa.Array]:
    times = np.array(rows.times, np.int64)
    return time_columns(np.where(times == _NONE, 0, times), times != _NONE)


def _cut(rows: _Rows) -> Iterator[_Rows]:
    """The rows in pieces that are no longer than a batch may be."""
    for begin in range(0, len(rows.keys), BATCH_ROWS):
        end = begin + BATCH_ROWS
        yield _Rows(
            rows.keys[begin:end],
            rows.micros[begin:end],
            rows.times[begin:end],
            rows.numbers[begin:end],
            rows.values[begin:end],
        )

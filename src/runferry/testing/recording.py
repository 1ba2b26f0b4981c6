"""Records a run by hand: the shortest way from values to the chunks that a reader would yield."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Self, TypeAlias, TypeVar

import pyarrow as pa

from runferry import chunks, tables
from runferry.model import (
    Address,
    Attribute,
    DataKind,
    KeyPath,
    MediaItem,
    Role,
    Run,
    Series,
    SeriesKeys,
    Stream,
    Tree,
)


@dataclass(frozen=True, slots=True)
class Float32:
    """A number that the source held in four bytes."""

    value: float


@dataclass(frozen=True, slots=True)
class Histogram:
    """Edges and counts; integer counts are told from floating ones by their type."""

    edges: tuple[float, ...]
    counts: tuple[int, ...] | tuple[float, ...]
    extra: str | None = None


Logged: TypeAlias = "bool | int | float | Float32 | str | list[Tree] | dict[str, Tree] | Histogram | MediaItem | tuple[MediaItem, ...] | None"  # noqa: E501
"""What can be logged under a key: a scalar, a text, a JSON value, a histogram, media."""

Name = TypeVar("Name", bound="str | KeyPath")
"""A one-element path, or a path."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One recorded run: its header, and its chunks in source order."""

    run: Run
    chunks: tuple[chunks.Chunk, ...]


def point_row(value: bool | int | float | Float32 | None) -> tuple[float | None, int | None, str]:
    """A number as the columns value, value_i64 and kind."""
    match value:
        case None:
            return None, None, "null"
        case bool():
            return float(value), None, "bool"
        case int():
            near = float(value)
            return near, None if int(near) == value else value, "int"
        case Float32(value=number):
            return number, None, "float32"
        case _:
            return value, None, "float64"


def _address_columns(keys: list[str], at: list[Address]) -> list[pa.Array]:
    times = [None if a.time_ns is None else a.time_ns // 1000 for a in at]
    # a whole number of microseconds says nothing about nanoseconds; Address cannot tell either
    below = [None if a.time_ns is None else a.time_ns % 1000 or None for a in at]
    return [
        pa.array(keys, pa.string()).dictionary_encode(),
        pa.array([a.step for a in at], pa.int64()),
        pa.array([a.step_frac for a in at], pa.int32()),
        pa.array(times, pa.int64()).cast(tables.TIME),
        pa.array(below, pa.int16()),
    ]


@dataclass
class _Rows:
    """Rows of one table that wait to become a batch."""

    schema: pa.Schema
    keys: list[str] = field(default_factory=list)
    at: list[Address] = field(default_factory=list)
    cells: list[tuple[object, ...]] = field(default_factory=list)

    def add(self, key: str, at: Address, *cells: object) -> None:
        self.keys.append(key)
        self.at.append(at)
        self.cells.append(cells)

    def take(self) -> pa.RecordBatch | None:
        """The rows as a batch, and none left; None when there were none."""
        if not self.cells:
            return None
        own = [column for column in self.schema if column.name not in _ADDRESS]
        columns = _address_columns(self.keys, self.at)
        for index, column in enumerate(own):
            plain = column.type
            if pa.types.is_dictionary(plain):
                plain = plain.value_type
            cells = pa.array([row[index] for row in self.cells], plain)
            columns.append(cells.cast(column.type) if plain != column.type else cells)
        columns.append(pa.array([a.seq for a in self.at], pa.int64()))
        self.keys, self.at, self.cells = [], [], []
        return pa.RecordBatch.from_arrays(columns, schema=self.schema)


_ADDRESS = frozenset({"key", "step", "step_frac", "time", "time_ns", "seq"})


class Recording:
    """A run as it is logged. `log` is one source row; `flush` and `checkpoint` cut the chunks."""

    def __init__(self, run: Run, *, first_seq: int = 0, known: tuple[Series, ...] = ()) -> None:
        self.run = run
        self._chunks: list[chunks.Chunk] = []
        self._keys = SeriesKeys(known)
        self._declared = {(s.stream, s.path): s for s in known}
        self._undeclared: list[Series] = []
        self._points = _Rows(tables.POINTS)
        self._texts = _Rows(tables.TEXTS)
        self._histograms = _Rows(tables.HISTOGRAMS)
        self._media: list[MediaItem] = []
        self._seq = first_seq

    def series(
        self, path: KeyPath, kind: DataKind = "scalar", stream: Stream = "user", **facts: object
    ) -> str:
        """Declare a series once, with what is known of it; returns its key."""
        known = self._declared.get((stream, path))
        if known is None:
            key = self._keys.key(path, stream)
            known = replace(Series(key, path, stream, kind), **facts)  # type: ignore[arg-type]
            self._declared[(stream, path)] = known
            self._undeclared.append(known)
        return known.key

    def log(
        self,
        values: Mapping[Name, Logged],
        *,
        step: int | None = None,
        step_frac: int | None = None,
        time_ns: int | None = None,
        stream: Stream = "user",
    ) -> Self:
        """Log one row: its values share `seq`, step and time."""
        at = Address(self._seq, step, step_frac, time_ns)
        self._seq += 1
        for name, value in values.items():
            self._cell((name,) if isinstance(name, str) else name, value, at, stream)
        return self

    def _cell(self, path: KeyPath, value: Logged, at: Address, stream: Stream) -> None:
        match value:
            case str():
                self._texts.add(self.series(path, "text", stream), at, value, "text")
            case list() | dict():
                json = tables.dumps(value)
                self._texts.add(self.series(path, "text", stream), at, json, "json")
            case int() if not isinstance(value, bool) and not -(2**63) <= value < 2**63:
                self._texts.add(self.series(path, "text", stream), at, str(value), "json")
            case Histogram():
                kind = "int" if all(isinstance(n, int) for n in value.counts) else "float64"
                counts = [float(count) for count in value.counts]
                key = self.series(path, "histogram", stream)
                self._histograms.add(key, at, list(value.edges), counts, kind, value.extra)
            case MediaItem() | tuple():
                items = (value,) if isinstance(value, MediaItem) else value
                key = self.series(path, "media", stream)
                self._media += [
                    replace(item, key=key, at=at, index=index) for index, item in enumerate(items)
                ]
            case _:
                self._points.add(self.series(path, "scalar", stream), at, *point_row(value))

    def attributes(self, role: Role, values: Mapping[Name, Tree]) -> Self:
        """State attributes of one role."""
        items = tuple(
            Attribute((path,) if isinstance(path, str) else path, role, value)
            for path, value in values.items()
        )
        return self.put(chunks.Attributes(items))

    def console(self, lines: Iterable[tuple[str, str, int | None]]) -> Self:
        """Print lines: (stream, line with its end, time in ns)."""
        rows = list(lines)
        at = [Address(index, time_ns=time) for index, (_, _, time) in enumerate(rows, self._seq)]
        self._seq += len(rows)
        address = _address_columns([""] * len(rows), at)
        stream_type = tables.CONSOLE.field("stream").type
        return self.put(
            chunks.Console(
                pa.RecordBatch.from_arrays(
                    [
                        address[3],
                        address[4],
                        pa.array([stream for stream, _, _ in rows]).cast(stream_type),
                        pa.array([line for _, line, _ in rows], pa.string()),
                        pa.array([a.seq for a in at], pa.int64()),
                    ],
                    schema=tables.CONSOLE,
                )
            )
        )

    def put(self, chunk: chunks.Chunk) -> Self:
        """Add any other chunk as it is, after the rows logged so far."""
        self.flush()
        self._chunks.append(chunk)
        return self

    def flush(self) -> Self:
        """End the batches here."""
        if self._undeclared:
            self._chunks.append(chunks.SeriesFacts(tuple(self._undeclared)))
            self._undeclared = []
        if (batch := self._points.take()) is not None:
            self._chunks.append(chunks.Points(batch))
        if (batch := self._texts.take()) is not None:
            self._chunks.append(chunks.Texts(batch))
        if (batch := self._histograms.take()) is not None:
            self._chunks.append(chunks.Histograms(batch))
        if self._media:
            self._chunks.append(chunks.Media(tuple(self._media)))
            self._media = []
        return self

    def checkpoint(self) -> Self:
        """A place to continue from; the reader that plays this back fills in the position."""
        return self.put(chunks.Checkpoint(None))

    def sample(self) -> Sample:
        """The recorded run, ending as a reader's does: the last header, and a checkpoint."""
        self.put(chunks.Header(self.run)).checkpoint()
        return Sample(self.run, tuple(self._chunks))

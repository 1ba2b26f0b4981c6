"""The layout before 0.10: rows as JSON lines, one file for history and one for system metrics."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from runferry import chunks, tables
from runferry.losses import Fate, Loss
from runferry.model import Address, DataKind, KeyPath, Series, Stream, Tree
from runferry.ports import BATCH_ROWS
from runferry.readers.wandb.rows import Declared
from runferry.readers.wandb.times import seconds_ns
from runferry.readers.wandb.trees import leaves, parse_json
from runferry.readers.wandb.values import ValueRows, address_columns

_LINE_AT_MOST = 256 << 20
_SYSTEM = "system."  # what these files put before the names of machine metrics


@dataclass
class _Batch:
    """Scalars of one batch in the making."""

    keys: list[str] = field(default_factory=list)
    addresses: list[Address] = field(default_factory=list)
    values: list[float | None] = field(default_factory=list)
    exact: list[int | None] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)

    def record_batch(self) -> pa.RecordBatch:
        columns = address_columns(self.keys, self.addresses)
        columns["value"] = pa.array(self.values, pa.float64(), from_pandas=False)
        columns["value_i64"] = pa.array(self.exact, pa.int64())
        kind_type = tables.POINTS.field("kind").type
        columns["kind"] = pa.array(self.kinds, pa.string()).cast(kind_type)
        return tables.conform(pa.RecordBatch.from_pydict(columns), tables.POINTS)


@dataclass
class JsonLines:
    """Reads one file from `offset`, `line` lines having been read before."""

    path: Path
    stream: Stream
    declared: Declared
    files: Path | None
    claim: Callable[[Iterator[str]], None]
    offset: int = 0
    line: int = 0
    unfinished: int = 0  # bytes of a last line that is cut, or still being written

    def __post_init__(self) -> None:
        self._points = _Batch()
        self._values = ValueRows(self.files)
        self._new: list[Series] = []

    def rows(self) -> Iterator[chunks.Chunk]:
        """Rows in source order; a line that is no JSON is a loss with its number."""
        with self.path.open("rb") as stream:
            stream.seek(self.offset)
            for text in self._lines(stream):
                if len(text) < _LINE_AT_MOST:
                    yield from self._line(text)
                else:
                    yield self._too_long()
                if len(self._points.keys) >= BATCH_ROWS // 2 or self._values.is_full:
                    yield from self._drain()
        yield from self._drain()

    def _lines(self, stream: BinaryIO) -> Iterator[bytes]:
        """Whole lines, of one that is too long the beginning.

        The last one may lack its end while it is being written: then it is for a later read.
        """
        while text := stream.readline(_LINE_AT_MOST):
            length, ending = len(text), text
            while not ending.endswith(b"\n") and (ending := stream.readline(_LINE_AT_MOST)):
                length += len(ending)
            if not ending and (length >= _LINE_AT_MOST or not _is_json(text)):
                self.unfinished = length
                return
            self.offset += length
            yield text

    def _too_long(self) -> chunks.Lost:
        self.line += 1
        where, detail = (
            f"{self.path.name}:{self.line}",
            f"a line of {_LINE_AT_MOST:,} bytes or more",
        )
        return chunks.Lost(Loss("long-line", Fate.DROPPED, where, 1, detail))

    def _line(self, text: bytes) -> Iterator[chunks.Chunk]:
        number = self.line
        self.line += 1
        if not text.strip():
            return
        try:
            row = parse_json(text.decode("utf-8"))
            if not isinstance(row, dict):
                raise ValueError("no mapping")
        except ValueError as error:
            where = f"{self.path.name}:{number + 1}"
            yield chunks.Lost(Loss("bad-json", Fate.DROPPED, where, 1, f"not read: {error}"))
            return
        for path, value in leaves(dict(self._addressed(row, number))):
            self._value(path, value)
            if len(self._points.keys) >= BATCH_ROWS:
                yield from self._drain()

    def _addressed(self, row: dict[str, Tree], number: int) -> Iterator[tuple[str, Tree]]:
        """Takes step and time out of the row; a history row without a step has its number."""
        is_user = self.stream == "user"
        step: int | None = number if is_user else None
        time_ns: int | None = None
        rest: list[tuple[str, Tree]] = []
        address: list[tuple[str, Tree]] = []
        for name, value in row.items():
            if name == "_step" and is_user and (found := _step(value)) is not None:
                step = found
                address.append((name, value))
            elif name == "_timestamp" and (found := seconds_ns(value)) is not None:
                time_ns = found
                address.append((name, value))
            else:
                rest.append((name, value))
        if is_user and not rest:
            rest = address  # a row of nothing but its address would otherwise leave no trace
        # user and system rows are numbered apart: the same number would say "logged together"
        self._at = Address(2 * number + (not is_user), step, None, time_ns)
        return iter(rest)

    def _value(self, path: KeyPath, value: Tree) -> None:
        if self.stream == "system":
            path = (path[0].removeprefix(_SYSTEM), *path[1:])
        key = self.declared.keys.key(path, self.stream)
        scalar = _scalar(value)
        kind: DataKind = "scalar"
        if scalar is not None:
            points = self._points
            points.keys.append(key)
            points.addresses.append(self._at)
            points.values.append(scalar[0])
            points.exact.append(scalar[1])
            points.kinds.append(scalar[2])
        else:
            kind = self._values.add_value(key, self._at, value, json.dumps(value))
        series = self.declared.missing(key, path, self.stream, kind)
        if series is not None:
            self._new.append(series)

    def _drain(self) -> Iterator[chunks.Chunk]:
        if self._new:
            yield chunks.SeriesFacts(tuple(self._new))
            self._new = []
        if self._points.keys:
            yield chunks.Points(self._points.record_batch())
            self._points = _Batch()
        self.claim(item.path for item in self._values.media if item.path is not None)
        yield from self._values.drain()


def _scalar(value: Tree) -> tuple[float | None, int | None, str] | None:
    """A point's value, exact integer and kind; None for what is no scalar."""
    if value is None:
        return None, None, "null"
    if isinstance(value, bool):
        return float(value), None, "bool"
    if isinstance(value, float):
        return value, None, "float64"
    if isinstance(value, int) and -(2**63) <= value < 2**63:
        return float(value), (None if int(float(value)) == value else value), "int"
    return None


def _step(value: Tree) -> int | None:
    """A whole number that 64 bits hold, however it is written."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if -(2**63) <= value < 2**63 else None


def _is_json(text: bytes) -> bool:
    try:
        parse_json(text.decode("utf-8"))
    except ValueError:
        return False
    return True

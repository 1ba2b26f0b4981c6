"""The layout before 0.10: rows as JSON lines, one file for history and one for system metrics."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from runferry import chunks
from runferry.dialects.times import seconds_ns
from runferry.losses import Fate, Loss
from runferry.model import Address, DataKind, KeyPath, Series, Stream, Tree
from runferry.ports import BATCH_ROWS
from runferry.readers.declared import Declared
from runferry.readers.lines import WholeLines, is_too_long, too_long
from runferry.readers.row_batches import PointRows, scalar_of, whole_step
from runferry.readers.wandb.trees import leaves, parse_json
from runferry.readers.wandb.values import ValueRows

_SYSTEM = "system."  # what these files put before the names of machine metrics


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
        self._points = PointRows()
        self._values = ValueRows(self.files)
        self._new: list[Series] = []

    def rows(self) -> Iterator[chunks.Chunk]:
        """Rows in source order; a line that is no JSON is a loss with its number."""
        with self.path.open("rb") as stream:
            lines = WholeLines(_is_json, self.offset)
            for text in lines.of(stream):
                self.offset = lines.offset
                if is_too_long(text):
                    yield self._too_long()
                else:
                    yield from self._line(text)
                if len(self._points.keys) >= BATCH_ROWS // 2 or self._values.is_full:
                    yield from self._drain()
            self.unfinished = lines.unfinished
        yield from self._drain()

    def _too_long(self) -> chunks.Lost:
        self.line += 1
        return chunks.Lost(too_long(f"{self.path.name}:{self.line}"))

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
            if name == "_step" and is_user and (found := whole_step(value)) is not None:
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
        scalar = scalar_of(value)
        kind: DataKind = "scalar"
        if scalar is not None:
            self._points.add(key, self._at, scalar)
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
            self._points = PointRows()
        self.claim(item.path for item in self._values.media if item.path is not None)
        yield from self._values.drain()


def _is_json(text: bytes) -> bool:
    try:
        parse_json(text.decode("utf-8"))
    except ValueError:
        return False
    return True

"""Rows that are JSON mappings, as the layout before 0.10 and the service have them, as chunks."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from runferry import chunks
from runferry.dialects.times import seconds_ns
from runferry.model import Address, DataKind, KeyPath, MediaItem, Series, Stream, Tree
from runferry.ports import BATCH_ROWS
from runferry.readers.declared import Declared
from runferry.readers.row_batches import PointRows, scalar_of, whole_step
from runferry.readers.wandb.trees import leaves
from runferry.readers.wandb.values import ValueRows

_SYSTEM = "system."  # what these rows put before the names of machine metrics


def _same(path: KeyPath) -> KeyPath:
    return path


@dataclass
class JsonRows:
    """Takes rows one by one; `drain` gives what was collected.

    `path_of` makes a series' path of the place of a value in its row; `text_of` spells lists.
    """

    stream: Stream
    declared: Declared
    files: Path | None
    claim: Callable[[Iterable[MediaItem]], None]
    path_of: Callable[[KeyPath], KeyPath] = _same
    text_of: Callable[[Tree], str] = json.dumps
    time_unit_ns: int = 1
    """To what times are cut: what lies below it came with a double of seconds."""

    def __post_init__(self) -> None:
        self._points = PointRows()
        self._values = ValueRows(self.files)
        self._new: list[Series] = []

    def add(self, row: dict[str, Tree], number: int) -> Iterator[chunks.Chunk]:
        """A row, the `number`th of its stream; gives chunks when enough have come together."""
        at, rest = self._addressed(row, number)
        for path, value in leaves(rest):
            self.add_value(path, at, value)
            if len(self._points.keys) >= BATCH_ROWS:
                yield from self.drain()
        if len(self._points.keys) >= BATCH_ROWS // 2 or self._values.is_full:
            yield from self.drain()

    @property
    def is_full(self) -> bool:
        """Whether `drain` should be called before more is added."""
        return self._values.is_full or len(self._points.keys) >= BATCH_ROWS // 2

    def seq(self, number: int) -> int:
        """User and system rows are numbered apart: equal numbers would say "logged together"."""
        return 2 * number + (self.stream == "system")

    def _addressed(self, row: dict[str, Tree], number: int) -> tuple[Address, dict[str, Tree]]:
        """Takes step and time out of the row; a history row without a step has its number."""
        is_user = self.stream == "user"
        step: int | None = number if is_user else None
        time_ns: int | None = None
        rest: dict[str, Tree] = {}
        address: dict[str, Tree] = {}
        for name, value in row.items():
            if name == "_step" and is_user and (found := whole_step(value)) is not None:
                step = found
                address[name] = value
            elif name == "_timestamp" and (found := seconds_ns(value)) is not None:
                time_ns = found - found % self.time_unit_ns
                address[name] = value
            else:
                rest[name] = value
        if is_user and not rest:
            rest = address  # a row of nothing but its address would otherwise leave no trace
        return Address(self.seq(number), step, None, time_ns), rest

    def add_value(self, path: KeyPath, at: Address, value: Tree) -> None:
        """One value; its series is declared with the next `drain`."""
        if self.stream == "system":
            path = (path[0].removeprefix(_SYSTEM), *path[1:])
        path = self.path_of(path)
        key = self.declared.keys.key(path, self.stream)
        scalar = scalar_of(value)
        kind: DataKind = "scalar"
        if scalar is not None:
            self._points.add(key, at, scalar)
        else:
            kind = self._values.add_value(key, at, value, self.text_of(value))
        self.declare(key, path, kind)

    def declare(self, key: str, path: KeyPath, kind: DataKind) -> None:
        """A series that has a value of this kind; stated with the next `drain`, if it is new."""
        series = self.declared.missing(key, path, self.stream, kind)
        if series is not None:
            self._new.append(series)

    def drain(self) -> Iterator[chunks.Chunk]:
        """All that was collected, each series declared before its rows."""
        if self._new:
            yield chunks.SeriesFacts(tuple(self._new))
            self._new = []
        if self._points.keys:
            yield chunks.Points(self._points.record_batch())
            self._points = PointRows()
        self.claim(self._values.media)
        yield from self._values.drain()

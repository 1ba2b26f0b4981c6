"""Rows of history, put together from what the client sends as wandb-core 0.31 does it.

`core/internal/stream/handler.go`: values gather in the row of the current step until the client
says that it is whole, or speaks of a later step; what speaks of an earlier one is ignored.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from typing import Final

from runferry.dialects.protobuf import field, integer, values
from runferry.live.replicas.go_json import number
from runferry.live.replicas.value_tree import Path, ValueTree, put_json
from runferry.live.replicas.wandb_metrics import Definitions
from runferry.live.replicas.wandb_summary import Summary

HISTORY: Final = 2
SUMMARY: Final = 3
METRIC: Final = 12
Record = tuple[int, bytes]
"""The number of a record's type, and its message."""
_NS: Final = 10**9


class History:
    """The rows of one run, with the summary that follows from them."""

    def __init__(self, *, is_core: bool = True) -> None:
        """Before 0.18 the service was in Python: it left numbers as they were spelled."""
        self._is_core = is_core
        self._row: ValueTree[str] = ValueTree()
        self._step: int | None = None
        self._definitions = Definitions()
        self._summary = Summary()
        self._started_ns = 0
        self._starting_step = 0
        self.is_shared = False  # several processes log to the run, and the server gives the steps

    @property
    def is_between_rows(self) -> bool:
        """Whether all values that were taken are in rows that are whole."""
        return not self._row

    def begin(self, time_ns: int, starting_step: int, runtime_seconds: int) -> None:
        """The run starts, or goes on."""
        self._started_ns = time_ns - runtime_seconds * _NS
        self._starting_step = starting_step

    def define(self, message: bytes) -> None:
        """A `MetricRecord`."""
        found = self._definitions.define(message)
        if found is not None:
            self._summary.configure(*found)

    def summarise(self, message: bytes) -> None:
        """A `SummaryRecord` of the user's."""
        for number_, content in values(message):
            if not isinstance(content, bytes) or number_ not in (1, 2):
                continue
            path, text = _item(content)
            if path and number_ == 1:
                with contextlib.suppress(ValueError):
                    self._summary.said(path, text)
            elif path:
                self._summary.removed(path)

    def take(self, message: bytes, time_ns: int) -> Iterator[Record]:
        """A `PartialHistoryRequest`: the rows that are whole by it."""
        items, step, flush = _request(message)
        if self._step is None:
            self._step = self._starting_step
        if self.is_shared:
            step, flush = None, flush is None or flush
        if step is not None and step > self._step:
            yield from self._flushed(time_ns, step)
        elif step is not None and step < self._step:
            return  # the client drops these, too
        for path, text in items:
            with contextlib.suppress(ValueError):  # wandb-core leaves out what is no JSON, too
                put_json(self._row, path, text, verbatim=not self._is_core)
        if step is None if flush is None else flush:
            yield from self._flushed(time_ns, self._step + 1)

    def end(self, time_ns: int) -> Iterator[Record]:
        """The run is over: what is left of its last row."""
        yield self._timing(time_ns)
        yield from self._flushed(time_ns, (self._step or 0) + 1)

    def seconds(self, time_ns: int) -> float:
        """How long the run lasts."""
        return max(time_ns - self._started_ns, 0) / _NS if self._started_ns else 0.0

    def _flushed(self, time_ns: int, following: int) -> Iterator[Record]:
        step, self._step = self._step or 0, following
        if not self._row:
            return
        row, self._row = self._row, ValueTree()
        row.set(("_runtime",), number(self.seconds(time_ns)))
        if not self.is_shared:
            row.set(("_step",), str(step))
        for path, definition in self._definitions.new_ones(row):
            self._summary.configure(path, definition)
        self._definitions.insert_steps(row)
        yield self._timing(time_ns)
        updates = self._summary.updates(row, nested=self._is_core or not self._definitions.are_any)
        if updates:
            yield SUMMARY, b"".join(_items(updates))
        stated = b"" if self.is_shared else field(2, integer(1, step))
        yield HISTORY, b"".join(_items(row.leaves())) + stated

    def _timing(self, time_ns: int) -> Record:
        seconds = str(int(self.seconds(time_ns)))
        timing = [(("_wandb", "runtime"), seconds), (("_runtime",), seconds)]
        for path, text in timing:
            self._summary.said(path, text)
        return SUMMARY, b"".join(_items(timing))


def _items(items: Iterable[tuple[Path, str]]) -> Iterator[bytes]:
    for path, text in items:
        nested = b"".join(field(2, label) for label in path)
        yield field(1, nested + field(16, text))


def _request(message: bytes) -> tuple[list[tuple[Path, str]], int | None, bool | None]:
    """Items, step, and whether the row is whole; None where the client does not say."""
    items, step, flush = [], None, None
    for number_, content in values(message):
        match number_, content:
            case 1, bytes():
                path, text = _item(content)
                if path:
                    items.append((path, text))
            case 2, bytes():
                step = _signed(dict(values(content)).get(1, 0))
            case 3, bytes():
                flush = bool(dict(values(content)).get(1, 0))
            case _:
                pass
    return items, step, flush


def _item(message: bytes) -> tuple[Path, str]:
    """Path and JSON of a `HistoryItem`, or a `SummaryItem`."""
    key, nested, text = "", list[str](), ""
    for number_, content in values(message):
        if isinstance(content, bytes):
            match number_:
                case 1:
                    key = content.decode()
                case 2:
                    nested.append(content.decode())
                case 16:
                    text = content.decode()
    return (tuple(nested) if nested else (key,) if key else ()), text


def _signed(value: int | bytes) -> int:
    assert isinstance(value, int)
    return value - (1 << 64) if value >= 1 << 63 else value

"""Rows that are mappings, as chunks: numbers become points, everything else texts."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator

from runferry import chunks
from runferry.model import Address, DataKind, KeyPath, Series, Stream, Tree
from runferry.ports import BATCH_ROWS
from runferry.readers.declared import Declared
from runferry.readers.row_batches import PointRows, TextRow, scalar_of, text_batch, whole_step

_MILLION = 1_000_000


class LoggedRows:
    """Collects rows and gives them as chunks; holds no more than one batch of each kind."""

    def __init__(self, known: tuple[Series, ...] = (), declared: Declared | None = None) -> None:
        """`known` was declared by an earlier read; `declared` is shared with whoever made it."""
        self._declared = declared or Declared.after(known)
        self._points = PointRows()
        self._texts: list[TextRow] = []
        self._new: list[Series] = []

    def add(
        self, at: Address, values: Iterable[tuple[KeyPath, Tree]], stream: Stream = "user"
    ) -> Iterator[chunks.Chunk]:
        """Take one row, or a part of one; gives what became full by it."""
        for path, value in values:
            self._value(at, path, value, stream)
            if max(len(self._points.keys), len(self._texts)) >= BATCH_ROWS:
                yield from self.drain()

    def _value(self, at: Address, path: KeyPath, value: Tree, stream: Stream) -> None:
        key = self._declared.keys.key(path, stream)
        scalar = scalar_of(value)
        kind: DataKind = "text"
        if scalar is not None:
            kind = "scalar"
            self._points.add(key, at, scalar)
        elif isinstance(value, str):
            self._texts.append((key, at, value, "text"))
        else:
            self._texts.append((key, at, json.dumps(value, ensure_ascii=False), "json"))
        series = self._declared.missing(key, path, stream, kind)
        if series is not None:
            self._new.append(series)

    def declare(
        self, path: KeyPath, kind: DataKind, stream: Stream = "user"
    ) -> tuple[str, Iterator[chunks.Chunk]]:
        """The key for rows that somebody else makes, and what is to be stated before them."""
        key = self._declared.keys.key(path, stream)
        series = self._declared.missing(key, path, stream, kind)
        if series is not None:
            self._new.append(series)
        stated, self._new = self._new, []  # also of rows that wait: this key may be one of theirs
        return key, iter((chunks.SeriesFacts(tuple(stated)),) if stated else ())

    def drain(self) -> Iterator[chunks.Chunk]:
        """All that was collected; nothing is held afterwards."""
        if self._new:
            yield chunks.SeriesFacts(tuple(self._new))
        if self._points.keys:
            yield chunks.Points(self._points.record_batch())
        if self._texts:
            yield chunks.Texts(text_batch(self._texts))
        self._new, self._points, self._texts = [], PointRows(), []


def address(seq: int, step: tuple[int, int | None] | None, time_ns: int | None = None) -> Address:
    """The address of a row whose step is as `step_of` gives it."""
    whole, millionths = step or (None, None)
    return Address(seq, whole, millionths, time_ns)


def step_of(value: Tree) -> tuple[int, int | None] | None:
    """A step and its millionths; None for what is no step that this gives back exactly."""
    whole = whole_step(value)
    if whole is not None:
        return whole, None
    if not isinstance(value, float) or not math.isfinite(value):
        return None
    floor = math.floor(value)
    millionths = round((value - floor) * _MILLION)
    if whole_step(floor) is None or not 0 < millionths < _MILLION:
        return None
    return (floor, millionths) if floor + millionths / _MILLION == value else None

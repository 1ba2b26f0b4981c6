"""Turns the scanner's batches into chunks: series numbers become keys, steps are rebased."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pyarrow as pa
import pyarrow.compute as pc

from runferry import chunks, tables
from runferry.model import Address, DataKind, KeyPath, MediaItem, Stream
from runferry.readers.declared import Declared
from runferry.readers.wandb.values import ValueRows

if TYPE_CHECKING:
    from runferry._native import WandbBatch


class SegmentRows:
    """The rows of one file of a run. `shift` is decided by its first step; see `rebase`."""

    def __init__(
        self,
        declared: Declared,
        files: Path | None,
        claim: Callable[[Iterable[MediaItem]], None],
        rebase: Callable[[int], int],
        shift: int | None,
        own_key: Callable[[Stream, KeyPath], str | None],
    ) -> None:
        self._declared = declared
        self._values = ValueRows(files)
        self._claim = claim
        self._rebase = rebase
        self._own_key = own_key
        self._paths: list[tuple[Stream, KeyPath]] = []
        self._names: list[str] = []
        self._dictionary: pa.Array = pa.array([], pa.string())
        self._unseen: set[int] = set()
        self._others: set[int] = set()  # that had values, and no scalar yet
        self.shift = shift
        self.last_step: int | None = None

    def rows_of(self, batch: WandbBatch) -> Iterator[chunks.Chunk]:
        """The rows of a batch, each series declared before its first row."""
        for stream, path in batch.series:
            self._add(cast("Stream", stream), path)
        if batch.series:
            self._dictionary = pa.array(self._names, pa.string())
        points = None if batch.points is None else pa.record_batch(batch.points)
        values = None if batch.values is None else pa.record_batch(batch.values)
        if self.shift is None:
            self.shift = self._shift_of([rows for rows in (points, values) if rows is not None])
        if points is not None:
            yield from self._declare(points)
            yield chunks.Points(self._addressed(points, tables.POINTS))
        if values is not None:
            yield from self._value_chunks(values)
        if batch.console is not None:
            yield chunks.Console(tables.conform(pa.record_batch(batch.console), tables.CONSOLE))

    def _add(self, stream: Stream, path: KeyPath) -> None:
        own = self._own_key(stream, path)
        if own is None:
            self._unseen.add(len(self._names))
        self._paths.append((stream, path))
        self._names.append(own or self._declared.keys.key(path, stream))

    def _declare(self, points: pa.RecordBatch) -> Iterator[chunks.Chunk]:
        unsure = self._unseen | self._others
        if not unsure:
            return
        numbers = unsure.intersection(pc.unique(points.column("series")).to_pylist())
        self._others -= numbers
        yield from self._facts([(number, "scalar") for number in sorted(numbers)])

    def _facts(self, numbers: list[tuple[int, DataKind]]) -> Iterator[chunks.Chunk]:
        found = []
        for number, kind in numbers:
            self._unseen.discard(number)
            stream, path = self._paths[number]
            series = self._declared.missing(self._names[number], path, stream, kind)
            if series is not None:
                found.append(series)
        if found:
            yield chunks.SeriesFacts(tuple(found))

    def _addressed(self, rows: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
        """The batch with keys for series numbers and rebased steps."""
        columns = []
        for field_ in schema:
            if field_.name == "key":
                indices = rows.column("series").cast(pa.int32())
                columns.append(pa.DictionaryArray.from_arrays(indices, self._dictionary))
            elif field_.name == "step":
                columns.append(self._steps(rows.column("step")))
            elif (index := rows.schema.get_field_index(field_.name)) >= 0:
                columns.append(rows.column(index).cast(field_.type))
            else:
                columns.append(pa.nulls(rows.num_rows, field_.type))
        return pa.RecordBatch.from_arrays(columns, schema=schema)

    def _steps(self, steps: pa.Array) -> pa.Array:
        highest = pc.max(steps).as_py()
        if highest is None:
            return steps
        shift = self.shift or 0
        highest += shift
        self.last_step = highest if self.last_step is None else max(self.last_step, highest)
        return pc.add(steps, shift) if shift else steps

    def _shift_of(self, tables_: list[pa.RecordBatch]) -> int | None:
        """Decided by the first row that has a step, whatever its values are."""
        firsts = []
        for rows in tables_:
            steps = rows.column("step")
            at = pc.index(steps.is_valid(), True).as_py()  # a scan gives rows in order of seq
            if at >= 0:
                firsts.append((rows.column("seq")[at].as_py(), steps[at].as_py()))
        return self._rebase(min(firsts)[1]) if firsts else None

    def _value_chunks(self, rows: pa.RecordBatch) -> Iterator[chunks.Chunk]:
        steps = self._steps(rows.column("step"))
        micro = rows.column("time").cast(pa.int64())
        columns = (rows.column("series"), steps, micro, rows.column("time_ns"), rows.column("seq"))
        pending: list[tuple[int, DataKind]] = []
        for number, step, time, below, seq, frac, text, code in zip(
            *(column.to_pylist() for column in columns),
            _own_column(rows, "step_frac", None),
            rows.column("json").to_pylist(),
            _own_column(rows, "code", 0),
            strict=True,
        ):
            time_ns = None if time is None else time * 1000 + (below or 0)
            at = Address(seq, step, frac, time_ns)
            kind = self._values.add(self._names[number], at, text, code)
            if number in self._unseen:
                self._unseen.discard(number)
                self._others.add(number)
                pending.append((number, kind))
            if self._values.is_full:
                yield from self._drain(pending)
                pending = []
        yield from self._drain(pending)

    def _drain(self, pending: list[tuple[int, DataKind]]) -> Iterator[chunks.Chunk]:
        yield from self._facts(pending)
        self._claim(self._values.media)
        yield from self._values.drain()


def _own_column(rows: pa.RecordBatch, name: str, absent: int | None) -> list[Any]:
    """A column that only rows of ours have."""
    if rows.schema.get_field_index(name) < 0:
        return [absent] * rows.num_rows
    return rows.column(name).to_pylist()  # type: ignore[no-any-return]

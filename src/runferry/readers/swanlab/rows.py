"""Turns the scanner's batches into chunks: series numbers become keys."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from runferry import chunks, tables
from runferry.chunks import Chunk
from runferry.model import DataKind, Series
from runferry.readers.declared import Declared
from runferry.readers.run_folders.logged_rows import LoggedRows
from runferry.readers.swanlab.facts import Facts
from runferry.readers.swanlab.json_records import JsonRecords, Line, Row
from runferry.readers.swanlab.media import MediaFound, MediaRows
from runferry.readers.swanlab.protobuf_records import ProtobufRecords

if TYPE_CHECKING:
    from runferry._native import SwanlabBatch

_KINDS = tables.CONSOLE.field("stream").type


class Rows:
    """The rows of one file."""

    def __init__(self, facts: Facts, home: Path, declared: Declared | None = None) -> None:
        """`declared` is what was declared of the run before, by its other files too."""
        self._facts = facts
        self._home = home
        self._declared = declared or Declared.after((), facts.applied)
        self._logged = LoggedRows(declared=self._declared)
        self._names: list[str] = []
        self._protobuf = ProtobufRecords(facts, home)
        self._json = JsonRecords(facts, home)

    def of(self, batch: SwanlabBatch, version: int) -> Iterator[Chunk]:
        """The rows of a batch, each series declared before its first row."""
        media = MediaRows(self._home)
        if version == 1:
            yield from self._of_json(batch, media)
        else:
            others: list[Chunk] = []
            for number, _, seq, content in batch.records:
                for found in self._protobuf.take(number, seq, content):
                    if isinstance(found, MediaFound):
                        others += self._media(media, found)
                    else:
                        others.append(found)
            yield from self._points(batch)
            yield from others
        yield from media.drained()
        if batch.console is not None:
            yield chunks.Console(tables.conform(pa.record_batch(batch.console), tables.CONSOLE))

    def facts_of(self, batch: SwanlabBatch, version: int) -> None:
        """What a batch says of the run, without its rows."""
        for number, offset, _, content in batch.records:
            of_json = self._json.take(offset, content) if version == 1 else ()
            of_protobuf = self._protobuf.take(number, 0, content) if version == 2 else ()
            for _found in (*of_json, *of_protobuf):
                pass

    def restated(self) -> Iterator[Chunk]:
        """Facts of series that have changed since."""
        items = self._declared.restated()
        if items:
            yield chunks.SeriesFacts(items)

    # --- version 2 --------------------------------------------------------------------------------

    def _points(self, batch: SwanlabBatch) -> Iterator[Chunk]:
        self._names += batch.series
        if batch.points is None:
            return
        rows = pa.record_batch(batch.points)
        numbers = pc.unique(rows.column("series")).to_pylist()
        items = [self._fact(self._names[number], "scalar") for number in numbers]
        new = tuple(item for item in items if item is not None)
        if new:
            yield chunks.SeriesFacts(new)
        words = pa.array([self._key(name) for name in self._names], pa.string())
        keys = pa.DictionaryArray.from_arrays(rows.column("series"), words)
        at = rows.schema.get_field_index("series")
        rows = rows.set_column(at, tables.POINTS.field("key"), keys)
        yield chunks.Points(tables.conform(rows, tables.POINTS))

    def _key(self, name: str) -> str:
        return self._declared.keys.key((name,), self._facts.stream_of(name))

    def _fact(self, name: str, kind: DataKind) -> Series | None:
        stream = self._facts.stream_of(name)
        return self._declared.missing(self._key(name), (name,), stream, kind)

    # --- both -------------------------------------------------------------------------------------

    def _media(self, rows: MediaRows, found: MediaFound) -> list[Chunk]:
        fact = self._fact(found.key, rows.add(self._key(found.key), found))
        return [] if fact is None else [chunks.SeriesFacts((fact,))]

    # --- version 1 --------------------------------------------------------------------------------

    def _of_json(self, batch: SwanlabBatch, media: MediaRows) -> Iterator[Chunk]:
        lines: list[dict[str, object]] = []
        for _, offset, _, content in batch.records:
            for found in self._json.take(offset, content):
                match found:
                    case Line():
                        lines.append(console_row(found.text, found.stream, found.time_ns, offset))
                    case Row(key, at, value):
                        stream = self._facts.stream_of(key)
                        yield from self._logged.add(at, [((key,), value)], stream)
                    case MediaFound():
                        yield from self._media(media, found)
                    case _:
                        yield found
        yield from self._logged.drain()
        if lines:
            yield chunks.Console(console_batch(lines))


def console_row(line: str, stream: str, time_ns: int | None, seq: int) -> dict[str, object]:
    """A line, with the end that SwanLab takes away, as a row of `console_batch`."""
    return {
        "time": None if time_ns is None else time_ns // 1000,
        "time_ns": None if time_ns is None else time_ns % 1000,
        "stream": stream,
        "line": f"{line}\n",
        "seq": seq,
    }


def console_batch(rows: list[dict[str, object]]) -> pa.RecordBatch:
    """Rows of `tables.CONSOLE`."""
    columns = {
        "time": pa.array([row["time"] for row in rows], pa.int64()).cast(tables.TIME),
        "time_ns": pa.array([row["time_ns"] for row in rows], pa.int16()),
        "stream": pa.array([row["stream"] for row in rows], pa.string()).cast(_KINDS),
        "line": pa.array([row["line"] for row in rows], pa.string()),
        "seq": pa.array([row["seq"] for row in rows], pa.int64()),
    }
    return tables.conform(pa.RecordBatch.from_pydict(columns), tables.CONSOLE)

"""Series of an exported run as chunks, batch by batch in order of steps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from runferry import chunks
from runferry.dialects.neptune.names import ConsoleStream, lacks_ends, path_of, stream_of
from runferry.dialects.neptune.schema import SERIES
from runferry.dialects.neptune.steps import MILLION, millionths_of, split_steps
from runferry.losses import Fate, Loss
from runferry.model import Address, Attribute, DataKind, KeyPath, MediaItem, Series
from runferry.readers.declared import Declared
from runferry.readers.neptune.addressed import (
    as_micros,
    console_batch,
    histograms_batch,
    keyed,
    numbered,
    points_batch,
    texts_batch,
)
from runferry.readers.neptune.export.batches import Rows
from runferry.readers.neptune.export.files import ExportFiles
from runferry.readers.neptune.export.sorting import sorted_batches
from runferry.readers.neptune.export.survey import Name, Survey
from runferry.readers.neptune.media import kind_of

_COLUMNS: Final = ("attribute_path", "attribute_type", "step", "timestamp", *set(SERIES.values()))
_KINDS: Final[dict[str, DataKind]] = {
    "float_series": "scalar",
    "string_series": "text",
    "histogram_series": "histogram",
    "file_series": "media",
}


@dataclass
class ExportSeries:
    """The series of one run; `losses` and `facts` are whole when all rows were given."""

    rows: Rows
    survey: Survey
    files: ExportFiles
    zone: tzinfo | None = None
    """Where the times are local ones of a known place, that place's."""
    losses: list[Loss] = field(default_factory=list)
    _declared: Declared = field(default_factory=lambda: Declared.after(()))
    _keys: dict[Name, str] = field(default_factory=dict)
    _seq: int = 0
    _lines: int = 0

    def read(self) -> Iterator[chunks.Chunk]:
        """Declarations and rows."""
        yield from self._declarations()
        consoles = self.survey.consoles()
        for batch in self._batches():
            types = batch.column("attribute_type")
            for kind, column in SERIES.items():
                mask = pc.equal(types, kind).to_numpy(zero_copy_only=False)
                places = np.flatnonzero(mask)
                if len(places):
                    part = batch.take(pa.array(places))
                    numbers = numbered(self._seq, places)
                    yield from self._rows(kind, part, part.column(column), numbers, consoles)
            self._seq += batch.num_rows

    # --- what is stated beforehand

    def _declarations(self) -> Iterator[chunks.Chunk]:
        consoles = self.survey.consoles()
        paths: set[KeyPath] = set()
        found: list[Series] = []
        for name in self.survey.series:
            if name in consoles:
                continue
            path = path_of(name[0])
            if path in paths:
                path = (*path, name[1])
                why = f"another series of this run has its path; this one, a {name[1]}, got its own"
                self.losses.append(Loss("same-path", Fate.RENAMED, name[0], 1, why))
            paths.add(path)
            stream = stream_of(path)
            self._keys[name] = key = self._declared.keys.key(path, stream)
            found.append(Series(key, path, stream, _KINDS[name[1]]))
        if found:
            yield chunks.SeriesFacts(tuple(found))

    def facts(self) -> Iterator[Attribute]:
        """Where the lines of the console come from, so that they can be put back."""
        for name, stream in self.survey.consoles().items():
            seen = self.survey.series[name]
            first, stride = seen.first or 0, seen.stride or MILLION
            yield Attribute(
                ("neptune", "console", stream),
                "other",
                {
                    "attribute": name[0],
                    "first step": first / MILLION,
                    "stride": stride / MILLION,
                    "line ends added": lacks_ends(path_of(name[0])),
                },
            )
            why = "lines of the console; their attribute and steps are told by `neptune.console`"
            self.losses.append(Loss("console", Fate.REENCODED, name[0], seen.rows, why))

    # --- rows

    def _batches(self) -> Iterator[pa.RecordBatch]:
        """Rows of series alone, in order of steps."""
        if not self.survey.is_in_order:
            yield from sorted_batches(self.rows, _COLUMNS)
            return
        for batch in self.rows.batches(_COLUMNS, lambda facts: facts.may_hold(tuple(SERIES))):
            types = pc.is_in(batch.column("attribute_type"), pa.array(list(SERIES)))
            own = batch.filter(pc.and_(types, batch.column("attribute_path").is_valid()))
            if own.num_rows:
                yield own

    def _rows(
        self,
        kind: str,
        part: pa.RecordBatch,
        values: pa.Array,
        numbers: pa.Array,
        consoles: dict[Name, ConsoleStream],
    ) -> Iterator[chunks.Chunk]:
        paths = part.column("attribute_path")
        if kind == "string_series" and consoles:
            for (path, _), stream in consoles.items():
                yield from self._console(part.filter(pc.equal(paths, path)), path, stream)
            others = pc.invert(pc.is_in(paths, pa.array([path for path, _ in consoles])))
            part, values, numbers = (each.filter(others) for each in (part, values, numbers))
            if not part.num_rows:
                return
        if kind == "file_series":
            yield from self._media(part, values, numbers)
            return
        address = self._address(kind, part, numbers)
        match kind:
            case "float_series":
                yield chunks.Points(points_batch(address, values))
            case "string_series":
                yield chunks.Texts(texts_batch(address, values))
            case _:
                yield chunks.Histograms(histograms_batch(address, values))

    def _address(self, kind: str, part: pa.RecordBatch, numbers: pa.Array) -> dict[str, pa.Array]:
        keys = {path: key for (path, type_), key in self._keys.items() if type_ == kind}
        step, fraction = split_steps(*millionths_of(part.column("step")))
        return {
            "key": keyed(part.column("attribute_path"), keys),
            "step": step,
            "step_frac": fraction,
            "time": as_micros(part.column("timestamp"), self.zone),
            "seq": numbers,
        }

    def _console(
        self, part: pa.RecordBatch, path: str, stream: ConsoleStream
    ) -> Iterator[chunks.Chunk]:
        if not part.num_rows:
            return
        times = as_micros(part.column("timestamp"), self.zone)
        lines = part.column("string_value")
        ends = lacks_ends(path_of(path))
        batch = console_batch(times, lines, stream, self._lines, add_ends=ends)
        yield chunks.Console(batch)
        self._lines += part.num_rows

    def _media(
        self, part: pa.RecordBatch, values: pa.Array, numbers: pa.Array
    ) -> Iterator[chunks.Chunk]:
        address = self._address("file_series", part, numbers)
        columns = {name: column.to_pylist() for name, column in address.items() if name != "time"}
        micros = address["time"].cast(pa.int64()).to_pylist()
        items = []
        for row, value in enumerate(values.to_pylist()):
            path = value["path"] if value else None
            time_ns = None if micros[row] is None else micros[row] * 1000
            at = Address(
                columns["seq"][row], columns["step"][row], columns["step_frac"][row], time_ns
            )
            blob = self.files.blob(path)
            kind = kind_of(blob.media_type)
            items.append(MediaItem(columns["key"][row], at, kind, blob, path=path))
        yield chunks.Media(tuple(items))

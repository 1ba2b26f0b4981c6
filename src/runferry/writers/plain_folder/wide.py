"""`history` and `system`: one row a source row, one column a metric. For people, not for restoring.

Points come key by key, so they are put aside, and taken out again in windows of source rows. What
would be wider or emptier than anybody can use is left out, and said.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from runferry.dialects.plain_folder.forms import Form
from runferry.model import Series, Stream
from runferry.tables import TIME
from runferry.writers.plain_folder.spill import BOOL, INT, NO_TIME, NULL, Cells, Spill

MAX_COLUMNS: Final = 4_000
_MAX_CELLS: Final = 50_000_000
_MAX_EMPTINESS: Final = 20  # cells for each point in them, in what has more cells than that
_SLAB_CELLS: Final = 500_000

_TABLE_OF: Final[dict[Stream, str]] = {"user": "history", "system": "system"}
_ONLY_INT: Final = 1 << INT
_ONLY_BOOL: Final = 1 << BOOL


class WideTables:
    """The wide tables of one run."""

    def __init__(self, home: Path, form: Form) -> None:
        self._home = home
        self._form = form
        self._codes: dict[str, int] = {}
        self._streams: list[Stream] = []
        self._kinds = np.zeros(0, np.int64)  # a bit for each kind seen, by code
        self._points: dict[Stream, int] = {"user": 0, "system": 0}
        self._has_parts = False  # some step is not whole
        self._spill: Spill | None = None
        self.left_out: tuple[str, ...] = ()

    def put(self, batch: pa.RecordBatch, series: Mapping[str, Series]) -> None:
        """Add points of these series."""
        words = batch.column("key")
        coded = np.array(
            [self._code(key, series) for key in words.dictionary.to_pylist()], np.int32
        )
        code = coded[words.indices.to_numpy(zero_copy_only=False)]
        cells = Cells.of(batch, code)
        seen = np.unique(code.astype(np.int64) * 8 + cells.kind)
        np.bitwise_or.at(self._kinds, seen // 8, 1 << (seen % 8))
        self._has_parts |= batch.column("step_frac").null_count < batch.num_rows
        is_system = np.array([stream == "system" for stream in self._streams])[code]
        self._points["system"] += int(is_system.sum())
        self._points["user"] += int((~is_system).sum())
        if self._spill is None:
            self._spill = Spill(self._home / ".points")
        self._spill.put(cells)

    def _code(self, key: str, series: Mapping[str, Series]) -> int:
        code = self._codes.get(key)
        if code is None:
            code = self._codes[key] = len(self._codes)
            self._streams.append(series[key].stream if key in series else "user")
            if code >= len(self._kinds):
                self._kinds = np.concatenate([self._kinds, np.zeros(max(64, code), np.int64)])
        return code

    def finish(self) -> None:
        """Write the tables."""
        if self._spill is None:
            return
        tables = [
            _WideTable(self._home, self._form, stream, *self._columns_of(stream))
            for stream in ("user", "system")
            if self._points[stream]
        ]
        told = [table.refusal() for table in tables]
        tables = [table for table, reason in zip(tables, told, strict=True) if reason is None]
        for cells in self._spill.windows() if tables else ():
            for table in tables:
                table.put(cells)
        told += [table.finish() for table in tables]
        self.left_out = tuple(reason for reason in told if reason is not None)
        self.close()

    def _columns_of(self, stream: Stream) -> tuple[dict[str, int], NDArray[np.int64], bool, int]:
        columns = {k: c for k, c in self._codes.items() if self._streams[c] == stream}
        return columns, self._kinds, self._has_parts, self._points[stream]

    def close(self) -> None:
        """Remove what was put aside."""
        if self._spill is not None:
            self._spill.remove()


class _WideTable:
    """One of the tables while it is written, a slab of rows at a time."""

    def __init__(
        self,
        home: Path,
        form: Form,
        stream: Stream,
        columns: dict[str, int],
        kinds: NDArray[np.int64],
        has_parts: bool,
        points: int,
    ) -> None:
        self._name = f"{_TABLE_OF[stream]}.{form.name}"
        self._path = home / self._name
        self._columns = columns
        self._types = [_type_of(int(kinds[code])) for code in columns.values()]
        self._place = np.full(len(kinds), -1, np.int64)  # of a column, by code
        self._place[list(columns.values())] = np.arange(len(columns))
        self._is_exact = np.zeros(len(kinds), np.bool_)
        self._is_exact[list(columns.values())] = [kind == pa.int64() for kind in self._types]
        self._schema = pa.schema(
            [
                pa.field("step", pa.float64() if has_parts else pa.int64()),
                pa.field("time", TIME),
                *map(pa.field, _names(columns), self._types),
            ]
        )
        self._most_cells = max(_MAX_CELLS, points * _MAX_EMPTINESS)
        self._cells = 0
        self._sink = None if self.refusal() else form.sink(self._path, "wide", self._schema)

    def refusal(self) -> str | None:
        """Why there is no such table."""
        if len(self._columns) <= MAX_COLUMNS:
            return None
        return (
            f"{self._name}: {len(self._columns):,} metrics are more than {MAX_COLUMNS:,} columns; "
            "all of them are in points"
        )

    def put(self, cells: Cells) -> None:
        """Add all points of some source rows."""
        if self._sink is None:
            return
        cells = cells.where(self._place[cells.code] >= 0)
        seqs, firsts, rows = np.unique(cells.seq, return_index=True, return_inverse=True)
        self._cells += len(seqs) * len(self._columns)
        if self._cells > self._most_cells:
            self._sink.close()
            self._sink = None
            self._path.unlink()
            return
        order = np.argsort(rows, kind="stable")
        in_order = rows[order]
        rows_each = max(1, _SLAB_CELLS // len(self._columns))
        for start in range(0, len(seqs), rows_each):
            stop = min(start + rows_each, len(seqs))
            mine = order[slice(*np.searchsorted(in_order, (start, stop)))]
            self._sink.write(self._slab(cells, mine, rows[mine] - start, firsts[start:stop]))

    def _slab(
        self,
        cells: Cells,
        mine: NDArray[np.int64],
        rows: NDArray[np.int64],
        firsts: NDArray[np.int64],
    ) -> pa.RecordBatch:
        """Some rows: `mine` are their points, `firsts` one point of each row."""
        place, code = self._place[cells.code[mine]], cells.code[mine]
        kind, bits = cells.kind[mine], cells.bits[mine]
        # a column that holds floats too shows its integers as floats
        is_near = (kind == INT) & ~self._is_exact[code]
        bits = np.where(is_near, bits.astype(np.float64).view(np.int64), bits)
        values = np.zeros((len(self._columns), len(firsts)), np.int64)
        is_there = np.zeros(values.shape, np.bool_)
        values[place, rows] = bits
        is_there[place, rows] = kind != NULL
        columns = [self._steps(cells, firsts), _times(cells.time[firsts])]
        for kind_of, bits_of, known in zip(self._types, values, is_there, strict=True):
            columns.append(_column(kind_of, bits_of, known))
        return pa.RecordBatch.from_arrays(columns, schema=self._schema)

    def _steps(self, cells: Cells, firsts: NDArray[np.int64]) -> pa.Array:
        step = cells.step[firsts]
        known = step if pa.types.is_floating(self._schema.field("step").type) else None
        steps = cells.whole_step[firsts] if known is None else known
        return pa.array(steps, mask=np.isnan(step), from_pandas=False)

    def finish(self) -> str | None:
        """Complete the file, or say why there is none."""
        if self._sink is not None:
            self._sink.close()
            return None
        return (
            f"{self._name}: more than {self._most_cells:,} cells, most of them empty; "
            "all values are in points"
        )


def _type_of(kinds: int) -> pa.DataType:
    """What all values of a column have in common, nulls left aside."""
    kinds &= ~(1 << NULL)
    return {_ONLY_INT: pa.int64(), _ONLY_BOOL: pa.bool_()}.get(kinds, pa.float64())


def _names(columns: Mapping[str, int]) -> list[str]:
    """The metrics' names, beside `step` and `time`."""
    taken = {"step", "time"}
    names = []
    for key in columns:
        name, copy = key, 1
        while name in taken or (copy > 1 and name in columns):
            copy += 1
            name = f"{key}~{copy}"
        taken.add(name)
        names.append(name)
    return names


def _times(us: NDArray[np.int64]) -> pa.Array:
    return pa.array(us, mask=us == NO_TIME).view(TIME)


def _column(kind: pa.DataType, bits: NDArray[np.int64], known: NDArray[np.bool_]) -> pa.Array:
    values: NDArray[np.float64] | NDArray[np.int64] | NDArray[np.bool_] = bits
    if kind != pa.int64():
        values = bits.view(np.float64)
    if kind == pa.bool_():
        values = values != 0
    return pa.array(values, mask=~known, from_pandas=False)

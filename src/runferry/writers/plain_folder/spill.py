"""Points put aside in the order in which they come, to be taken out again by their source rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from runferry.tables import POINT_KINDS

_WINDOW_ROWS: Final = 262_144
_OPEN_FILES: Final = 32
_SAMPLED: Final = 61  # one row in so many tells where to cut; a prime, so that all are met

_SCHEMA: Final = pa.schema(
    [
        pa.field("seq", pa.int64()),
        pa.field("code", pa.int32()),
        pa.field("kind", pa.int8()),
        pa.field("bits", pa.int64()),  # of the float, or the exact integer
        pa.field("step", pa.float64()),
        pa.field("whole_step", pa.int64()),
        pa.field("time", pa.int64()),
    ]
)

INT: Final = POINT_KINDS.index("int")
BOOL: Final = POINT_KINDS.index("bool")
NULL: Final = POINT_KINDS.index("null")
NO_TIME: Final = np.iinfo(np.int64).min


@dataclass(frozen=True, slots=True)
class Cells:
    """Points as columns of equal length."""

    seq: NDArray[np.int64]
    code: NDArray[np.int32]  # of the key
    kind: NDArray[np.int8]  # an index into POINT_KINDS
    bits: NDArray[np.int64]  # the integer where kind is INT, else those of the float
    step: NDArray[np.float64]  # NaN where there is none
    whole_step: NDArray[np.int64]
    time: NDArray[np.int64]  # µs, or NO_TIME

    @classmethod
    def of(cls, batch: pa.RecordBatch, code: NDArray[np.int32]) -> Self:
        """A batch of points whose keys have these codes."""
        kinds = batch.column("kind")
        words = np.array([POINT_KINDS.index(k) for k in kinds.dictionary.to_pylist()], np.int8)
        kind = words[kinds.indices.to_numpy(zero_copy_only=False)]
        value = _filled(batch.column("value"), 0.0)
        bits = value.view(np.int64).copy()
        is_int = kind == INT
        if is_int.any():
            exact = batch.column("value_i64")
            near = np.where(np.abs(value) < 2.0**63, value, 0.0)
            bits[is_int] = near[is_int].astype(np.int64)
            known = exact.is_valid().to_numpy(zero_copy_only=False)
            bits[known] = _filled(exact, 0)[known]
        step = batch.column("step")
        parts = _filled(batch.column("step_frac"), 0) / 1e6
        return cls(
            _filled(batch.column("seq"), 0),
            code,
            kind,
            bits,
            step.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False) + parts,
            _filled(step, 0),
            _filled(batch.column("time").view(pa.int64()), NO_TIME),
        )

    def where(self, mask: NDArray[np.bool_]) -> Self:
        """Some of the rows."""
        return self if mask.all() else type(self)(*(column[mask] for column in self.columns()))

    def at(self, rows: NDArray[np.int64]) -> Self:
        """The rows with these numbers, in this order."""
        return type(self)(*(column[rows] for column in self.columns()))

    def columns(self) -> list[NDArray[Any]]:
        """All columns, in order."""
        return [getattr(self, field.name) for field in fields(self)]

    @classmethod
    def joined(cls, parts: list[Self]) -> Self:
        """All rows of several."""
        pairs = zip(*(part.columns() for part in parts), strict=True)
        return cls(*(np.concatenate(columns) for columns in pairs))


def times_known(times: NDArray[np.int64], before: int) -> NDArray[np.int64]:
    """Times in µs; those of the rows before where there are none, at first `before`."""
    following = np.concatenate([[before], times])
    known = np.where(following == NO_TIME, 0, np.arange(len(following)))
    return following[np.maximum.accumulate(known)][1:]


def _filled(column: pa.Array, nothing: float) -> NDArray[Any]:
    filled = column.fill_null(nothing) if column.null_count else column
    found: NDArray[Any] = filled.to_numpy(zero_copy_only=False)
    return found


class PutAside:
    """A file of points, added batch by batch and read back in that order."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._sink = pa.OSFile(str(path), "wb")
        options = pa.ipc.IpcWriteOptions(compression="lz4")
        self._file = pa.ipc.new_stream(self._sink, _SCHEMA, options=options)

    def put(self, cells: Cells) -> None:
        """Add rows."""
        arrays = [pa.array(c, f.type) for c, f in zip(cells.columns(), _SCHEMA, strict=True)]
        self._file.write_batch(pa.RecordBatch.from_arrays(arrays, schema=_SCHEMA))

    def close(self) -> None:
        """Nothing more is added; harmless when repeated."""
        if not self._sink.closed:
            self._file.close()
            self._sink.close()

    def parts(self) -> Iterator[Cells]:
        """What was added, a window's worth of rows or a little more at a time."""
        held, count = list[Cells](), 0
        with pa.OSFile(str(self.path)) as source, pa.ipc.open_stream(source) as file:
            for batch in file:
                columns = (column.to_numpy(zero_copy_only=False) for column in batch.columns)
                held.append(Cells(*columns))
                count += batch.num_rows
                if count >= _WINDOW_ROWS:
                    yield Cells.joined(held)
                    held, count = [], 0
        if held:
            yield Cells.joined(held)

    def remove(self) -> None:
        """The file is of no use any more; harmless when repeated."""
        self.close()
        self.path.unlink(missing_ok=True)


class Spill:
    """Puts points into a file, and takes them out in windows of source rows.

    Points come key by key, so that each part of the file may reach over all windows: the rows are
    scattered into a file a window before windows are read. Where there are more windows than files
    may be open, a file takes several of them, and is scattered in its turn: a row is read once
    more for each power of that number.
    """

    def __init__(self, path: Path) -> None:
        self._first = PutAside(path)
        self._open = [self._first]
        self._rows = 0
        self._samples: list[NDArray[np.int64]] = []

    def put(self, cells: Cells) -> None:
        """Add rows."""
        if len(cells.seq):
            self._first.put(cells)
            self._samples.append(cells.seq[-self._rows % _SAMPLED :: _SAMPLED].copy())
            self._rows += len(cells.seq)

    def windows(self) -> Iterator[Cells]:
        """All rows, those of one source row in one window, windows in rising order."""
        self._first.close()
        if not self._samples:
            return
        sampled = np.sort(np.concatenate(self._samples))
        self._samples = []
        yield from self._of(self._first, np.unique(sampled[:: _WINDOW_ROWS // _SAMPLED][1:]))

    def _of(self, rows: PutAside, cuts: NDArray[np.int64]) -> Iterator[Cells]:
        """The windows of a file, whose rows are parted at `cuts`; the file is gone afterwards."""
        if not len(cuts):
            parts = list(rows.parts())
            rows.remove()
            if parts:
                yield Cells.joined(parts)
            return
        every = -(-(len(cuts) + 1) // _OPEN_FILES)  # windows to a file
        files = self._scattered(rows, cuts[every - 1 :: every])
        rows.remove()
        for number, file in enumerate(files):
            first = number * every
            yield from self._of(file, cuts[first : first + every - 1])

    def _scattered(self, rows: PutAside, cuts: NDArray[np.int64]) -> list[PutAside]:
        """The rows in one file more than there are cuts."""
        path, files = rows.path, list[PutAside]()
        for number in range(len(cuts) + 1):
            files.append(PutAside(path.with_name(f"{path.name}-{number}")))
            self._open.append(files[-1])
        for cells in rows.parts():
            target = np.searchsorted(cuts, cells.seq, side="right")
            order = np.argsort(target, kind="stable")
            bounds = np.searchsorted(target[order], np.arange(len(files) + 1))
            for number, file in enumerate(files):
                mine = order[bounds[number] : bounds[number + 1]]
                if len(mine):
                    file.put(cells.at(mine))
        for file in files:
            file.close()
        return files

    def remove(self) -> None:
        """The files are of no use any more; harmless when repeated."""
        for rows in self._open:
            rows.remove()

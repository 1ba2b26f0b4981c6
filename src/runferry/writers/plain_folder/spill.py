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
_SAMPLED: Final = 64  # one row in so many tells where the windows are to be cut

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

    def columns(self) -> list[NDArray[Any]]:
        """All columns, in order."""
        return [getattr(self, field.name) for field in fields(self)]

    @classmethod
    def joined(cls, parts: list[Self]) -> Self:
        """All rows of several."""
        pairs = zip(*(part.columns() for part in parts), strict=True)
        return cls(*(np.concatenate(columns) for columns in pairs))


def _filled(column: pa.Array, nothing: float) -> NDArray[Any]:
    filled = column.fill_null(nothing) if column.null_count else column
    found: NDArray[Any] = filled.to_numpy(zero_copy_only=False)
    return found


class Spill:
    """Puts points into a file, and takes them out in windows of source rows."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._sink = pa.OSFile(str(path), "wb")
        options = pa.ipc.IpcWriteOptions(compression="lz4")
        self._file = pa.ipc.new_file(self._sink, _SCHEMA, options=options)
        self._ends: list[tuple[int, int]] = []
        self._samples: list[NDArray[np.int64]] = []

    def put(self, cells: Cells) -> None:
        """Add rows."""
        if not len(cells.seq):
            return
        arrays = [pa.array(c, f.type) for c, f in zip(cells.columns(), _SCHEMA, strict=True)]
        self._file.write_batch(pa.RecordBatch.from_arrays(arrays, schema=_SCHEMA))
        self._ends.append((int(cells.seq.min()), int(cells.seq.max())))
        self._samples.append(cells.seq[::_SAMPLED].copy())

    def windows(self) -> Iterator[Cells]:
        """All rows, those of one source row in one window, windows in rising order."""
        self._file.close()
        self._sink.close()
        if not self._ends:
            return
        sampled = np.sort(np.concatenate(self._samples))
        cuts = np.unique(sampled[:: _WINDOW_ROWS // _SAMPLED][1:]).tolist()
        firsts = [min(first for first, _ in self._ends), *cuts]
        with pa.OSFile(str(self._path)) as source, pa.ipc.open_file(source) as file:
            for first, following in zip(firsts, [*cuts, None], strict=True):
                parts = list(self._between(file, first, following))
                if parts:
                    yield Cells.joined(parts)

    def _between(self, file: Any, first: int, following: int | None) -> Iterator[Cells]:
        for number, (low, high) in enumerate(self._ends):
            if high < first or (following is not None and low >= following):
                continue
            batch = file.get_batch(number)
            cells = Cells(*(column.to_numpy(zero_copy_only=False) for column in batch.columns))
            mask = cells.seq >= first
            if following is not None:
                mask &= cells.seq < following
            if mask.any():
                yield cells.where(mask)

    def remove(self) -> None:
        """The file is of no use any more; harmless when repeated."""
        if not self._sink.closed:
            self._file.close()
            self._sink.close()
        self._path.unlink(missing_ok=True)

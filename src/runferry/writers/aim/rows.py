"""Numbers as the process takes them: columns of a frame."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from runferry.writers.aim.names import Context
from runferry.writers.plain_folder.spill import BOOL, INT, NULL, Cells, times_known

_MICROS: Final = 1_000_000
Numbers = tuple[dict[str, Any], bytes]
"""A frame: its words and its columns."""


class NumberRows:
    """Points of a run, batch by batch."""

    def __init__(
        self, kind: str, name: Callable[[str], tuple[str, Context] | None], began_us: int
    ) -> None:
        """`name` gives the name of a key, None for one that is left out; `kind` is that of frames.

        A value before the first time has `began_us`.
        """
        self._kind = kind
        self._name = name
        self._codes: dict[str, int] = {}
        self._named: list[tuple[int, str, Context]] = []
        self._time_us = began_us
        self.last_us = began_us
        """The latest time so far."""

    def frames(self, batches: Iterator[pa.RecordBatch]) -> Iterator[Numbers]:
        """One for each batch that has values."""
        for batch in batches:
            keys = batch.column("key")
            codes = np.array([self._code(key) for key in keys.dictionary.to_pylist()], np.int32)
            code = codes[keys.indices.to_numpy(zero_copy_only=False)]
            parts = batch.column("step_frac").fill_null(0).to_numpy(zero_copy_only=False)
            cells = Cells.of(batch, code)
            kept = np.flatnonzero((cells.kind != NULL) & (code >= 0))
            if len(kept):
                yield self._frame(cells.at(kept), parts[kept])

    def _code(self, key: str) -> int:
        known = self._codes.get(key)
        if known is None:
            named = self._name(key)
            known = self._codes[key] = -1 if named is None else len(self._codes)
            if named is not None:
                self._named.append((known, *named))
        return known

    def _frame(self, cells: Cells, millionths: NDArray[Any]) -> Numbers:
        is_stepped = ~np.isnan(cells.step)
        is_bool = cells.kind == BOOL  # which Aim stores as integers
        bits = np.where(is_bool, cells.bits != 0, cells.bits)
        columns = (
            cells.code.astype("<i4"),
            np.where(is_stepped, cells.whole_step, cells.seq).astype("<i8"),
            np.where(is_stepped, millionths, 0).astype("<i4"),
            bits.astype("<i8"),
            (is_bool | (cells.kind == INT)).astype("u1"),
            (self._times(cells.time) / _MICROS).astype("<f8"),
        )
        told = {"kind": self._kind, "rows": len(cells.seq), "named": self._named}
        self._named = []
        return told, b"".join(column.tobytes() for column in columns)

    def _times(self, stated: NDArray[np.int64]) -> NDArray[np.int64]:
        """Those of rows before where there is none."""
        times = times_known(stated, self._time_us)
        self._time_us = int(times[-1])
        self.last_us = max(self.last_us, int(times.max()))
        return times

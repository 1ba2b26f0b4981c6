"""Points as the rows that trackio keeps of them: one JSON mapping for all that was logged at once.

Made column by column: what `SQLiteStorage.bulk_log` does with a mapping and a call of `orjson` for
each row is one join of strings for a window of them here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from runferry.writers.plain_folder.spill import BOOL, INT, NULL, Cells, Spill, times_known

_ISO: Final = "%Y-%m-%dT%H:%M:%S+00:00"  # with six digits of a second where times have them

Rows = Iterator[tuple[str, int, str]]
"""Time (ISO 8601), step and JSON."""


class PointRows:
    """Points of one stream, put in batch by batch, taken out as rows."""

    def __init__(self, scratch: Path, name: Callable[[str], str], otherwise_us: int) -> None:
        """`name` gives the name of a key; rows before the first time have `otherwise_us`."""
        self._spill = Spill(scratch)
        self._name = name
        self._codes: dict[str, int] = {}
        self._words: list[str] = []
        self._time_us = otherwise_us

    def put(self, batch: pa.RecordBatch, kept: Collection[str]) -> None:
        """Add the points of a batch whose keys are to be kept."""
        column = batch.column("key")
        keys = column.dictionary.to_pylist()
        codes = np.array([self._code(key) if key in kept else -1 for key in keys], np.int32)
        code = codes[column.indices.to_numpy(zero_copy_only=False)]
        self._spill.put(Cells.of(batch, code).where(code >= 0))

    def _code(self, key: str) -> int:
        known = self._codes.get(key)
        if known is None:
            known = self._codes[key] = len(self._words)
            self._words.append(f"{json.dumps(self._name(key))}:")
        return known

    def rows(self) -> Rows:
        """In the order of their source rows."""
        words = pa.array(self._words, pa.string())
        for cells in self._spill.windows():
            yield from self._of_window(cells, words)

    def _of_window(self, cells: Cells, words: pa.Array) -> Rows:
        cells = cells.at(np.lexsort((cells.time, cells.whole_step, cells.seq)))
        starts = _starts(cells)
        pieces = pc.binary_join_element_wise(words.take(pa.array(cells.code)), _spelled(cells), "")
        bounds = pa.array(np.append(starts, len(cells.seq)).astype(np.int32))
        joined = pc.binary_join(pa.ListArray.from_arrays(bounds, pieces), ",")
        texts = pc.binary_join_element_wise("{", joined, "}", "")
        step = cells.step[starts]
        steps = np.where(np.isnan(step), cells.seq[starts], cells.whole_step[starts])
        times = self._times(cells.time[starts])
        yield from zip(
            pc.strftime(pa.array(times, pa.timestamp("us")), _ISO).to_pylist(),
            steps.tolist(),
            texts.to_pylist(),
            strict=True,
        )

    def _times(self, stated: NDArray[np.int64]) -> NDArray[np.int64]:
        """Those of rows before where there is none."""
        times = times_known(stated, self._time_us)
        self._time_us = int(times[-1])
        return times

    def remove(self) -> None:
        """Nothing is left on the disk."""
        self._spill.remove()


def _starts(cells: Cells) -> NDArray[np.int64]:
    """Where rows begin: what has one source row, step and time was logged at once."""
    changes = np.zeros(max(len(cells.seq) - 1, 0), np.bool_)
    for column in (cells.seq, cells.whole_step, cells.time):
        changes |= column[1:] != column[:-1]
    return np.concatenate([[0], np.flatnonzero(changes) + 1])


def _spelled(cells: Cells) -> pa.Array:
    """Values as JSON, NaN and infinities as trackio spells them."""
    floats = np.where(cells.kind == INT, 0, cells.bits).view(np.float64)
    told = pa.array(floats).cast(pa.string())
    if (floats == np.floor(floats)).any():  # Arrow spells 1.0 as `1`, which would be an integer
        is_whole = pc.match_substring_regex(told, r"^-?\d+$")
        told = pc.if_else(is_whole, pc.binary_join_element_wise(told, ".0", ""), told)
    finite = np.isfinite(floats)
    if not finite.all():
        nan, positive = pa.array(np.isnan(floats)), pa.array(floats == np.inf)
        told = pc.if_else(pa.array(finite), told, '"-Infinity"')
        told = pc.if_else(positive, '"Infinity"', pc.if_else(nan, '"NaN"', told))
    if (whole := cells.kind == INT).any():
        told = pc.if_else(pa.array(whole), pa.array(cells.bits).cast(pa.string()), told)
    if (claims := cells.kind == BOOL).any():
        words = pc.if_else(pa.array(floats != 0), "true", "false")
        told = pc.if_else(pa.array(claims), words, told)
    return pc.if_else(pa.array(cells.kind == NULL), "null", told)

"""Which row of the source each row in W&B is, where steps and times alone tell them apart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from runferry.chunks import Chunk, Histograms, Media, Points, Texts
from runferry.dialects.row_tables import media_batch
from runferry.dialects.wandb.service_tables import MOST_ROWS, ROWS, SHOWN_WITHIN_NS

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MOST_STEP = 2**53


@dataclass
class SourceRowsFound:
    """Gathered while a run is written; given up at the first row that cannot be told apart."""

    _rows: list[NDArray[np.int64]] = field(default_factory=list)  # (n, 4) in the order of ROWS
    _count: int = 0
    _is_given_up: bool = False

    def look_at(self, chunk: Chunk, is_user: Callable[[str], bool]) -> None:
        """Take in the rows of one chunk."""
        if self._is_given_up:
            return
        match chunk:
            case Points(batch) | Texts(batch) | Histograms(batch) if batch.num_rows:
                self._add(batch, is_user)
            case Media(items) if items:
                self._add(media_batch(items), is_user)
            case _:
                pass

    def _add(self, batch: pa.RecordBatch, is_user: Callable[[str], bool]) -> None:
        keys = batch.column("key").cast(pa.string()).dictionary_encode()
        system = np.array([not is_user(key) for key in keys.dictionary.to_pylist()])
        system = system[keys.indices.to_numpy()]
        step, frac, time = (batch.column(name) for name in ("step", "step_frac", "time"))
        steps = step.fill_null(-1).to_numpy()
        is_stepped = np.asarray(step.is_valid()) & np.asarray(frac.is_null())
        is_stepped &= (steps >= 0) & (steps < _MOST_STEP)
        is_known = np.where(system, np.asarray(step.is_null()), is_stepped)
        if not is_known.all() or time.null_count:
            self._give_up()
            return
        micro = time.cast(pa.int64()).to_numpy()
        time_ns = micro * 1000 + batch.column("time_ns").fill_null(0).to_numpy()
        at = np.where(system, time_ns, steps)
        rows = np.stack([system.astype(np.int64), at, batch.column("seq").to_numpy(), time_ns], 1)
        rows = np.unique(rows, axis=0)
        self._rows.append(rows)
        self._count += len(rows)
        if self._count > 2 * MOST_ROWS:
            self._join()

    def _give_up(self) -> None:
        self._is_given_up = True
        self._rows = []

    def _join(self) -> None:
        """The same row is found in several tables; more of them than are kept end it."""
        self._rows = [np.unique(np.concatenate(self._rows), axis=0)]
        self._count = len(self._rows[0])
        if self._count > MOST_ROWS:
            self._give_up()

    def table(self) -> pa.Table | None:
        """A table of `ROWS`; None where some rows of W&B are of several in the source."""
        if self._rows and not self._is_given_up:
            self._join()
        if self._is_given_up or not self._rows:
            return None
        (rows,) = self._rows
        apart, within = np.diff(rows[:, 1]), np.where(rows[1:, 0], 2 * SHOWN_WITHIN_NS, 0)
        is_next = np.diff(rows[:, 0]) != 0
        if not (is_next | (apart > within)).all():
            return None
        columns = [pa.array(rows[:, 0] != 0), *(pa.array(rows[:, at]) for at in (1, 2, 3))]
        return pa.Table.from_arrays(columns, schema=ROWS)

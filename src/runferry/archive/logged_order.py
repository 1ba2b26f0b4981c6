"""What steps, times and `seq` tell of the order of a run's rows; no other column is read."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from runferry.archive.reading import batches
from runferry.dialects.row_addresses import ADDRESS, MOST_ROWS, RowAddresses, distinct
from runferry.dialects.row_tables import ROW_SCHEMAS
from runferry.model import RowOrder

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from runferry.archive.record import RunRecord
    from runferry.archive.store import Archive

_TABLES: Final = ("points", "texts", "histograms", "media")
_OF_A_VALUE: Final = ("key", "seq", "index")
"""What is another in each value of a run; media alone have the last."""


def row_order(
    archive: Archive, record: RunRecord, keys: Collection[str], apart_ns: int
) -> RowOrder:
    """See `runferry.model.Inventory`. Raises Corrupt."""
    system = {one.key for one in archive.series(record) if one.stream == "system"}
    addresses, moved = RowAddresses(), 0
    for table in _TABLES:
        steps = _Steps()
        before: pa.RecordBatch | None = None
        for batch in _addresses(archive, record, table, keys):
            if _has_twins(batch, before):
                return RowOrder(is_apart=False, moved=None)
            addresses.look_at(batch, lambda key: key not in system)
            steps.look_at(batch)
            before = batch if batch.num_rows else before
        moved += 0 if steps.rise() else steps.values
        if steps.are_too_many:
            return RowOrder(is_apart=False, moved=None)
    return RowOrder(addresses.apart(apart_ns) is not None, moved)


def _has_twins(batch: pa.RecordBatch, before: pa.RecordBatch | None) -> bool:
    """Whether a row has two values of one series: rows of a segment lie by key and `seq`."""
    rows = pa.Table.from_batches(
        [batch] if before is None else [before.slice(before.num_rows - 1), batch]
    )
    same = np.ones(max(0, rows.num_rows - 1), np.bool_)
    for name in rows.schema.names:
        if name in _OF_A_VALUE:
            column = rows.column(name)
            same &= pc.equal(column[1:], column[:-1]).to_numpy()
    return bool(same.any())


def _addresses(
    archive: Archive, record: RunRecord, table: str, keys: Collection[str]
) -> Iterator[pa.RecordBatch]:
    """Those of rows with these keys."""
    chosen = pa.array(sorted(keys), pa.string())
    columns = [name for name in (*ADDRESS, "index") if name in ROW_SCHEMAS[table].names]
    for batch in batches(archive.path, record.of(table), columns=columns):
        keyed = batch.set_column(0, "key", batch.column("key").cast(pa.string()))
        yield keyed.filter(pc.is_in(keyed.column("key"), chosen))


@dataclass
class _Steps:
    """The steps of one table's rows; of no more of them than memory is to hold."""

    values: int = 0
    are_too_many: bool = False
    _rows: list[NDArray[np.int64]] = field(default_factory=list)  # seq, step
    _count: int = 0

    def look_at(self, batch: pa.RecordBatch) -> None:
        self.values += batch.num_rows
        if self.are_too_many or not batch.num_rows:
            return
        step = batch.column("step").fill_null(-1).to_numpy()
        rows = distinct(np.stack([batch.column("seq").to_numpy(), step], 1))
        self._rows.append(rows)
        self._count += len(rows)
        if self._count > 2 * MOST_ROWS:
            self._join()

    def _join(self) -> None:
        self._rows = [distinct(np.concatenate(self._rows))]
        self._count = len(self._rows[0])
        if self._count > MOST_ROWS:
            self.are_too_many, self._rows = True, []

    def rise(self) -> bool:
        """Whether each row has a step of its own, above those of the rows before it."""
        if not self._rows:
            return True
        self._join()
        return not self._rows or bool((np.diff(self._rows[0], axis=0) > 0).all())

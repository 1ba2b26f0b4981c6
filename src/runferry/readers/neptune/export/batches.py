"""Rows of an export's parts as batches of a bounded size; what cannot be decoded is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from runferry.dialects.neptune.schema import EXPORT
from runferry.losses import Fate, Loss
from runferry.paths import spelled
from runferry.ports import BATCH_ROWS
from runferry.readers.neptune.export.parts import whole_part
from runferry.tables import UNDECODED, decoded

if TYPE_CHECKING:
    import pyarrow.parquet as pq

_BYTES_AT_ONCE: Final = 8 << 20  # of a batch, about, as Parquet encodes them
_ROWS_AT_LEAST: Final = 16


@dataclass
class Rows:
    """The rows of one run, in the order of the files; they may be read more than once."""

    paths: Sequence[Path]
    run_id: str
    is_shared: bool = False
    """Whether other runs have rows in these parts too."""
    _met: dict[tuple[str, str, int], Loss] = field(default_factory=dict)

    def whole(self) -> list[Path]:
        """The parts that are whole Parquet files."""
        return [path for path in self.paths if _is_whole(path)]

    def losses(self) -> Iterator[Loss]:
        """What could not be read, or is another run's; known when all was read."""
        yield from self._met.values()

    def batches(
        self, columns: Sequence[str], wanted: Callable[[GroupFacts], bool] = lambda facts: True
    ) -> Iterator[pa.RecordBatch]:
        """Batches with these columns of the groups of rows that are wanted."""
        for path in self.paths:
            file = whole_part(path)
            if file is None:
                self._lost("damaged-part", path, -1, 1, "no whole Parquet file; its rows are lost")
                continue
            with file:
                for group in range(file.metadata.num_row_groups):
                    if wanted(GroupFacts.of(file, group)):
                        yield from self._group(file, path, group, columns)

    def _group(
        self, file: pq.ParquetFile, path: Path, group: int, columns: Sequence[str]
    ) -> Iterator[pa.RecordBatch]:
        names = ["run_id", *columns]
        there = [name for name in names if name in file.schema_arrow.names]
        facts = file.metadata.row_group(group)
        given = foreign = 0
        try:
            for batch in decoded(
                file, batch_size=_rows_at_once(facts), row_groups=[group], columns=there
            ):
                given += batch.num_rows
                own = batch.filter(pc.equal(batch.column("run_id"), self.run_id))
                foreign += batch.num_rows - own.num_rows
                if own.num_rows:
                    yield conformed(own, columns)
        except UNDECODED as error:
            why = f"Arrow cannot decode it: {str(error).splitlines()[0]}"
            self._lost("damaged-part", path, group, facts.num_rows - given, why)
        if foreign and not self.is_shared:
            why = "rows of another run in a part of this one"
            self._lost("foreign-rows", path, group, foreign, why)

    def _lost(self, code: str, path: Path, group: int, count: int, why: str) -> None:
        """Note a loss in a group of rows; met again, it is the same one."""
        name = spelled(path.name)
        known = self._met.get((code, name, group))
        if known is None or known.count < count:
            self._met[code, name, group] = Loss(code, Fate.DROPPED, name, count, why)


@dataclass(frozen=True, slots=True)
class GroupFacts:
    """What a group of rows says of itself; None where it does not, or where a row has nothing."""

    types: tuple[str, str] | None = None
    paths: tuple[str, str] | None = None

    @classmethod
    def of(cls, file: pq.ParquetFile, group: int) -> GroupFacts:
        """From the statistics in the footer."""
        return cls(_bounds(file, group, "attribute_type"), _bounds(file, group, "attribute_path"))

    def may_hold(self, types: Sequence[str]) -> bool:
        """Whether rows of one of these types may be here."""
        return self.types is None or any(self.types[0] <= one <= self.types[1] for one in types)

    def may_lie_below(self, prefix: str) -> bool:
        """Whether attributes whose paths begin so may be here."""
        if self.paths is None:
            return True
        return self.paths[0] <= f"{prefix}\U0010ffff" and prefix <= self.paths[1]


def _is_whole(path: Path) -> bool:
    file = whole_part(path)
    if file is None:
        return False
    file.close()
    return True


def _bounds(file: pq.ParquetFile, group: int, name: str) -> tuple[str, str] | None:
    """The least and the greatest text of a column that every row has; None where the footer does
    not tell."""
    facts = file.metadata.row_group(group)
    columns = (facts.column(number) for number in range(facts.num_columns))
    found = next((one for one in columns if one.path_in_schema == name), None)
    statistics = found.statistics if found is not None else None
    if statistics is None or not statistics.has_min_max:
        return None
    if not statistics.has_null_count or statistics.null_count:
        return None
    try:
        return str(statistics.min), str(statistics.max)
    except (ValueError, OverflowError, pa.ArrowException):  # damaged
        return None


def _rows_at_once(facts: pq.RowGroupMetaData) -> int:
    """So many that a batch stays small, whatever a row holds."""
    each = max(1, facts.total_byte_size // max(1, facts.num_rows))
    return min(BATCH_ROWS, max(_ROWS_AT_LEAST, int(_BYTES_AT_ONCE // each)))


def conformed(batch: pa.RecordBatch, columns: Sequence[str]) -> pa.RecordBatch:
    """The columns as the export's schema has them; an absent one is null.

    Raises ArrowInvalid for a column that cannot be what it should be.
    """
    arrays = []
    for name in columns:
        kind = EXPORT.field(name).type
        index = batch.schema.get_field_index(name)
        found = batch.column(index) if index >= 0 else pa.nulls(batch.num_rows, kind)
        arrays.append(found if found.type == kind else found.cast(kind))
    return pa.RecordBatch.from_arrays(arrays, schema=pa.schema([EXPORT.field(n) for n in columns]))

"""Rows of a copy of ours in the service as they were: from the tables that lie beside it."""

from __future__ import annotations

import errno
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from runferry import chunks, tables
from runferry.dialects.row_addresses import MOST_ROWS
from runferry.dialects.wandb.service_tables import (
    CONSOLE_FILE,
    ROWS,
    ROWS_FILE,
    SHOWN_WITHIN_NS,
    SourceRows,
)
from runferry.losses import Fate, Loss
from runferry.model import Address, MediaItem
from runferry.ports import BATCH_ROWS
from runferry.readers.wandb.service.files import RunFiles, ServedFile
from runferry.readers.wandb.service.position import Position

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MALFORMED: Final = (pa.ArrowException, OSError, KeyError, ValueError)
"""What a damaged file raises; Arrow's OSError for pages has no number, one of the disk has."""
_PIECE: Final = 1 << 20


@dataclass
class OwnRows:
    """Which rows of the source those of the service are, for values of either stream."""

    user: SourceRows
    system: SourceRows

    def restored(self, chunk: chunks.Chunk, system: set[str]) -> chunks.Chunk:
        """The chunk with the addresses that its rows had; `system` are the keys of machine metrics.

        What W&B shows at another time than it was sent is no row of ours.
        """
        match chunk:
            case chunks.Points(batch):
                return chunks.Points(self._rows(batch, system))
            case chunks.Texts(batch):
                return chunks.Texts(self._rows(batch, system))
            case chunks.Histograms(batch):
                return chunks.Histograms(self._rows(batch, system))
            case chunks.Media(items):
                return chunks.Media(tuple(map(self._medium, items)))
            case _:
                return chunk

    def _rows(self, batch: pa.RecordBatch, system: set[str]) -> pa.RecordBatch:
        keys = batch.column("key")
        is_system = np.array([key in system for key in keys.dictionary.to_pylist()], np.bool_)
        is_system = is_system[keys.indices.to_numpy()]
        time_ns = _times(batch)
        steps = batch.column("step").fill_null(-1).to_numpy()
        seq = batch.column("seq").to_numpy().copy()
        found = time_ns.copy()
        for rows, mask in ((self.user, ~is_system), (self.system, is_system)):
            wanted = time_ns if rows is self.system else steps
            within = SHOWN_WITHIN_NS if rows is self.system else 0
            places = np.where(mask, rows.places(wanted, within=within), -1)
            at = np.flatnonzero(places >= 0)
            at = at[np.abs(rows.time_ns[places[at]] - time_ns[at]) <= SHOWN_WITHIN_NS]
            seq[at] = rows.seq[places[at]]
            found[at] = rows.time_ns[places[at]]
        return _addressed(batch, seq, found)

    def _medium(self, item: MediaItem) -> MediaItem:
        at = item.at
        if at.step is None or at.time_ns is None:
            return item
        (place,) = self.user.places(np.array([at.step]))
        if place < 0 or abs(int(self.user.time_ns[place]) - at.time_ns) > SHOWN_WITHIN_NS:
            return item
        seq, time_ns = int(self.user.seq[place]), int(self.user.time_ns[place])
        return replace(item, at=Address(seq, at.step, at.step_frac, time_ns))


def rows_in(files: RunFiles, page: dict[str, Any]) -> tuple[OwnRows | None, tuple[Loss, ...]]:
    """What lies beside a run, and what is told where that cannot be had."""
    file = files.first_of(page, ROWS_FILE)
    if file is None or file.url is None:
        return None, ()
    try:
        with _fetched(files, file) as path:
            parquet = pq.ParquetFile(path)
            if parquet.metadata.num_rows > MOST_ROWS or not parquet.schema_arrow.equals(ROWS):
                raise ValueError("a table that runferry does not write")
            table = parquet.read()
            table.validate(full=True)  # Arrow takes any bytes for text
    except _MALFORMED as error:
        _raise_of_disk(error)
        return None, (_unreadable(ROWS_FILE, error),)
    user, system = (SourceRows.of(table, is_system=is_system) for is_system in (False, True))
    return OwnRows(user, system), ()


def console_file(files: RunFiles, page: dict[str, Any]) -> ServedFile | None:
    """The lines of a run as they were printed; None where they do not lie beside it."""
    file = files.first_of(page, CONSOLE_FILE)
    return None if file is None or file.url is None else file


def own_console(files: RunFiles, file: ServedFile, position: Position) -> Iterator[chunks.Chunk]:
    """Those behind the position."""
    try:
        with _fetched(files, file) as path:
            parquet, before = pq.ParquetFile(path), 0
            for batch in tables.decoded(parquet, batch_size=BATCH_ROWS):
                new = batch.slice(max(0, position.own_lines - before))
                before += batch.num_rows
                if new.num_rows:
                    yield chunks.Console(tables.conform(_encoded(new), tables.CONSOLE))
            position.own_lines = max(before, position.own_lines)
    except _MALFORMED as error:
        _raise_of_disk(error)
        yield chunks.Lost(_unreadable(CONSOLE_FILE, error))


def _raise_of_disk(error: Exception) -> None:
    if isinstance(error, OSError) and error.errno not in (None, errno.ENOENT):
        raise error


def _encoded(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Parquet gives the names of streams as plain texts."""
    at = batch.schema.get_field_index("stream")
    kind = tables.CONSOLE.field("stream").type
    return batch.set_column(at, "stream", batch.column(at).cast(kind))


def _unreadable(name: str, error: Exception) -> Loss:
    return Loss("unreadable-file", Fate.DROPPED, name, 1, f"not what runferry writes: {error}")


@contextmanager
def _fetched(files: RunFiles, file: ServedFile) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="runferry-") as folder:
        path = Path(folder, "table.parquet")
        with path.open("wb") as copy, files.opened(file) as stream:
            while piece := stream.read(_PIECE):
                copy.write(piece)
        yield path


def _times(batch: pa.RecordBatch) -> NDArray[np.int64]:
    """In nanoseconds; where there is none, one that nothing is near to."""
    micro = batch.column("time").cast(pa.int64())
    below = batch.column("time_ns").fill_null(0).to_numpy()
    found = micro.fill_null(0).to_numpy() * 1000 + below
    return np.where(np.asarray(micro.is_null()), np.iinfo(np.int64).min // 2, found)


def _addressed(
    batch: pa.RecordBatch, seq: NDArray[np.int64], time_ns: NDArray[np.int64]
) -> pa.RecordBatch:
    mask = np.asarray(batch.column("time").is_null())
    columns = {
        "seq": pa.array(seq),
        "time": pa.array(time_ns // 1000, mask=mask).cast(tables.TIME),
        "time_ns": pa.array((time_ns % 1000).astype(np.int16), mask=mask),
    }
    for name, column in columns.items():
        at = batch.schema.get_field_index(name)
        batch = batch.set_column(at, batch.schema.field(at), column)
    return batch

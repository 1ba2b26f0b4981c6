"""The exported part of a history: Parquet files behind URLs, in no stable order.

Columns are the names of values, nested ones joined by dots; what has a `_type` is a struct, and a
column of several types is JSON text. Where a name is absent its column is null.
"""

from __future__ import annotations

import errno
import hashlib
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO, Final, Self, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from runferry.dialects.wandb.service import Service
from runferry.errors import Damaged, NoSpace
from runferry.tables import UNDECODED, decoded

if TYPE_CHECKING:
    from numpy.typing import NDArray

STEP: Final = "_step"
_PIECE: Final = 1 << 20
_ROWS_AT_ONCE: Final = 65_536
_BATCHES_AT_ONCE: Final = 8
_BYTES_AT_ONCE: Final = 8 << 20
_FULL: Final = {errno.ENOSPC, errno.EDQUOT}


@dataclass
class Export:
    """One file: its rows, and between which steps they lie."""

    stream: BinaryIO
    parquet: pq.ParquetFile
    first_step: int
    last_step: int
    where: str
    """The run that it is of."""
    steps_before: NDArray[np.int64] | None = field(default=None, repr=False)
    """Steps that a file before this one has too, where there may be some."""

    @property
    def rows(self) -> int:
        """Of the file, those included that another has too."""
        return int(self.parquet.metadata.num_rows)

    def steps(self) -> NDArray[np.int64]:
        """All of its steps."""
        column = self.parquet.read([STEP]).column(STEP).cast(pa.int64())
        return cast("NDArray[np.int64]", column.to_numpy())

    def batches(self, rows: int) -> Iterator[pa.RecordBatch]:
        """So many rows at a time, without those that another file has. Raises Damaged.

        The next ones are decoded meanwhile, by a second thread.
        """
        for batch in _ahead(self._decoded(rows)):
            for start in range(0, batch.num_rows, rows):
                yield self._own(batch.slice(start, rows))

    def _decoded(self, rows: int) -> Iterator[pa.RecordBatch]:
        try:
            yield from decoded(self.parquet, batch_size=self._decoded_at_once(rows))
        except UNDECODED as error:
            raise _unreadable(self.where) from error

    def _decoded_at_once(self, rows: int) -> int:
        """Some batches: each column that is taken up again costs as much as a hundred values."""
        meta = self.parquet.metadata
        groups = map(meta.row_group, range(meta.num_row_groups))
        size: int = sum(group.total_byte_size for group in groups)
        fitting = _BYTES_AT_ONCE * self.rows // max(1, size)
        return max(rows, min(rows * _BATCHES_AT_ONCE, fitting))

    def _own(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        if self.steps_before is None:
            return batch
        steps = batch.column(STEP).cast(pa.int64()).to_numpy()
        return batch.filter(pa.array(~np.isin(steps, self.steps_before)))


class Exports:
    """All exports of a run, on the disk of this machine for as long as this is open."""

    def __init__(self, files: Sequence[Export], closing: ExitStack) -> None:
        self.files = files
        self._closing = closing

    @classmethod
    def fetched(cls, service: Service, urls: Sequence[str], where: str) -> Self:
        """The files behind the URLs, in the order of their steps. Raises Expired, Damaged."""
        with ExitStack() as opened:
            files: list[Export] = []
            for url in urls:
                stream = opened.enter_context(_temporary())
                with _disk():
                    service.fetch(url, stream)
                export = _export(stream, where)
                if export is not None and not any(_is_same(export, other) for other in files):
                    files.append(export)
            ordered = sorted(files, key=lambda file: (file.first_step, file.last_step))
            _mark_repeated(ordered)
            return cls(ordered, opened.pop_all())

    @property
    def last_step(self) -> int:
        """The highest one; -1 where there is no row."""
        return max((file.last_step for file in self.files), default=-1)

    def rows_until(self, step: int | None = None) -> int:
        """How many rows there are, each counted once; up to a step, if one is given."""
        count = 0
        for file in self.files:
            is_whole = step is None or file.last_step <= step
            if is_whole and file.steps_before is None:
                count += file.rows
            elif step is None or file.first_step <= step:
                count += int(_own(file, step).sum())
        return count

    def covers(self, step: int) -> bool:
        """Whether a step lies between those of an export."""
        return any(file.first_step <= step <= file.last_step for file in self.files)

    def close(self) -> None:
        """Let go of the files."""
        self._closing.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _ahead(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The same, each made while the one before it is in use."""
    with ThreadPoolExecutor(1, thread_name_prefix="exports") as thread:
        coming = thread.submit(next, batches, None)
        while (batch := coming.result()) is not None:
            coming = thread.submit(next, batches, None)
            yield batch


def _own(file: Export, step: int | None) -> NDArray[np.bool_]:
    steps = file.steps()
    own = np.ones(len(steps), bool) if step is None else steps <= step
    return own if file.steps_before is None else own & ~np.isin(steps, file.steps_before)


def _mark_repeated(files: Sequence[Export]) -> None:
    """An export may overlap with another that replaces it: each step is taken once."""
    for number, file in enumerate(files):
        overlapping = [each for each in files[:number] if each.last_step >= file.first_step]
        if overlapping:
            file.steps_before = np.unique(np.concatenate([each.steps() for each in overlapping]))


def _export(stream: BinaryIO, where: str) -> Export | None:
    """What was fetched; None for a file without rows. Raises Damaged."""
    stream.seek(0)
    try:
        parquet = pq.ParquetFile(stream)
        if not parquet.metadata.num_rows:
            return None
        bounds = [_bounds(batch.column(0)) for batch in _steps(parquet)]
    except (*UNDECODED, KeyError, ValueError) as error:
        raise _unreadable(where) from error
    lowest, highest = min(low for low, _ in bounds), max(high for _, high in bounds)
    return Export(stream, parquet, lowest, highest, where)


def _unreadable(where: str) -> Damaged:
    return Damaged(
        "an export of the history cannot be read",
        where=where,
        hint="run the same command again; if it stays so, tell W&B's support",
        offset=None,
    )


def _steps(parquet: pq.ParquetFile) -> Iterator[pa.RecordBatch]:
    if STEP not in parquet.schema_arrow.names:
        raise ValueError("no column of steps")
    yield from parquet.iter_batches(batch_size=_ROWS_AT_ONCE, columns=[STEP])


def _bounds(column: pa.Array) -> tuple[int, int]:
    steps = column.cast(pa.int64())
    if steps.null_count:
        raise ValueError("a row without a step")
    values = steps.to_numpy()
    return int(values.min()), int(values.max())


def _is_same(one: Export, other: Export) -> bool:
    """Whether it is the same file, which may come behind two URLs."""
    told = [(file.first_step, file.last_step, file.rows) for file in (one, other)]
    return told[0] == told[1] and _digest(one.stream) == _digest(other.stream)


def _digest(stream: BinaryIO) -> bytes:
    stream.seek(0)
    digest = hashlib.blake2b(digest_size=16)
    while piece := stream.read(_PIECE):
        digest.update(piece)
    return digest.digest()


@contextmanager
def _temporary() -> Iterator[BinaryIO]:
    with _disk(), tempfile.TemporaryFile(prefix="runferry-") as stream:
        yield cast(BinaryIO, stream)


@contextmanager
def _disk() -> Iterator[None]:
    """Says what to do when the disk is full."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise NoSpace(
            "the disk is full; exports of a history are kept there while they are read",
            where=tempfile.gettempdir(),
            hint="free some space, or set TMPDIR to a folder on another disk",
        ) from error

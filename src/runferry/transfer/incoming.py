"""What a reader yields, as the archive takes it: conformed, selected, counted, interruptible."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

import pyarrow as pa

from runferry import chunks, tables
from runferry.chunks import Chunk
from runferry.model import Run, RunKey, Series, Tree, same_value
from runferry.ports import BATCH_ROWS
from runferry.transfer.progress import Interrupted, Observer, StopToken
from runferry.transfer.rows import batches_of, rekeyed
from runferry.transfer.selection import Choice, Selection

if TYPE_CHECKING:
    from runferry.archive.store import RunRecord


@dataclass(frozen=True, slots=True)
class Position:
    """What a commit record keeps of a pull: the reader's own position, and what was chosen."""

    choice: Choice = ()  # of series
    reader: Tree = None
    is_given: bool = False  # the reader said where it can be continued from

    def to_tree(self) -> Tree:
        """As it is stored."""
        chosen: list[Tree] = [list(globs) for globs in self.choice]
        return {"metrics": chosen, "reader": [self.reader] if self.is_given else []}

    @classmethod
    def from_tree(cls, tree: Tree) -> Position:
        """The inverse; of a run that no pull wrote, a position that says nothing."""
        match tree:
            case {"metrics": [*chosen], "reader": [*reader]}:
                choice = tuple(
                    tuple(map(str, globs)) for globs in chosen if isinstance(globs, list)
                )
                return cls(choice, reader[0] if reader else None, bool(reader))
            case _:
                return cls()


def position_of(record: RunRecord) -> Position:
    """Where the last pull of a run ended."""
    return Position.from_tree(record.position) if record.has_cursor else Position()


RowChunk: TypeAlias = chunks.Points | chunks.Texts | chunks.Histograms | chunks.Console

_SCHEMAS: dict[type[RowChunk], pa.Schema] = {
    chunks.Points: tables.POINTS,
    chunks.Texts: tables.TEXTS,
    chunks.Histograms: tables.HISTOGRAMS,
    chunks.Console: tables.CONSOLE,
}


def conformed(chunk: RowChunk) -> RowChunk:
    """The chunk with exactly the columns of its table."""
    batch = tables.conform(chunk.batch, _SCHEMAS[type(chunk)])
    return chunk if batch is chunk.batch else replace(chunk, batch=batch)


class Incoming:
    """One reading of one run, from its beginning (`is_whole`) or from a cursor."""

    def __init__(
        self,
        run: Run,
        kept_as: RunKey,
        selection: Selection,
        observer: Observer,
        stop: StopToken,
        *,
        is_whole: bool = True,
    ) -> None:
        self._run = run
        self._is_whole = is_whole
        self._kept_as = kept_as
        self._selection = selection
        self._observer = observer
        self._stop = stop
        self._is_positioned = False
        self.rows = 0
        self.size_bytes = 0
        self.left_out = 0  # series that the user did not choose

    def of(self, source: Iterable[Chunk]) -> Iterator[Chunk]:
        """The chunks to put; raises Interrupted between two of them after a stop."""
        for chunk in source:
            for taken in self._taken(chunk):
                if self._stop.is_set:
                    raise Interrupted
                yield taken
                self._count(taken)
        if self._is_whole and not self._is_positioned:  # what was chosen is remembered all the same
            yield chunks.Checkpoint(Position(self._selection.choice).to_tree())

    def _taken(self, chunk: Chunk) -> Iterator[Chunk]:
        match chunk:
            case chunks.Header(run):
                yield chunks.Header(replace(run, key=self._kept_as))
            case chunks.SeriesFacts(items):
                chosen = tuple(s for s in items if self._selection.takes_series(s.key))
                self.left_out += len(items) - len(chosen)
                if chosen:
                    yield chunks.SeriesFacts(chosen)
            case chunks.Points() | chunks.Texts() | chunks.Histograms() | chunks.Console():
                yield from self._rows(conformed(chunk))
            case chunks.Media(items):
                pieces = tuple(i for i in items if self._selection.takes_series(i.key))
                if pieces:
                    yield chunks.Media(pieces)
            case chunks.Checkpoint(position):
                self._is_positioned = True
                kept = Position(self._selection.choice, position, is_given=True)
                yield chunks.Checkpoint(kept.to_tree())
            case _:
                yield chunk

    def _rows(self, chunk: RowChunk) -> Iterator[Chunk]:
        batch = chunk.batch
        if self._selection.metrics and not isinstance(chunk, chunks.Console):
            batch = rekeyed(batch, self._chosen)
        for piece in batches_of(batch, BATCH_ROWS, whole=False):
            yield chunk if piece is chunk.batch else replace(chunk, batch=piece)

    def _chosen(self, key: str) -> str | None:
        return key if self._selection.takes_series(key) else None

    def _count(self, chunk: Chunk) -> None:
        rows, size_bytes = weight(chunk)
        self.rows += rows
        self.size_bytes += size_bytes
        if rows or size_bytes:
            self._observer.advanced("pull", self._run, rows, size_bytes)


def weight(chunk: Chunk) -> tuple[int, int]:
    """How many rows a chunk has, as `verify` and `plan` count them, and bytes of blobs.

    Rows are values of series, media, console lines and raw records.
    """
    match chunk:
        case (
            chunks.Points(batch)
            | chunks.Texts(batch)
            | chunks.Histograms(batch)
            | chunks.Console(batch)
        ):
            return batch.num_rows, 0
        case chunks.Media(items):
            return len(items), sum(item.blob.size or 0 for item in items)
        case chunks.Raw():
            return 1, 0
        case chunks.File(blob=blob):
            return 0, blob.size or 0
        case chunks.Artifact(entries=entries):
            return 0, sum(entry.blob.size or 0 for entry in entries)
        case _:
            return 0, 0


class News:
    """Tells what a reader says anew from what it only restates."""

    def __init__(self, record: RunRecord, series: tuple[Series, ...]) -> None:
        self._record = record
        self._attributes = {(item.role, item.path): item.value for item in record.attributes}
        self._series = {item.key: replace(item, counts=None) for item in series}
        self._losses = set(record.losses)
        self.found = False

    def skip(self, source: Iterator[Chunk]) -> list[Chunk]:
        """The chunks up to and with the first news; all of them when there is none."""
        restated: list[Chunk] = []
        for chunk in source:
            if isinstance(chunk, chunks.Lost) and chunk.loss in self._losses:
                continue  # the same damage in the same place: it was counted when it was met
            restated.append(chunk)
            if self._is_new(chunk):
                self.found = True
                break
        return restated

    def _is_new(self, chunk: Chunk) -> bool:
        match chunk:
            case chunks.Header(run):
                return run != self._record.run
            case chunks.Attributes(items, is_whole):
                if is_whole and len(items) != len(self._attributes):
                    return True
                missing = object()
                for item in items:
                    known = self._attributes.get((item.role, item.path), missing)
                    if known is missing or not same_value(known, item.value):  # type: ignore[arg-type]
                        return True
                return False
            case chunks.SeriesFacts(items):
                return any(self._series.get(item.key) != item for item in items)
            case chunks.Checkpoint(position):
                return not same_value(position, self._record.position)
            case _:
                return True

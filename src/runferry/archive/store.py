"""The archive: a folder of immutable segments and one commit record a run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from runferry.chunks import Chunk
from runferry.losses import Loss
from runferry.model import Attribute, Cursor, Inventory, Run, Series, Tree, Uid

if TYPE_CHECKING:
    import pyarrow as pa

    from runferry.archive.ledger import Ledger


@dataclass(frozen=True, slots=True)
class Segment:
    """One immutable data file of a run."""

    table: str  # points, texts, …
    number: int
    path: str  # below the archive, with "/"
    rows: int
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A run's commit record: the run exists in the archive exactly when this does."""

    run: Run
    attributes: tuple[Attribute, ...]
    losses: tuple[Loss, ...]
    segments: tuple[Segment, ...]
    position: Tree  # the reader's cursor
    generation: int  # 1, 2, … : one more for each commit
    digest: str  # of all content: equal for equal runs, however they were pulled


class Archive:
    """One archive folder; may be shared between threads and processes."""

    path: Path

    @classmethod
    def open(cls, path: Path, *, create: bool = False) -> Self:
        """Raises NotFound, NewerFormat, Corrupt."""
        raise NotImplementedError

    def records(self) -> Iterator[RunRecord]:
        """Every run's latest commit record, by uid."""
        raise NotImplementedError

    def record(self, uid: Uid) -> RunRecord | None:
        """One run's latest commit record."""
        raise NotImplementedError

    def series(self, record: RunRecord) -> tuple[Series, ...]:
        """The run's series with their counts."""
        raise NotImplementedError

    def cursor(self, record: RunRecord) -> Cursor | None:
        """What a reader continues from; None if it said that it cannot."""
        raise NotImplementedError

    def inventory(self, record: RunRecord) -> Inventory:
        """What `plan` needs."""
        raise NotImplementedError

    def draft(self, run: Run, *, after: RunRecord | None = None) -> RunDraft:
        """Begin to write a run, or to extend the one in `after`. Raises Locked, NoSpace."""
        raise NotImplementedError

    def chunks(
        self, record: RunRecord, *, skip: Sequence[Segment] = (), order: str = "any"
    ) -> Iterator[Chunk]:
        """The run as chunks: header, attributes, series, then rows, files, artifacts, losses.

        `order="any"` goes by segment, key, seq; "step" merges all series by (step, seq), a row
        (all values of one seq) never split between chunks. Segments in `skip` are left out.
        """
        raise NotImplementedError

    def table(self, record: RunRecord, name: str, *, stream: str | None = None) -> pa.Table:
        """One whole table of a run, for people; `name` as in the layout."""
        raise NotImplementedError

    @property
    def ledger(self) -> Ledger:
        """What was pushed where."""
        raise NotImplementedError


class RunDraft:
    """A run being written: nothing of it is visible before `commit` has returned."""

    def put(self, chunk: Chunk) -> None:
        """Add one chunk."""
        raise NotImplementedError

    def commit(self) -> RunRecord:
        """Make all of it durable and visible in one step. Raises Locked when another came first."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Without a commit, nothing was written."""
        raise NotImplementedError

"""An exact run that runferry keeps beside what it wrote for a tracker."""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from runferry.chunks import Chunk, Lost
from runferry.dialects.plain_folder.parquet_form import ParquetForm
from runferry.errors import Damaged
from runferry.losses import Fate, Loss
from runferry.model import Cursor, Run, RunKey
from runferry.paths import spelled
from runferry.readers.local_runs import LocalRun, RunAround
from runferry.readers.plain_folder.reader import WrittenRun
from runferry.readers.renaming import restored

_log = logging.getLogger(__name__)


CODE: Final = "damaged-copy"
_SAID = TypeVar("_SAID")


class DamagedCopies:
    """Exact copies that cannot be read: what was made of them for a tracker is read instead.

    That loses what the tracker had no place for, so the run that is read says it before all else.
    """

    def __init__(self) -> None:
        self._losses: dict[Hashable, list[Loss]] = {}

    def read(self, how: Callable[[Path], _SAID], folder: Path, made: Hashable) -> _SAID | None:
        """What a copy says of itself; None for one that is damaged, not there, or on its way out.

        `made` is what was made of it, as narrowly as is known: a run, or the place that it is in.
        """
        try:
            return how(folder)
        except FileNotFoundError:
            return None
        except Damaged as error:
            told = "the exact copy cannot be read, and what was made of it is read instead"
            _log.warning("%s: %s (%s)", folder, told, error.what)
            detail = f"{told}: {error.what}"
            loss = Loss(CODE, Fate.DROPPED, spelled(folder.name), 1, detail)
            self._losses.setdefault(made, []).append(loss)
            return None

    def told_by(self, run: LocalRun, *places: Hashable) -> LocalRun:
        """A tracker's run, and what was lost where it was made of a copy that is damaged.

        `places` are what `made` may have been; of a place the first of its runs tells it.
        """
        losses = tuple(loss for place in places for loss in self._losses.pop(place, ()))
        return ReadInstead(run, losses) if losses else run


@dataclass(frozen=True, slots=True)
class ReadInstead(RunAround):
    """A tracker's run of which the exact copy is damaged."""

    losses: tuple[Loss, ...]

    def read(self, run: Run, after: Cursor | None = None) -> Iterator[Chunk]:
        """See `runferry.ports.Reader`; the loss is told once."""
        if after is None:
            yield from map(Lost, self.losses)
        yield from self.run.read(run, after)


@dataclass(frozen=True, slots=True)
class OwnFolder:
    """A run of our own store."""

    folder: Path
    sources: tuple[Path, ...]
    """What was made of it for the tracker, which is not read as anybody's then."""
    run: Run

    @property
    def key(self) -> RunKey:
        """Its own, whatever tracker it comes from."""
        return self.run.key

    def header(self) -> Run:
        """As it was sealed."""
        return self.run

    def read(self, run: Run, after: Cursor | None = None) -> Iterator[Chunk]:
        """All of the run, under the names that it had before it was written for the tracker."""
        return restored(WrittenRun(self.folder, ParquetForm()).read(run, after))

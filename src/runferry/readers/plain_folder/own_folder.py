"""An exact run that runferry keeps beside what it wrote for a tracker."""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePath
from typing import TypeVar

from runferry.chunks import Chunk, Header, Lost
from runferry.errors import Damaged
from runferry.losses import Fate, Loss
from runferry.model import Cursor, Run, RunKey
from runferry.paths import spelled
from runferry.readers.local_runs import LocalRun, RunAround, refuse_cursor
from runferry.readers.plain_folder.exact_copy import CODE, INSTEAD, because, exactly

_log = logging.getLogger(__name__)


_SAID = TypeVar("_SAID")


class DamagedCopies:
    """Exact copies that cannot be read: what was made of them for a tracker is read instead.

    That loses what the tracker had no place for, so the run that is read says it before all else.
    """

    def __init__(self) -> None:
        self._losses: dict[Hashable, list[Loss]] = {}

    def read(self, how: Callable[[Path], _SAID], folder: Path, made: Hashable) -> _SAID | None:
        """What a copy says of itself; None for one that is damaged, or on its way out.

        `made` is what was made of it, as narrowly as is known: a run, or the place that it is in.
        """
        try:
            return how(folder)
        except FileNotFoundError as error:
            if not folder.is_dir():  # on its way out, as a whole
                return None
            detail = f"{INSTEAD}: {PurePath(error.filename).name} is gone"
        except Damaged as error:
            detail = because(error)
        _log.warning("%s: %s", folder, detail)
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
    made: LocalRun | None = None
    """What others read of it; None where there is no such thing on this machine."""

    @property
    def key(self) -> RunKey:
        """Its own, whatever tracker it comes from."""
        return self.run.key

    def header(self) -> Run:
        """As it was sealed."""
        return self.run

    def read(self, run: Run, after: Cursor | None = None) -> Iterator[Chunk]:
        """All of the run; of a damaged copy what was made of it. Raises SourceChanged."""
        refuse_cursor(after, self.folder)
        made = self.made
        return exactly(self.folder, run, None if made is None else partial(_as_made, made, run))


def _as_made(made: LocalRun, run: Run) -> Iterator[Chunk]:
    """What was made of a run, under the run's own key."""
    for chunk in made.read(replace(run, key=made.key)):
        if isinstance(chunk, Header):
            yield Header(replace(chunk.run, key=run.key, origin_uid=run.origin_uid))
        else:
            yield chunk

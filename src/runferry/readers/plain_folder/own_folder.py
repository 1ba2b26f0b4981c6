"""An exact run that runferry keeps beside what it wrote for a tracker."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from runferry.chunks import Chunk
from runferry.dialects.plain_folder.parquet_form import ParquetForm
from runferry.errors import Damaged
from runferry.model import Cursor, Run, RunKey
from runferry.readers.plain_folder.reader import WrittenRun

_log = logging.getLogger(__name__)


@contextmanager
def unless_damaged(folder: Path) -> Iterator[None]:
    """Where the exact copy in a folder cannot be read, what was made of it counts: that is said.

    One that is not there, or on its way out, is passed over.
    """
    try:
        yield
    except FileNotFoundError:
        return
    except Damaged as error:
        told = "the exact copy cannot be read, and what was made of it is read instead"
        _log.warning("%s: %s (%s)", folder, told, error.what)


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
        """All of the run."""
        return WrittenRun(self.folder, ParquetForm()).read(run, after)

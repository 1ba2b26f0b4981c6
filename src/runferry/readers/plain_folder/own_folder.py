"""An exact run that runferry keeps beside what it wrote for a tracker."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from runferry.chunks import Chunk
from runferry.dialects.plain_folder.parquet_form import ParquetForm
from runferry.model import Cursor, Run, RunKey
from runferry.readers.plain_folder.reader import WrittenRun


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

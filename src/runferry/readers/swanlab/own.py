"""Gives back, exactly, the runs that we wrote beside what SwanLab reads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from runferry.chunks import Chunk
from runferry.dialects.plain_folder.folders import Folders
from runferry.dialects.plain_folder.layout import form_of
from runferry.dialects.plain_folder.parquet_form import ParquetForm
from runferry.dialects.plain_folder.run_file import read_run_file
from runferry.dialects.swanlab.names import STORE, STORE_MARK
from runferry.dialects.swanlab.own_store import shown_in
from runferry.errors import Damaged
from runferry.model import Cursor, Run, RunKey
from runferry.paths import folders_below
from runferry.readers.plain_folder.reader import WrittenRun


@dataclass(frozen=True, slots=True)
class OwnRun:
    """A run of our own store."""

    folder: Path
    log: Path
    """What SwanLab was shown of it, which is not read then."""
    run: Run

    @property
    def key(self) -> RunKey:
        """Its own, whatever tracker it comes from."""
        return self.run.key

    @property
    def shown(self) -> Path:
        """The run folder that was made of it."""
        return self.log.parent.resolve()

    @property
    def sources(self) -> tuple[Path, ...]:
        """The log that was made of it."""
        return (self.log,)

    def header(self) -> Run:
        """As it was sealed."""
        return self.run

    def read(self, run: Run, after: Cursor | None = None) -> Iterator[Chunk]:
        """All of the run."""
        return WrittenRun(self.folder, ParquetForm()).read(run, after)


def own_runs(root: Path) -> Iterator[OwnRun]:
    """Those at or below a folder, as long as what was made of them stands as it was written.

    One whose account of itself cannot be read is left to who reads anybody's.
    """
    homes = [folder.path for folder in folders_below(root) if STORE in folder.names]
    for home in homes:
        if form_of(home / STORE) != STORE_MARK:
            continue
        for folder in Folders(home / STORE).complete():
            with suppress(FileNotFoundError, Damaged):
                shown = shown_in(folder)
                if shown.stands(home):
                    yield OwnRun(folder, home / shown.folder / shown.log, read_run_file(folder).run)

"""A reader of any table: every file below a folder is a run, or holds several of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from runferry.errors import BadLocation, NotFound, RunferryError, SourceError
from runferry.losses import Fate, Loss
from runferry.model import Kind, Run, Tree
from runferry.readers.finding import files_named, key_of, label_of, signature_of
from runferry.readers.lfs import is_lfs_pointer, lfs_error, lfs_loss
from runferry.readers.local_runs import unreadable
from runferry.readers.tabular.block import TableFile
from runferry.readers.tabular.chosen import meaning_of
from runferry.readers.tabular.reading import RunTable, TableRun
from runferry.readers.tabular.run_rows import RunRows
from runferry.readers.tabular.table_reader import TableReader

_HEAD = 4096  # bytes that tell apart what is no table


class AnyTableReader(TableReader):
    """What `csv`, `parquet` and `jsonl` do alike; a subclass says how a file is opened."""

    gives: ClassVar[frozenset[Kind]] = frozenset({"scalar", "text", "raw"})
    suffixes: ClassVar[tuple[str, ...]]

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Whether this is a file with our suffix; of folders, any may hold a table."""
        return cls._is_named(path.name) and path.is_file()

    @classmethod
    def _is_named(cls, name: str) -> bool:
        return name.lower().endswith(cls.suffixes)

    def table(self, path: Path, label: str) -> tuple[TableFile, Tree, tuple[Loss, ...]]:
        """The table, its first record, and what is to be said of its form.

        Raises NotFound for a table without a row, SourceError for what is none.
        """
        raise NotImplementedError

    def with_names(self, table: TableFile, column: int) -> TableFile:
        """The table with this column's values as names, where its cells could mean numbers too."""
        del column
        return table

    def look(self) -> Iterator[TableRun]:
        """By folder and name; of one file by the first row of each run."""
        is_named = not self.root.is_dir()
        for path in files_named(self.root, self._is_named):
            label = label_of(self.root, path)
            try:
                yield from self._runs_of(path, label)
            except (SourceError, BadLocation) as error:
                if is_named:
                    raise
                yield from self._unread(path, label, error)
            except OSError as error:
                if is_named:
                    raise
                yield from self._unread(path, label, unreadable(error, (path,)))

    def _runs_of(self, path: Path, label: str) -> Iterator[TableRun]:
        if is_lfs_pointer(path):
            raise lfs_error(path)
        table, record, losses = self.table(path, label)
        meaning, guessed = meaning_of(table.columns(), self.options, path)
        signature = signature_of(record)
        run = Run(key_of(self.name, label, signature), name=label)
        whole = TableRun(run, (RunTable(label, table, meaning),), losses=(*losses, *guessed))
        if meaning.run is None:
            yield whole
            return
        column = meaning.run[0]
        table = self.with_names(table, column)
        runs = RunRows.of(table, column)
        detail = "rows that name no run belong to none"
        said = whole.losses
        if runs.nameless:
            said += (Loss("row-without-run", Fate.DROPPED, label, runs.nameless, detail),)
        for name in runs.spans:
            own = runs.table(table, column, name)
            part = RunTable(label, own, replace(meaning, run=(column, name)))
            key = key_of(self.name, f"{label}:{name}", signature)
            yield replace(whole, run=Run(key, name=name), tables=(part,), losses=said)

    def _unread(self, path: Path, label: str, error: RunferryError) -> Iterator[TableRun]:
        """A file of a folder that is no table: named in the run's stead, while others go on."""
        if isinstance(error, NotFound) and not is_lfs_pointer(path):
            self.pass_over(path, error.what)
            return
        run = Run(key_of(self.name, label, signature_of(_head(path))), name=label)
        if is_lfs_pointer(path):
            yield TableRun(run, losses=(lfs_loss(label),))
        else:
            yield TableRun(run, failure=error)


def _head(path: Path) -> bytes:
    """What a file that is no table begins with; nothing of one that is closed to us, or gone."""
    try:
        with path.open("rb") as stream:
            return stream.read(_HEAD)
    except OSError:  # reading the run tells it
        return b""

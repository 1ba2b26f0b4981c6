"""The reader of Lightning's CSVLogger: folders with `metrics.csv` and `hparams.yaml`.

Source of the format: `lightning/fabric/loggers/csv_logs.py` and `lightning/pytorch/core/saving.py`.
A blank is "not logged". When a metric is new, Lightning writes the file anew under a wider header;
then a cursor is refused, and the run is read from its beginning. `hparams.yaml` is written before
any row, and with the same text again with each of them: it tells runs apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from runferry.dialects.run_folder import HPARAMS, Text, text_beside
from runferry.errors import NotFound, SourceError
from runferry.losses import Fate, Loss
from runferry.model import Kind, Run, RunKey
from runferry.paths import Folder, folders_below, regular
from runferry.readers.finding import key_of, label_of, signature_of
from runferry.readers.lfs import is_lfs_pointer, lfs_error, lfs_loss
from runferry.readers.tabular.csv_form import CsvForm, form_if_table, form_of
from runferry.readers.tabular.csv_table import CsvTable
from runferry.readers.tabular.names import column_paths
from runferry.readers.tabular.reading import RunTable, TableRun
from runferry.readers.tabular.table_reader import NO_ROW, TableReader
from runferry.readers.tabular.wide import Meaning

METRICS = "metrics.csv"
_VERSION = re.compile(r"version_\d+")
_EVENTS = "events.out.tfevents"  # then the run is TensorBoard's, and the configuration with it


class LightningReader(TableReader):
    """Every folder with a `metrics.csv` that has a `step` column, or with `hparams.yaml` alone."""

    name: ClassVar[str] = "lightning"
    gives: ClassVar[frozenset[Kind]] = frozenset({"scalar", "text", "other", "config", "raw"})
    takes: ClassVar[str] = "a folder that CSVLogger wrote, such as lightning_logs"

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Whether such a folder lies here, or this is its `metrics.csv`."""
        if not path.is_dir():
            return path.name == METRICS and _form(path) is not None
        return any(map(_is_run, folders_below(path)))

    def look(self) -> Iterator[TableRun]:
        """By folder."""
        if not self.root.is_dir():
            form = form_of(self.root)
            if "step" in form.names:
                yield from self._run(self.root.parent, form, self.root)
            return
        for folder in filter(_is_run, folders_below(self.root)):
            path = folder.path / METRICS
            yield from self._run(folder.path, _form(path), path)

    def _run(self, folder: Path, form: CsvForm | None, path: Path) -> Iterator[TableRun]:
        """The run of a folder; none while there is neither a configuration nor a row."""
        below = label_of(self.root if self.root.is_dir() else folder, folder)
        said = text_beside(folder, HPARAMS)
        config = said.text if isinstance(said, Text) else None
        if config is None and form is not None and not form.first:
            self.pass_over(path, NO_ROW)
            return
        run = Run(_key(self.name, below, config, form), name=below)
        if form is None or not form.first:
            yield TableRun(run, losses=_without_rows(path), folder=folder)
            return
        columns, losses = column_paths(form.names, METRICS)
        meaning = Meaning(step=columns.index(("step",)))
        table = CsvTable(path, METRICS, form, columns)
        yield TableRun(run, (RunTable(METRICS, table, meaning),), losses=losses, folder=folder)

    def check(self) -> None:
        """Raises what is wrong with a file that was named."""
        if is_lfs_pointer(self.root):
            raise lfs_error(self.root)
        super().check()


def _key(tracker: str, below: str, config: str | None, form: CsvForm | None) -> RunKey:
    """By what is there first and stays: the configuration, and where there is none the first row.

    Versions with one configuration are told apart by their folders.
    """
    if config is not None:
        return key_of(tracker, below, signature_of(config))
    return key_of(tracker, below, signature_of("" if form is None else dict(form.record())))


def _is_run(folder: Folder) -> bool:
    names, path = folder.names, folder.path
    if METRICS in names and _form(path / METRICS) is not None:
        return True
    if not _VERSION.fullmatch(path.name) or any(name.startswith(_EVENTS) for name in names):
        return False
    is_pointer = METRICS in names and is_lfs_pointer(path / METRICS)
    return is_pointer or (HPARAMS in names and regular(path / HPARAMS) is not None)


def _form(path: Path) -> CsvForm | None:
    form = form_if_table(path)
    return form if form is not None and "step" in form.names else None


def _without_rows(path: Path) -> tuple[Loss, ...]:
    """Why a run has no rows."""
    if regular(path) is None:
        return ()
    if is_lfs_pointer(path):
        return (lfs_loss(METRICS),)
    try:
        form_of(path)
    except SourceError as error:
        code = "empty-file" if isinstance(error, NotFound) else "unreadable-file"
        fate = Fate.KEPT if isinstance(error, NotFound) else Fate.DROPPED
        return (Loss(code, fate, METRICS, 1, error.what),)
    return (Loss("header-only", Fate.KEPT, METRICS, 1, "no row was written yet"),)

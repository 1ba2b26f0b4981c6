"""The reader of Keras' CSVLogger, told by its content: the first column is `epoch`.

Data sets may have such a column too. So a file that nobody named is a log only if it begins with
the number of an epoch, and another column is called as metrics are and has a number.

Source of the format: keras/src/callbacks/csv_logger.py of Keras 3, unchanged in form since Keras 1.
YOLO's `results.csv` has the same form, with padded names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from runferry.model import Kind, Run
from runferry.readers.finding import begins_with, files_named, key_of, label_of, signature_of
from runferry.readers.tabular.csv_form import CsvForm, form_if_table, guess_separator, is_number
from runferry.readers.tabular.csv_table import CsvTable
from runferry.readers.tabular.names import column_paths
from runferry.readers.tabular.reading import RunTable, TableRun
from runferry.readers.tabular.table_reader import NO_ROW, TableReader
from runferry.readers.tabular.wide import Meaning

_SUFFIXES = (".csv", ".log", ".tsv")
_OTHERS = re.compile(r"(?:progress.*\.csv)|(?:.*monitor\.csv)")
_NOT_LOGGED = frozenset({"NA"})  # a validation metric of an epoch that was not validated
_EPOCH = re.compile(r"\s*\d{1,5}(?:\.0*)?\s*")
_WORDS = "val|valid|train|lr|learning|metrics?|auc|mae|mse|rmse|precision|recall|f1|map|iou|dice"
_TELLING = re.compile(rf"loss|acc|(?:^|[^a-z])(?:{_WORDS}|score|perplexity)(?:[^a-z]|$)")
"""What metrics of a training are called, in lower case."""
_FIRST = re.compile(r'\s*("?)epoch\1\s*([^\w\s"]|\t| )')


class KerasReader(TableReader):
    """Every file below a folder whose first column is `epoch`: one run each."""

    name: ClassVar[str] = "keras"
    gives: ClassVar[frozenset[Kind]] = frozenset({"scalar", "text", "raw"})
    takes: ClassVar[str] = "a file that CSVLogger wrote, or a folder of such files"

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Whether such a file lies here, by the first line of files that may be one."""
        return any(_form(file) is not None for file in files_named(path, _may_be))

    def look(self) -> Iterator[TableRun]:
        """By folder and name."""
        for path in files_named(self.root, _may_be):
            form = _form(path) if self.root.is_dir() else _form_of_named(path)
            if form is not None and not form.first:
                self.pass_over(path, NO_ROW)
            elif form is not None:
                yield self._run(path, form)

    def _run(self, path: Path, form: CsvForm) -> TableRun:
        label = label_of(self.root, path)
        columns, losses = column_paths(form.names, label)
        run = Run(key_of(self.name, label, signature_of(dict(form.record()))), name=label)
        table = CsvTable(path, label, form, columns, _NOT_LOGGED)
        return TableRun(run, (RunTable(label, table, Meaning(step=0)),), losses=losses)


def _form(path: Path) -> CsvForm | None:
    """The form of a file that is a log of a training by what stands in it; None for any other."""
    form = _form_of_named(path)
    return form if form is not None and _is_of_training(form) else None


def _is_of_training(form: CsvForm) -> bool:
    if form.first and not _EPOCH.fullmatch(form.first[0]):
        return False
    cells = form.first or ("0",) * len(form.names)
    named = zip(form.names[1:], cells[1:], strict=False)
    return any(_TELLING.search(name.lower()) and is_number(cell) for name, cell in named)


def _form_of_named(path: Path) -> CsvForm | None:
    """The form of a file that has `epoch` for its first column, and others; None for any other."""
    if not begins_with(path, b"epoch"):
        return None
    form = form_if_table(path, _separator)
    if form is None:
        return None
    names = [name.strip() for name in form.names]
    is_lightning = path.name == "metrics.csv" and "step" in names
    is_chart = any(name.endswith("__MAX") for name in names)
    is_ours = len(names) > 1 and names[0] == "epoch" and not is_lightning and not is_chart
    return form if is_ours else None


def _separator(header: str) -> str:
    """What stands behind `epoch`, since Keras takes any."""
    found = _FIRST.match(header)
    return found[2] if found else guess_separator(header)


def _may_be(name: str) -> bool:
    return name.lower().endswith(_SUFFIXES) and not _OTHERS.fullmatch(name)

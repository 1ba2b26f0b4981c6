"""The reader `csv`: any file of separated values, its step and time columns named by the user."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from runferry.errors import NotFound
from runferry.losses import Fate, Loss
from runferry.model import Tree
from runferry.readers.tabular.any_table import AnyTableReader
from runferry.readers.tabular.block import TableFile
from runferry.readers.tabular.csv_form import form_of
from runferry.readers.tabular.csv_table import CsvTable
from runferry.readers.tabular.names import column_paths
from runferry.readers.tabular.table_reader import NO_ROW


class CsvReader(AnyTableReader):
    """Every `.csv` and `.tsv` file below a folder, or one file of any name."""

    name: ClassVar[str] = "csv"
    takes: ClassVar[str] = "a file of separated values, or a folder with .csv or .tsv files"
    suffixes: ClassVar[tuple[str, ...]] = (".csv", ".tsv")

    def table(self, path: Path, label: str) -> tuple[TableFile, Tree, tuple[Loss, ...]]:
        """See `AnyTableReader.table`."""
        form = form_of(path, takes_unended=True)
        if not form.first:
            raise NotFound(NO_ROW, where=str(path), hint=f"wc -l {shlex.quote(str(path))}")
        columns, losses = column_paths(form.names, label)
        if form.encoding != "utf-8":
            losses += (Loss("encoding", Fate.REENCODED, label, 1, f"{form.encoding} became UTF-8"),)
        if form.preamble:
            detail = f"the line before the header: {form.preamble[:200]}"
            losses += (Loss("preamble", Fate.DROPPED, f"{label}:1", 1, detail),)
        table = CsvTable(path, label, form, columns, takes_unended=True)
        return table, dict(form.record()), losses

    def with_names(self, table: TableFile, column: int) -> TableFile:
        """See `AnyTableReader.with_names`."""
        assert isinstance(table, CsvTable)
        return replace(table, names=frozenset({column}))

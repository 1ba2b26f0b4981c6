"""The cells of a file of separated values, as the table gives them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from runferry import chunks
from runferry.losses import Loss
from runferry.readers.tabular.cells import BOOL, INT
from runferry.readers.tabular.csv_form import form_of
from runferry.readers.tabular.csv_table import CsvTable
from runferry.readers.tabular.names import column_paths

Cell = int | float | bool | str


def table_of(path: Path, **more: Any) -> CsvTable:
    form = form_of(path)
    return CsvTable(path, path.name, form, column_paths(form.names, path.name)[0], **more)


def read(path: Path, **more: Any) -> tuple[dict[tuple[int, int], Cell], list[Loss]]:
    """Cells by row and column, as typed values, and the losses."""
    found: dict[tuple[int, int], Cell] = {}
    losses: list[Loss] = []
    table = table_of(path, **more)
    for block in table.blocks(table.begin(), []):
        values = block.values
        for (row, column), value in cells_of(values).items():
            found[int(block.number[row]), column] = value
        losses += [chunk.loss for chunk in block.odd if isinstance(chunk, chunks.Lost)]
    return found, losses


def cells_of(values: Any) -> dict[tuple[int, int], Cell]:
    found: dict[tuple[int, int], Cell] = {}
    numbers = values.numbers
    for place in range(len(numbers)):
        value: Cell = float(numbers.value[place])
        if numbers.kind[place] == INT:
            value = int(numbers.exact[place] if numbers.is_exact[place] else value)
        elif numbers.kind[place] == BOOL:
            value = bool(value)
        found[int(numbers.row[place]), int(numbers.column[place])] = value
    texts = values.words.text.to_pylist()
    for row, column, text in zip(values.words.row, values.words.column, texts, strict=True):
        found[int(row), int(column)] = text
    return found

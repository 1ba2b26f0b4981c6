"""Rows of a delimited table, line by line, from a file that may still be growing."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from runferry.losses import Fate, Loss
from runferry.model import Tree
from runferry.readers.damage import cut
from runferry.readers.lines import WholeLines, is_too_long
from runferry.readers.plain.position import Grown

_INTEGER = re.compile(r"[-+]?\d{1,4300}")
_NUMBER = re.compile(r"[-+]?(?:(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|inf|Infinity|nan|NaN)")
_TRUTH = {"True": True, "False": False, "true": True, "false": False}


def cell_of(text: str) -> Tree:
    """A cell as a value: numbers and truths as written, everything else is text."""
    if _INTEGER.fullmatch(text):
        return int(text)
    if _NUMBER.fullmatch(text):
        return float(text)
    return _TRUTH.get(text, text)


@dataclass
class TableLines:
    """A table whose first line has its columns' names; blank cells are left out of rows.

    `done` says what was read before, and is brought up to each row. A cell may hold no line break.
    """

    path: Path
    name: str
    delimiter: str
    done: Grown
    is_over: bool = False
    losses: list[Loss] = field(default_factory=list)

    def new_losses(self) -> list[Loss]:
        """What was met since this was asked; so no more than those of a row are held."""
        found, self.losses = self.losses, []
        return found

    def columns(self) -> list[str]:
        """The names of the columns; none in an empty file."""
        with self.path.open("rb") as stream:
            return self._cells(stream.readline(1 << 24), 0)

    def rows(self) -> Iterator[dict[str, str]]:
        """The rows that have not been read, as mappings from columns to texts."""
        self.done.check(self.path)
        columns = self.columns()
        lines = WholeLines(lambda text: False, self.done.offset)
        with self.path.open("rb") as stream:
            for line in lines.of(stream):
                self.done.offset = lines.offset
                number = self.done.rows
                self.done.rows += 1
                if number == 0 or not line.strip():
                    continue
                cells = [] if is_too_long(line) else self._cells(line, number)
                if len(cells) != len(columns):
                    self._ragged(number, len(cells), len(columns))
                yield {name: cell for name, cell in zip(columns, cells, strict=False) if cell}
        self.done.sign(self.path)
        if lines.unfinished:
            where = f"{self.name}@{lines.offset}"
            self.losses.append(cut(where, lines.unfinished, is_over=self.is_over))

    def _cells(self, line: bytes, number: int) -> list[str]:
        try:
            text = line.decode("utf-8-sig" if number == 0 else "utf-8")
        except UnicodeDecodeError:
            text = line.decode("utf-8", "replace")
            why = "U+FFFD stands for what is no text"
            self.losses.append(Loss("bad-text", Fate.ROUNDED, f"{self.name}:{number + 1}", 1, why))
        text = text.rstrip("\r\n")
        if '"' not in text:
            return text.split(self.delimiter)
        try:
            return next(csv.reader([text], delimiter=self.delimiter), [])
        except csv.Error as error:
            where = f"{self.name}:{number + 1}"
            self.losses.append(Loss("bad-row", Fate.DROPPED, where, 1, str(error)))
            return []

    def _ragged(self, number: int, cells: int, columns: int) -> None:
        why = f"a row of {cells:,} cells under {columns:,} columns"
        fate = Fate.DROPPED if cells > columns or not cells else Fate.KEPT
        self.losses.append(Loss("ragged-row", fate, f"{self.name}:{number + 1}", 1, why))

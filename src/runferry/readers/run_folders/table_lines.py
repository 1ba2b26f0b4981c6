"""Rows of a delimited table, line by line, from a file that may still be growing."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from runferry import chunks
from runferry.dialects.json_trees import holds
from runferry.losses import Fate, Loss
from runferry.model import Tree
from runferry.readers.lines import WholeLines, is_too_long, too_long, unended
from runferry.readers.run_folders.position import Grown

_INTEGER = re.compile(r"[-+]?\d{1,4300}")
_NUMBER = re.compile(r"[-+]?(?:(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|inf|Infinity|nan|NaN)")
_TRUTH = {"True": True, "False": False, "true": True, "false": False}


def cell_of(text: str) -> Tree:
    """A cell as a value: numbers and truths as written, everything else is text."""
    if _INTEGER.fullmatch(text):
        return int(text)
    if _NUMBER.fullmatch(text):
        return float(text) if text[-1].isalpha() or holds(float(text), text) else text
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
    _met: list[chunks.Chunk] = field(default_factory=list)
    _unended: bytes = b""

    def news(self) -> Iterator[chunks.Chunk]:
        """What was met since this was asked; so no more than that of a row is held."""
        found, self._met = self._met, []
        return iter(found)

    def columns(self) -> list[str]:
        """The names of the columns, each its own; none in an empty file."""
        with self.path.open("rb") as stream:
            names = self._cells(stream.readline(1 << 24), 0)
        found: dict[str, None] = {}
        for number, name in enumerate(names, 1):
            own = name
            while own in found:
                own = f"{own} (column {number})"
            if own != name:
                where, why = f"{self.name} column {number}", f"the column is called {own!r} here"
                self.tell(Loss("repeated-column", Fate.RENAMED, where, 1, why))
            found[own] = None
        return list(found)

    def rows(self) -> Iterator[dict[str, str]]:
        """The rows that have not been read, as mappings from columns to texts."""
        self.done.check(self.path)
        columns = self.columns()
        lines = WholeLines(self._left, self.done.offset)
        with self.path.open("rb") as stream:
            for line in lines.of(stream):
                self.done.offset = lines.offset
                number = self.done.rows
                self.done.rows += 1
                if number == 0 or not line.strip():
                    continue
                if is_too_long(line):
                    self.tell(too_long(f"{self.name}:{number + 1}"))
                    continue
                cells = self._cells(line, number)
                if len(cells) != len(columns):
                    self._odd(line, number, f"{len(cells):,} cells under {len(columns):,} columns")
                    continue
                yield {name: cell for name, cell in zip(columns, cells, strict=True) if cell}
        self.done.sign(self.path)
        if lines.unfinished:
            self._cut(lines, len(columns))

    def _left(self, text: bytes) -> bool:
        """A line without an end is for a later read: its last number may be cut."""
        self._unended = text
        return False

    def _cut(self, lines: WholeLines, columns: int) -> None:
        number, text = self.done.rows, self._unended
        if text and len(self._cells(text, number)) == columns:
            why = "the last line has all its cells and no end; if it is whole, echo >> FILE"
            self.tell(Loss("unended-line", Fate.DROPPED, f"{self.name}:{number + 1}", 1, why))
        else:
            length = lines.unfinished
            self.tell(unended(self.name, number, lines.offset, length, is_over=False))

    def tell(self, loss: Loss) -> None:
        """Add a loss to the news."""
        self._met.append(chunks.Lost(loss))

    def _cells(self, line: bytes, number: int) -> list[str]:
        try:
            text = line.decode("utf-8-sig" if number == 0 else "utf-8")
        except UnicodeDecodeError:
            text = line.decode("utf-8", "replace")
            why = "U+FFFD stands for what is no text"
            self.tell(Loss("bad-text", Fate.ROUNDED, f"{self.name}:{number + 1}", 1, why))
        text = text.rstrip("\r\n")
        if '"' not in text:
            return text.split(self.delimiter)
        try:
            return next(csv.reader([text], delimiter=self.delimiter), [])
        except csv.Error:
            return []  # so that the line is an odd one

    def _odd(self, line: bytes, number: int, why: str) -> None:
        self._met.append(chunks.Raw(f"row of {self.name}", why, line))
        where, kept = f"{self.name}:{number + 1}", f"{why}; the line is a raw record"
        self.tell(Loss("odd-row", Fate.REENCODED, where, 1, kept))

"""Records of a file of separated values one by one, by Python's csv module."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from runferry.readers.tabular.block import Place


@dataclass(frozen=True, slots=True)
class Record:
    """One record of a file; `reason` says why it is none."""

    cells: list[str]
    text: bytes
    line: int
    row: int
    is_mended: bool = False
    reason: str = ""


class Records:
    """Records one by one, knowing where each ends."""

    def __init__(self, stream: BinaryIO, separator: str, place: Place) -> None:
        self._stream = stream
        self._separator = separator
        self._taken: list[bytes] = []
        self._is_mended = False
        self._is_over = False
        self.place = place
        self._records = csv.reader(self._lines(), delimiter=separator)

    def next(self) -> Record | None:
        """The next record; None at the end, and at one that does not end."""
        self._taken, self._is_mended, self._is_over = [], False, False
        start = self.place
        reason = ""
        try:
            cells = next(self._records, None)
        except csv.Error as error:
            cells, reason = None, f"{error}: kept as a raw record"
        if reason:
            return self._resumed(start, reason)
        if cells is None:
            return None
        text = b"".join(self._taken)
        if self._is_over or not text.endswith(b"\n"):
            return None
        self.place = Place(
            start.offset + len(text), start.line + len(self._taken), start.row + bool(cells)
        )
        return Record(cells, text, start.line, start.row, self._is_mended)

    def _resumed(self, start: Place, reason: str) -> Record:
        """Gives up the record's first line, and reads on behind it."""
        first = self._taken[0]
        self.place = Place(start.offset + len(first), start.line + 1, start.row + 1)
        self._stream.seek(self.place.offset)
        self._records = csv.reader(self._lines(), delimiter=self._separator)
        return Record(
            [first.decode("utf-8", "replace")], first, start.line, start.row, reason=reason
        )

    def _lines(self) -> Iterator[str]:
        while line := self._stream.readline():
            self._taken.append(line)
            try:
                yield line.decode("utf-8")
            except UnicodeDecodeError:
                self._is_mended = True
                yield line.decode("utf-8", "replace")
        self._is_over = True

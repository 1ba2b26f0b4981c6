"""Records of a file of separated values one by one, by Python's csv module."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from runferry.chunks import Chunk, Lost, Raw
from runferry.losses import Fate
from runferry.readers.tabular.block import OddRows, Place


@dataclass(frozen=True, slots=True)
class Record:
    """One record of a file; `reason` says why it is none."""

    cells: list[str]
    text: bytes
    line: int
    row: int
    is_mended: bool = False
    reason: str = ""


def judged(record: Record, names: tuple[str, ...], told: OddRows) -> tuple[bool, list[Chunk]]:
    """Whether a record is a row under these names, and what is to be said of it."""
    reason = _why_odd(record, names)
    if reason is None:
        return True, _mended(record, told)
    if tuple(record.cells) == names:
        return False, [Lost(told.loss("repeated-header", record.line, Fate.KEPT, reason))]
    raw = Raw("csv-row", reason, record.text, record.row)
    return False, [raw, Lost(told.loss("odd-row", record.line, Fate.REENCODED, reason))]


def _why_odd(record: Record, names: tuple[str, ...]) -> str | None:
    if record.reason:
        return record.reason
    if "\0" in "".join(record.cells):
        return "NUL bytes: kept as a raw record"
    if len(record.cells) != len(names):
        return f"{len(record.cells):,} cells under {len(names):,} names: kept as a raw record"
    if tuple(record.cells) == names:
        return "the header again, as appending loggers write it"
    return None


def _mended(record: Record, told: OddRows) -> list[Chunk]:
    if not record.is_mended:
        return []
    detail = "bytes that are no UTF-8 became U+FFFD; iconv -f WINDOWS-1252 recodes a file"
    return [Lost(told.loss("bad-utf8", record.line, Fate.ROUNDED, detail))]


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

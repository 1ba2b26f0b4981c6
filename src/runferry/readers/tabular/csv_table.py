"""A file of separated values, a block of whole lines at a time.

Where a block has no quotes, every line break ends a row and every separator a cell: then Arrow
splits it. Any other block goes through Python's csv module row by row. Both give the same cells.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from runferry.chunks import Chunk, Lost
from runferry.errors import SourceChanged
from runferry.losses import Fate, Loss
from runferry.model import KeyPath
from runferry.readers.damage import cut
from runferry.readers.tabular.block import (
    FINER_PIECE,
    Block,
    GrowingFile,
    OddRows,
    Place,
    line_of,
)
from runferry.readers.tabular.cells import Ints, Typed, as_array, flags, typed
from runferry.readers.tabular.csv_form import (
    CsvForm,
    head_digest,
    is_number,
    opened,
    unended_cells,
)
from runferry.readers.tabular.csv_records import Record, Records, judged

_PIECE = 1 << 20
_LINE_AT_MOST = 64 << 20


@dataclass(frozen=True)
class CsvTable(GrowingFile):
    """The rows of one file; see `runferry.readers.tabular.block.TableFile`."""

    path: Path
    label: str  # its name in messages
    form: CsvForm
    paths: tuple[KeyPath, ...]  # of its columns
    blanks: frozenset[str] = frozenset()
    names: frozenset[int] = frozenset()  # columns of texts, whatever these look like
    chosen: tuple[int, str] | None = None  # a column of texts, and the only one that counts there
    wanted: tuple[int, ...] | None = None  # columns whose cells count; None for all
    piece: int = _PIECE  # bytes of a block, about
    takes_unended: bool = False  # nobody writes to it: its last row may lack a line break

    def columns(self) -> list[KeyPath]:
        """As the header names them."""
        return list(self.paths)

    def begin(self) -> Place:
        """Behind the header."""
        return Place(self.form.offset, self.form.line, 0)

    def finer(self) -> CsvTable:
        """See `TableFile`."""
        return replace(self, piece=FINER_PIECE)

    def only(self, column: int, name: str) -> CsvTable:
        """See `TableFile`: rows are left out before their cells are looked at."""
        return replace(self, chosen=(column, name))

    def blocks(
        self, after: Place, columns: list[KeyPath], until: Place | None = None
    ) -> Iterator[Block]:
        """Its rows from there on, about a megabyte at a time."""
        del columns
        odd = OddRows(self.label)
        with opened(self.path) as (stream, _):
            self._check_head(stream)
            place = after
            end = None if until is None else until.offset
            while (piece := self._piece(stream, place, end)) is not None:
                block = None if _needs_csv(piece) else self._split(piece, place)
                if block is None:
                    block = self._parsed(stream, place, place.offset + len(piece), odd)
                if block.place.offset == place.offset:  # nothing whole follows
                    break
                place = block.place
                yield block
            if until is not None:
                return
            self._check_head(stream)
            stream.seek(place.offset)
            last = stream.read()
            if last.strip(b"\r\n "):
                yield self._unended(last, place, odd)

    def check(self, place: Place) -> None:
        """See `TableFile`. Raises SourceChanged also when a row that lacked a line break grew."""
        super().check(place)
        if not place.signature:
            return
        with opened(self.path) as (stream, _):
            stream.seek(max(0, place.offset - 1))
            before, behind = stream.read(1), stream.read(2)
        is_ended = behind in (b"", b"\r", b"\r\n") or behind.startswith(b"\n")
        if before != b"\n" and not is_ended:
            raise SourceChanged(
                "the last line had no line break when it was read, and goes on now",
                where=str(self.path),
                hint="pull it again: the run is read anew",
            )

    def _check_head(self, stream: BinaryIO) -> None:
        """Raises SourceChanged when a logger has written its file anew, under another header."""
        if head_digest(stream, self.form.offset) != self.form.digest:
            raise SourceChanged(
                "the header changed since the runs were listed",
                where=str(self.path),
                hint="a logger that adds a column writes its file anew: pull again",
            )

    def _piece(self, stream: BinaryIO, place: Place, end: int | None) -> bytes | None:
        """Whole lines before `end`; None where there are none."""
        stream.seek(place.offset)
        piece = stream.read(self.piece if end is None else min(self.piece, end - place.offset))
        whole = piece.rfind(b"\n") + 1
        if whole:
            return piece[:whole]
        if end is not None and place.offset >= end:
            return None
        rest = line_of(stream, self.path, _LINE_AT_MOST)
        return piece + rest if rest.endswith(b"\n") else None

    # --- blocks without quotes --------------------------------------------------------------------

    def _split(self, piece: bytes, place: Place) -> Block | None:
        """None for what Python's csv module has to look at."""
        width = len(self.form.names)
        lines = pc.split_pattern(pa.array([piece[:-1].decode("utf-8")]), "\n").flatten()
        count = len(lines)
        lines = pc.utf8_rtrim(lines, characters="\r")
        if pc.any(pc.equal(lines, self.form.header)).as_py():
            return None
        is_blank = pc.equal(lines, "")
        if pc.any(is_blank).as_py():
            lines = lines.filter(pc.invert(is_blank))
        cells = pc.split_pattern(lines, self.form.separator)
        widths = as_array(pc.list_value_length(cells))
        if len(lines) and not (widths == width).all():
            return None
        numbers = np.arange(place.row, place.row + len(lines))
        behind = Place(place.offset + len(piece), place.line + count, place.row + len(lines))
        flat = cells.flatten() if len(lines) else pa.array([], pa.string())
        if self.chosen is not None:
            own = self._rows_of(flat, self.chosen)
            flat, numbers = flat.take(_cells_of(own, np.arange(width), width)), numbers[own]
        return Block(numbers, self._typed(flat), behind)

    def _rows_of(self, flat: pa.Array, chosen: tuple[int, str]) -> Ints:
        """Rows whose cell in a column is this text."""
        width = len(self.form.names)
        cells = flat.take(pa.array(np.arange(chosen[0], len(flat), width)))
        same = pc.equal(pc.utf8_trim_whitespace(cells), chosen[1])
        return np.flatnonzero(flags(same)).astype(np.int64)

    def _typed(self, flat: pa.Array) -> Typed:
        """The values of whole rows, as far as their columns are wanted."""
        width = len(self.form.names)
        if self.wanted is None:
            return typed(flat, width, self.blanks, self.names)
        wanted = np.array(self.wanted, np.int64)
        rows = np.arange(len(flat) // width)
        names = frozenset(np.flatnonzero(np.isin(wanted, sorted(self.names))).tolist())
        found = typed(flat.take(_cells_of(rows, wanted, width)), len(wanted), self.blanks, names)
        numbers = replace(found.numbers, column=wanted[found.numbers.column])
        return replace(
            found, numbers=numbers, words=replace(found.words, column=wanted[found.words.column])
        )

    # --- any others -------------------------------------------------------------------------------

    def _parsed(self, stream: BinaryIO, place: Place, until: int, told: OddRows) -> Block:
        """The rows up to `until` or a little more: a row is not cut."""
        stream.seek(place.offset)
        records = Records(stream, self.form.separator, place)
        rows: list[list[str]] = []
        numbers: list[int] = []
        odd: list[Chunk] = []
        while records.place.offset < until and (record := records.next()) is not None:
            if not record.cells:
                continue
            is_row, said = self._judged(record, told)
            odd += said
            if is_row:
                rows.append(record.cells)
                numbers.append(record.row)
        return self._block(list(chain.from_iterable(rows)), numbers, records.place, odd)

    def _block(
        self, cells: list[str], rows: list[int], behind: Place, odd: Sequence[Chunk]
    ) -> Block:
        """The cells of rows with these numbers."""
        flat = pa.array(cells, pa.string())
        return Block(np.array(rows, np.int64), self._typed(flat), behind, tuple(odd))

    def _judged(self, record: Record, told: OddRows) -> tuple[bool, list[Chunk]]:
        """Whether a record is a row that counts, and what is to be said of it."""
        is_row, said = judged(record, self.form.names, told)
        if is_row and self.chosen is not None:
            is_row = record.cells[self.chosen[0]].strip() == self.chosen[1]
        return is_row, said

    # --- the end ----------------------------------------------------------------------------------

    def _unended(self, last: bytes, place: Place, told: OddRows) -> Block:
        """What follows the last whole row: one without a line break, whose end may be missing."""
        text = last.decode("utf-8", "replace")
        cells = unended_cells(text.rstrip("\r"), self.form.separator, len(self.form.names))
        where = f"{self.label}:{place.line + 1}"
        if last.endswith(b"\n"):
            detail = "a quote opens here and never closes: what follows was not read"
            loss = Loss("open-quote", Fate.DROPPED, where, len(last), detail)
        elif "\0" in text:
            loss = Loss("damaged-bytes", Fate.DROPPED, where, len(last), "zeroed")
        elif not cells:
            loss = cut(where, len(last), is_over=False)
        elif self.takes_unended:
            return self._last(cells, last.rstrip(b"\r"), place, told)
        else:
            detail = "the last line has no line break, so it may be cut: if whole, echo >> FILE"
            loss = Loss("unended-line", Fate.DROPPED, where, 1, detail)
        return self._block([], [], place, [Lost(loss)])

    def _last(self, cells: list[str], text: bytes, place: Place, told: OddRows) -> Block:
        """A row without a line break. A quoted number is whole: no more than a comma follows it."""
        is_mended = text.decode("utf-8", "ignore").encode() != text
        record = Record(cells, text, place.line, place.row, is_mended)
        behind = Place(place.offset + len(text), place.line + text.count(b"\n"), place.row + 1)
        is_row, odd = self._judged(record, told)
        if not is_row:
            return self._block([], [], behind, odd)
        if not text.endswith(b'"') or not (is_number(cells[-1]) or not cells[-1].strip()):
            detail = "the last line has no line break: taken as it stands, though it may be cut"
            odd.append(Lost(told.loss("unended-line", place.line, Fate.KEPT, detail)))
        return self._block(cells, [place.row], behind, odd)


def _cells_of(rows: Ints, columns: Ints, width: int) -> pa.Array:
    """Places of the cells of some rows and columns among all, row by row."""
    return pa.array((rows[:, None] * width + columns).ravel())


def _needs_csv(piece: bytes) -> bool:
    """Whether a block is more than lines and separators."""
    if b'"' in piece or b"\0" in piece or piece.count(b"\r") != piece.count(b"\r\n"):
        return True
    try:
        piece.decode("utf-8")
    except UnicodeDecodeError:
        return True
    return False

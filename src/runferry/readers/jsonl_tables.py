"""The reader `jsonl`: any file of JSON lines, its step and time columns named by the user."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import BinaryIO, ClassVar

import numpy as np

from runferry.chunks import Chunk, Lost, Raw
from runferry.dialects.json_trees import JsonNotes, check_depth, leaves, mended, noting_decoder
from runferry.errors import Damaged, NotFound
from runferry.losses import Fate, Loss
from runferry.model import KeyPath, Tree
from runferry.readers import lines
from runferry.readers.damage import cut
from runferry.readers.tabular.any_table import AnyTableReader
from runferry.readers.tabular.block import (
    FINER_PIECE,
    Block,
    GrowingFile,
    OddRows,
    Place,
    TableFile,
)
from runferry.readers.tabular.csv_form import opened
from runferry.readers.tabular.json_cells import JsonCells, fraction

_PIECE = 1 << 20
_CELLS_AT_MOST = 1 << 18
_LOOKED_AT = 1000  # lines whose names a column may be called by


@dataclass(frozen=True)
class JsonTable(GrowingFile):
    """The objects of one file; see `runferry.readers.tabular.block.TableFile`."""

    path: Path
    label: str
    paths: tuple[KeyPath, ...]  # that the first lines have; others come later
    piece: int = _PIECE  # bytes of a block, about

    def columns(self) -> list[KeyPath]:
        """Those of the first lines."""
        return list(self.paths)

    def begin(self) -> Place:
        """The file's."""
        return Place()

    def finer(self) -> JsonTable:
        """See `TableFile`."""
        return replace(self, piece=FINER_PIECE)

    def only(self, column: int, name: str) -> JsonTable:
        """All of it: a line has to be decoded to know what it says."""
        del column, name
        return self

    def blocks(
        self, after: Place, columns: list[KeyPath], until: Place | None = None
    ) -> Iterator[Block]:
        """About a megabyte of lines at a time."""
        odd = OddRows(self.label)
        numbers = {path: number for number, path in enumerate(columns)}
        with opened(self.path) as (stream, _):
            place = after
            while until is None or place.offset < until.offset:
                stream.seek(place.offset)
                end = place.offset + self.piece
                end = end if until is None else min(end, until.offset)
                block = _Lines(self, stream, place, numbers, columns, odd).block(end)
                if block.place == place and not block.odd:
                    return
                yield block
                if block.place == place:
                    return
                place = block.place


class _Lines:
    """Reads one block."""

    def __init__(
        self,
        table: JsonTable,
        stream: BinaryIO,
        place: Place,
        numbers: dict[KeyPath, int],
        columns: list[KeyPath],
        odd: OddRows,
    ) -> None:
        self._table = table
        self._stream = stream
        self._place = self._start = place
        self._numbers = numbers
        self._columns = columns
        self._told = odd
        self._odd: list[Chunk] = []
        self._cells = JsonCells()
        self._rows: list[int] = []
        self._decoder = _Objects()

    def block(self, end: int) -> Block:
        while self._place.offset < end and len(self._cells.row) < _CELLS_AT_MOST:
            line = self._stream.readline(lines.LINE_AT_MOST)
            takes = self._pass if lines.is_too_long(line) else self._take
            if not line or not takes(line):
                break
        return Block(
            np.array(self._rows, np.int64), self._cells.typed(), self._place, tuple(self._odd)
        )

    def _pass(self, line: bytes) -> bool:
        """Over a line too long to be read; whether reading goes on behind it."""
        at = self._place
        rest, is_ended = lines.rest_of_line(self._stream, line)
        loss = lines.too_long(f"{self._table.label}:{at.line + 1}")
        if not is_ended:
            return self._stop(loss)
        self._odd.append(Lost(loss))
        self._place = Place(at.offset + len(line) + rest, at.line + 1, at.row + 1)
        return True

    def _stop(self, loss: Loss) -> bool:
        """Before a last line that has no end; told once, by the block that begins with it."""
        if self._place == self._start:
            self._odd.append(Lost(loss))
        return False

    def _take(self, line: bytes) -> bool:
        """Whether reading goes on behind this line."""
        at = self._place
        text = line.removeprefix(b"\xef\xbb\xbf") if at.offset == 0 else line
        is_row = bool(text.strip())
        row, reason = self._decoder.row(text) if is_row else (None, "")
        if reason and not line.endswith(b"\n"):
            where = f"{self._table.label}:{at.line + 1}"
            return self._stop(cut(where, len(line), is_over=False))
        self._place = Place(at.offset + len(line), at.line + 1, at.row + is_row)
        if reason:
            self._odd.append(Raw("json-line", reason, line, at.row))
            self._say("odd-row", Fate.REENCODED, f"{reason}: kept as a raw record")
        notes = self._decoder.taken()
        if row is not None:
            self._add(row, at.row)
            self._note(notes)
        return True

    def _add(self, row: dict[str, Tree], number: int) -> None:
        place = len(self._rows)
        self._rows.append(number)
        cells = self._cells
        for name, value in row.items():
            below = leaves(value, (name,)) if type(value) is dict and value else None
            for path, leaf in below or (((name,), value),):
                column = self._numbers.get(path)
                if column is None:
                    column = self._numbers[path] = len(self._columns)
                    self._columns.append(path)
                cells.row.append(place)
                cells.column.append(column)
                cells.value.append(leaf)

    def _note(self, notes: JsonNotes | None) -> None:
        if notes is None:
            return
        for count, code, fate, detail in (
            (notes.repeated_keys, "repeated-key", Fate.DROPPED, "the last value of a key stays"),
            (notes.long_integers, "long-integer", Fate.REENCODED, "kept as a text"),
            (notes.halves, "lone-surrogate", Fate.ROUNDED, "became U+FFFD"),
        ):
            for _ in range(count):
                self._say(code, fate, detail, self._place.line - 1)

    def _say(self, code: str, fate: Fate, detail: str, line: int | None = None) -> None:
        line = self._place.line - 1 if line is None else line
        self._odd.append(Lost(self._told.loss(code, line, fate, detail)))


class _Objects:
    """Makes objects of lines."""

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._notes = JsonNotes()
        self._decoder = noting_decoder(self._notes, fraction)

    def taken(self) -> JsonNotes | None:
        """What the last line said that its object cannot hold."""
        notes = self._notes
        if not (notes.repeated_keys or notes.long_integers or notes.halves):
            return None
        self._begin()
        return notes

    def row(self, line: bytes) -> tuple[dict[str, Tree] | None, str]:
        """The object of a line, or why there is none."""
        if lines.is_too_long(line):
            return None, f"longer than {lines.LINE_AT_MOST:,} bytes"
        try:
            text = line.decode("utf-8")
            check_depth(text)
            value = self._decoder.decode(text)
        except UnicodeDecodeError:
            return None, "no UTF-8"
        except (ValueError, RecursionError) as error:
            return None, f"no JSON ({error})"
        if not isinstance(value, dict):
            return None, "no JSON object"
        made = mended(value, self._notes) if "\\u" in text else value
        assert isinstance(made, dict)
        return made, ""


class JsonLinesReader(AnyTableReader):
    """Every `.jsonl` and `.ndjson` file below a folder, or one file of any name."""

    name: ClassVar[str] = "jsonl"
    takes: ClassVar[str] = "a file of JSON lines, or a folder with .jsonl or .ndjson files"
    suffixes: ClassVar[tuple[str, ...]] = (".jsonl", ".ndjson")

    def table(self, path: Path, label: str) -> tuple[TableFile, Tree, tuple[Loss, ...]]:
        """See `AnyTableReader.table`."""
        columns: dict[KeyPath, None] = {}
        first: dict[str, Tree] | None = None
        reason = ""
        rows = _Objects()
        with opened(path) as (stream, encoding):
            for line in islice(lines.beginnings(stream), _LOOKED_AT):
                row, why = rows.row(line.removeprefix(b"\xef\xbb\xbf"))
                reason = reason or (why if line.strip() else "")
                if row is not None:
                    first = first if first is not None else row
                    columns.update(dict.fromkeys(below for below, _ in leaves(row)))
        if first is None:
            raise self._none(path, reason)
        losses: tuple[Loss, ...] = ()
        if encoding != "utf-8":
            losses = (Loss("encoding", Fate.REENCODED, label, 1, f"{encoding} became UTF-8"),)
        return (
            JsonTable(path, label, tuple(columns)),
            json.dumps(first, sort_keys=True, default=str),
            losses,
        )

    def _none(self, path: Path, reason: str) -> NotFound | Damaged:
        hint = f"head -c 300 {shlex.quote(str(path))}"
        if not reason:
            return NotFound("nothing in it yet", where=str(path), hint=hint)
        what = f"no line of it is a JSON object: the first is {reason}"
        return Damaged(what, where=str(path), offset=None, hint=hint)

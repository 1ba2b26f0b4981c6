"""What every kind of table is read as: blocks of rows, and how far a table was read."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO, Protocol

from runferry.chunks import Chunk
from runferry.errors import Damaged, SourceChanged
from runferry.losses import Fate, Loss
from runferry.model import KeyPath, Tree
from runferry.paths import fingerprint, spelled
from runferry.readers.tabular.cells import Ints, Typed

FINER_PIECE = 1 << 16  # bytes of a block in which the rows of few runs lie
_TOLD_APART = 200  # odd rows that are told one by one; those behind them are only counted


@dataclass(frozen=True, slots=True)
class Place:
    """How far a table was read: behind a whole row. Lines and rows are counted from 0."""

    offset: int = 0  # bytes; rows where the format has no lines
    line: int = 0
    row: int = 0
    signature: str = ""  # of the bytes before `offset`

    def tree(self) -> Tree:
        """As a checkpoint has it."""
        return [self.offset, self.line, self.row, self.signature]

    @classmethod
    def of(cls, tree: Tree) -> Place:
        """The inverse. Raises ValueError."""
        match tree:
            case [int(offset), int(line), int(row), str(signature)] if min(offset, line, row) >= 0:
                return cls(offset, line, row, signature)
        raise ValueError("no place in a table")

    def signed(self, path: Path) -> Place:
        """With the signature of what lies before it."""
        return replace(self, signature=fingerprint(path, self.offset))

    def check(self, path: Path) -> None:
        """Raises SourceChanged unless the file still begins with what was read."""
        # "short": nothing can be said of a file that is shorter than what was read of it
        now = fingerprint(path, self.offset) if self.signature else ""
        if now != self.signature or now == "short":
            raise SourceChanged(
                "what was read before is no longer the beginning of this file",
                where=str(path),
                hint="a logger that adds a column writes its file anew: pull it into a new archive",
            )


@dataclass(frozen=True, slots=True)
class Block:
    """Some rows of a table. `number` is the place of each row in the table, from 0."""

    number: Ints
    values: Typed
    place: Place  # behind the last of them
    odd: tuple[Chunk, ...] = ()  # rows that are none, and what is to be said of them


class TableFile(Protocol):
    """A table on disk: one value a row and column. Holds nothing of a reading."""

    @property
    def path(self) -> Path:
        """The file."""
        ...

    def columns(self) -> list[KeyPath]:
        """Paths of the columns that are known before reading, by number."""
        ...

    def begin(self) -> Place:
        """Where its rows begin."""
        ...

    def blocks(
        self, after: Place, columns: list[KeyPath], until: Place | None = None
    ) -> Iterator[Block]:
        """Its rows from there on, in order; as far as `until`, where it is given, which is a place
        between two rows. Columns that were not known are appended to the list before the block
        that has them."""
        ...

    def finer(self) -> TableFile:
        """The same table, read in small blocks."""
        ...

    def only(self, column: int, name: str) -> TableFile:
        """The same table, from which rows that have another text in this column may be left out:
        whatever saves work. Rows keep their numbers."""
        ...

    def sign(self, place: Place) -> Place:
        """The place with a signature of what lies before it."""
        ...

    def check(self, place: Place) -> None:
        """Raises SourceChanged unless what was read still lies before it."""
        ...


def line_of(stream: BinaryIO, path: Path, at_most: int) -> bytes:
    """The next line. Raises Damaged for one of so many bytes."""
    offset = stream.tell()
    line = stream.readline(at_most)
    if len(line) >= at_most:
        raise Damaged(
            f"a line of more than {at_most:,} bytes",
            where=str(path),
            offset=offset,
            hint=f"this is no table; see what it is: file {shlex.quote(spelled(str(path)))}",
        )
    return line


class GrowingFile:
    """Signs the bytes before a place."""

    path: Path

    def sign(self, place: Place) -> Place:
        """See `TableFile`."""
        return place.signed(self.path)

    def check(self, place: Place) -> None:
        """See `TableFile`."""
        place.check(self.path)


@dataclass
class OddRows:
    """Tells of rows that are none: one by one at first, by their number when there are many."""

    label: str
    counts: dict[str, int] = field(default_factory=dict)

    def loss(self, code: str, line: int, fate: Fate, detail: str) -> Loss:
        """The loss of one; `line` is its first, counted from 0."""
        count = self.counts[code] = self.counts.get(code, 0) + 1
        where = f"{self.label}:{line + 1}" if count <= _TOLD_APART else self.label
        return Loss(code, fate, where, 1, detail)

"""Where reading a run folder stopped: the words of a cursor."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from runferry.chunks import Checkpoint, Chunk, Header, Lost
from runferry.errors import SourceChanged
from runferry.losses import Loss
from runferry.model import Run, Tree
from runferry.readers.read_part import ReadPart
from runferry.readers.standing_losses import StandingLosses

_AGAIN = "pull the run into a new archive"
_TOLD_AT_MOST: Final = 10_000  # of what comes beyond, each read tells again
_OF_THE_END: Final = {"cut-tail", "cut-json", "unended-line"}


@dataclass
class Grown(ReadPart):
    """What was read of a file that only grows at its end."""

    rows: int = 0
    last_seq: int = -1


@dataclass
class Rewritten:
    """What was read of rows in a document that is written anew each time."""

    rows: int = 0
    last_seq: int = -1
    digest: str = ""


@dataclass
class Position:
    """All that a cursor of the reader `reader` says."""

    reader: str
    grown: dict[str, Grown] = field(default_factory=dict)
    rewritten: dict[str, Rewritten] = field(default_factory=dict)
    files: dict[str, Tree] = field(default_factory=dict)  # name → [size, time], as given
    told: set[str] = field(default_factory=set)  # digests of losses that reads meet again
    standing: StandingLosses = field(default_factory=StandingLosses)  # of the ends of files

    def news(self, read: Iterable[Chunk]) -> Iterator[Chunk]:
        """The same chunks, without losses that were told before; their counts do not matter."""
        for chunk in read:
            if not isinstance(chunk, Lost):
                yield chunk
            elif chunk.loss.code in _OF_THE_END:
                yield from self.standing.met([chunk.loss])
            elif self._is_news(chunk.loss):
                yield chunk

    def ending(self, run: Run) -> Iterator[Chunk]:
        """What each read ends with, once all files were read."""
        yield from self.standing.ending()
        yield Header(run)
        yield Checkpoint(self.position())

    def _is_news(self, loss: Loss) -> bool:
        known = repr((loss.code, loss.fate.label, loss.where)).encode("utf-8", "backslashreplace")
        digest = hashlib.blake2b(known, digest_size=8).hexdigest()
        if digest in self.told:
            return False
        if len(self.told) < _TOLD_AT_MOST:
            self.told.add(digest)
        return True

    def position(self) -> Tree:
        """As a tree."""
        return {
            "reader": self.reader,
            "grown": {
                name: [one.offset, one.rows, one.last_seq, one.fingerprint]
                for name, one in self.grown.items()
            },
            "rewritten": {
                name: [one.rows, one.last_seq, one.digest] for name, one in self.rewritten.items()
            },
            "files": dict(self.files),
            "told": list[Tree](sorted(self.told)),
            "standing": self.standing.tree(),
        }

    @classmethod
    def of(cls, reader: str, position: Tree) -> Position:
        """The inverse of `position`. Raises SourceChanged for what this reader never said."""
        if not isinstance(position, dict) or position.get("reader") != reader:
            raise SourceChanged(f"the cursor is not one of the {reader} reader", hint=_AGAIN)
        try:
            return cls(
                reader,
                {name: _grown(one) for name, one in _named(position.get("grown"))},
                {name: _rewritten(one) for name, one in _named(position.get("rewritten"))},
                dict(_named(position.get("files"))),
                set(map(str, _list(position.get("told")))),
                StandingLosses(_list(position.get("standing"))),
            )
        except TypeError as error:
            what = f"the cursor is not one of the {reader} reader"
            raise SourceChanged(what, hint=_AGAIN) from error


def _named(value: Tree) -> list[tuple[str, Tree]]:
    if not isinstance(value, dict):
        raise TypeError("no mapping")
    return list(value.items())


def _list(value: Tree) -> list[Tree]:
    if not isinstance(value, list):
        raise TypeError("no list")
    return value


def _grown(value: Tree) -> Grown:
    match value:
        case [int(offset), int(rows), int(last_seq), str(signed)]:
            return Grown(offset, signed, rows, last_seq)
    raise TypeError("not what was noted of a file that grows")


def _rewritten(value: Tree) -> Rewritten:
    match value:
        case [int(rows), int(last_seq), str(digest)]:
            return Rewritten(rows, last_seq, digest)
    raise TypeError("not what was noted of a document")


class RowsDigest:
    """A hash of rows one after the other, that can be asked for after each."""

    def __init__(self) -> None:
        self._hash = hashlib.blake2b(digest_size=16)
        self.rows = 0

    def add(self, row: str) -> None:
        """One row more, in a spelling that is its own."""
        self._hash.update(row.encode("utf-8", "surrogatepass") + b"\n")
        self.rows += 1

    def text(self) -> str:
        """The hash of the rows so far."""
        return self._hash.copy().hexdigest()

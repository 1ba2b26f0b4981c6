"""Where in a table each of its runs has rows, so that reading one does not read all others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from runferry.model import KeyPath
from runferry.readers.tabular.block import Block, Place, TableFile
from runferry.readers.tabular.wide import run_names

_SPANS_AT_MOST = 64  # of one run; beyond that, neighbours become one

Span = tuple[Place, Place]
"""From a place up to another, both between two rows."""


@dataclass
class RunRows:
    """The runs of a table in the order of their first rows. Rows that are none are every run's."""

    spans: dict[str, list[Span]] = field(default_factory=dict)
    odd: list[Span] = field(default_factory=list)
    nameless: int = 0  # rows that name no run
    tail: Place = field(default_factory=Place)  # before the last block: what may be unfinished

    @classmethod
    def of(cls, table: TableFile, column: int) -> RunRows:
        """Reads the whole table, in blocks that are small enough to tell runs apart."""
        found = cls(tail=table.begin())
        begin = table.begin()
        for block in table.finer().blocks(begin, table.columns()):
            rows, names = run_names(block, column)
            found.nameless += len(block.number) - len(rows)
            for name in names.unique().to_pylist():
                _add(found.spans.setdefault(name, []), (begin, block.place))
            if block.odd:
                _add(found.odd, (begin, block.place))
            found.tail, begin = begin, block.place
        return found

    def table(self, table: TableFile, column: int, name: str) -> TableOfRun:
        """The table as far as it concerns one run."""
        spans = sorted((*self.spans[name], *self.odd), key=lambda span: span[0].offset)
        one: list[Span] = []
        for span in spans:
            _add(one, span)
        return TableOfRun(table.only(column, name), tuple(one), self.tail)


def _add(spans: list[Span], span: Span) -> None:
    """Takes a span in that begins behind those before it, or within the last."""
    if spans and span[0].offset <= spans[-1][1].offset:
        begin, end = spans[-1]
        spans[-1] = (begin, max(end, span[1], key=lambda place: place.offset))
        return
    spans.append(span)
    if len(spans) > _SPANS_AT_MOST:
        halves = zip(spans[::2], spans[1::2], strict=False)
        rest = spans[-1:] if len(spans) % 2 else []
        spans[:] = [(first[0], second[1]) for first, second in halves] + rest


@dataclass(frozen=True)
class TableOfRun:
    """A table of several runs, read where one of them has rows; see `TableFile`.

    What was written since the runs were looked for lies behind `tail`, and is read too.
    """

    file: TableFile
    spans: tuple[Span, ...]
    tail: Place

    @property
    def path(self) -> Path:
        """The file."""
        return self.file.path

    def columns(self) -> list[KeyPath]:
        """Those of all its runs."""
        return self.file.columns()

    def begin(self) -> Place:
        """Where rows of any run begin."""
        return self.file.begin()

    def blocks(
        self, after: Place, columns: list[KeyPath], until: Place | None = None
    ) -> Iterator[Block]:
        """The spans' rows, and all behind the last."""
        last = self.tail if until is None else until
        for begin, end in self.spans:
            stop = min(end, last, key=lambda place: place.offset)
            if after.offset < stop.offset and begin.offset < stop.offset:
                yield from self.file.blocks(_later(begin, after), columns, stop)
        if until is None:
            yield from self.file.blocks(_later(self.tail, after), columns)

    def finer(self) -> TableFile:
        """The same in smaller blocks."""
        return TableOfRun(self.file.finer(), self.spans, self.tail)

    def only(self, column: int, name: str) -> TableFile:
        """The same rows, of which others than this run's may be left out."""
        return TableOfRun(self.file.only(column, name), self.spans, self.tail)

    def sign(self, place: Place) -> Place:
        """See `TableFile`."""
        return self.file.sign(place)

    def check(self, place: Place) -> None:
        """See `TableFile`."""
        self.file.check(place)


def _later(place: Place, other: Place) -> Place:
    return max(place, other, key=lambda one: one.offset)

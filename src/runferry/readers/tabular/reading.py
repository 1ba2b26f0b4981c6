"""Reads one run that lies in tables, from its beginning or from a cursor."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from runferry import chunks
from runferry.dialects.run_folder import Beside, config_beside
from runferry.errors import RunferryError, SourceChanged
from runferry.losses import Loss
from runferry.model import Attribute, Cursor, Run, RunKey, Tree
from runferry.readers.declared import Declared
from runferry.readers.tabular.block import Place, TableFile
from runferry.readers.tabular.wide import Meaning, WideRows

_BLOCKS_BETWEEN = 16  # checkpoints


@dataclass(frozen=True, slots=True)
class RunTable:
    """One table of a run, and what its columns are to it."""

    label: str  # its name in messages and cursors
    file: TableFile
    meaning: Meaning


@dataclass(frozen=True, slots=True)
class TableRun:
    """A run, its tables, and what else is known of it. Whoever lists runs makes these."""

    run: Run
    tables: Sequence[RunTable] = ()
    attributes: tuple[Attribute, ...] = ()
    losses: tuple[Loss, ...] = ()
    failure: RunferryError | None = None
    folder: Path | None = None  # beside whose files a configuration may stand

    @property
    def key(self) -> RunKey:
        """Of the run."""
        return self.run.key

    @property
    def sources(self) -> tuple[Path, ...]:
        """Its tables."""
        return tuple(table.file.path for table in self.tables)

    def header(self) -> Run:
        """As whoever listed it knows it."""
        return self.run

    def read(self, run: Run, after: Cursor | None = None) -> Iterator[chunks.Chunk]:
        """See `runferry.ports.RunReader`; `run` is this one."""
        if self.failure is not None:
            raise self.failure
        yield from _Pass(self, self._places(after), after).read()

    def _places(self, after: Cursor | None) -> list[Place]:
        if after is None:
            return [table.file.begin() for table in self.tables]
        labels = [table.label for table in self.tables]
        try:
            known = _restored(after.position)
        except ValueError:
            raise SourceChanged(
                f"the cursor is not one of the {self.run.key.tracker} reader",
                hint="pull the run into a new archive",
            ) from None
        if list(known) != labels:
            raise SourceChanged(
                "the files of this run are not those that were read before",
                where=f"{', '.join(known)} then, {', '.join(labels)} now",
                hint="pull the run into a new archive",
            )
        return [known[label] for label in labels]


def _restored(position: Tree) -> dict[str, Place]:
    match position:
        case {"tables": [*tables]}:
            places = {}
            for table in tables:
                match table:
                    case [str(label), place]:
                        places[label] = Place.of(place)
                    case _:
                        raise ValueError("no table")
            return places
    raise ValueError("no position in tables")


class _Pass:
    """One reading of a run."""

    def __init__(self, run: TableRun, places: list[Place], after: Cursor | None) -> None:
        self._run = run
        self._places = places
        self._is_first = after is None
        declared = Declared.after(after.series if after else ())
        self._rows = [
            WideRows(
                table.meaning, declared, table.file.columns(), table.label, rank, len(run.tables)
            )
            for rank, table in enumerate(run.tables)
        ]

    def read(self) -> Iterator[chunks.Chunk]:
        run = self._run
        for table, place in zip(run.tables, self._places, strict=True):
            table.file.check(place)
        beside = Beside() if run.folder is None else config_beside(run.folder)
        if self._is_first:
            yield chunks.Header(run.run)
        yield from map(chunks.Lost, (*run.losses, *beside.losses))
        attributes = (*run.attributes, *beside.attributes)
        if attributes:
            yield chunks.Attributes(attributes, is_whole=True)
        for rank in range(len(run.tables)):
            yield from self._table(rank)
        for rows in self._rows:
            yield from map(chunks.Lost, rows.tally)
            if self._is_first:  # what is said of the whole table adds up when it is said again
                yield from rows.unmet()
        yield chunks.Header(run.run)
        yield self._checkpoint()

    def _table(self, rank: int) -> Iterator[chunks.Chunk]:
        file, rows = self._run.tables[rank].file, self._rows[rank]
        blocks = file.blocks(self._places[rank], rows.columns)
        for count, block in enumerate(blocks, 1):
            yield from rows.take(block)
            self._places[rank] = block.place
            if count % _BLOCKS_BETWEEN == 0:
                yield self._checkpoint()

    def _checkpoint(self) -> chunks.Checkpoint:
        signed = [
            [table.label, table.file.sign(replace(place, signature="")).tree()]
            for table, place in zip(self._run.tables, self._places, strict=True)
        ]
        return chunks.Checkpoint({"tables": list(signed)})

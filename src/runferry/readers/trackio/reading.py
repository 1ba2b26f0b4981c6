"""One run of a database: the rows of each table in the order in which they were stored."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from runferry import chunks
from runferry.dialects.json_trees import JsonNotes, parse_json
from runferry.dialects.times import time_ns_of
from runferry.errors import SourceChanged
from runferry.losses import Fate, Loss
from runferry.model import Address, Cursor, Run, RunKey, Stream, Tree
from runferry.paths import spelled
from runferry.readers.missing import MissingBytes
from runferry.readers.row_batches import whole_step
from runferry.readers.run_folders.documents import noted
from runferry.readers.run_folders.logged_rows import LoggedRows
from runferry.readers.sqlite_files import failing_as_ours, opened
from runferry.readers.standing_losses import StandingLosses
from runferry.readers.trackio.artifacts import artifacts
from runferry.readers.trackio.belongings import alert_of, config_attributes, trace_of
from runferry.readers.trackio.databases import ROWS, Owner, Schema, text_of
from runferry.readers.trackio.values import Values
from runferry.tables import dumps

_AGAIN: Final = "pull the run into a new archive"

Taken = tuple[dict[str, Tree], Tree, int | None]
"""Values, step and time of a row."""


@dataclass(frozen=True, slots=True)
class TrackioRun:
    """The rows of one run in a database: small, and made to be pickled."""

    path: Path
    owner: Owner
    run: Run

    @property
    def key(self) -> RunKey:
        """Of the run."""
        return self.run.key

    @property
    def sources(self) -> tuple[Path, ...]:
        """The database."""
        return (self.path,)

    def header(self) -> Run:
        """What its config says."""
        return self.run

    def read(self, run: Run, after: Cursor | None = None) -> Iterator[chunks.Chunk]:
        """See `runferry.ports.Reader`."""
        reading = _Reading.begun(self, after)
        missing, gone = MissingBytes(), MissingBytes()
        with failing_as_ours(self.path), opened(self.path) as connection:
            connection.row_factory = sqlite3.Row
            schema = Schema.of(connection)
            yield from reading.restated(config_attributes(connection, schema, self.owner))
            yield from missing.watched(reading.rows(connection, schema))
            found = artifacts(connection, schema, self.owner, self.path)
            yield from reading.restated(gone.watched(found))
        yield from reading.losses()
        yield from map(chunks.Lost, missing.losses())
        yield from reading.standing.met(gone.losses())
        yield from reading.standing.ending()
        yield chunks.Header(self.run)
        yield chunks.Checkpoint(reading.tree())


@dataclass
class _Reading:
    """One pass over the rows that have not been read."""

    run: TrackioRun
    values: Values
    done: dict[str, tuple[int, int]] = field(default_factory=dict)
    """By table, the rows that were read, and the number of the last one."""
    notes: JsonNotes = field(default_factory=JsonNotes)
    steps: int = 0
    times: int = 0
    """How many rows have one that is none."""
    standing: StandingLosses = field(default_factory=StandingLosses)
    """Of what each read reads again: the config and artifacts."""

    @classmethod
    def begun(cls, run: TrackioRun, after: Cursor | None) -> _Reading:
        """From the beginning, or where an earlier read ended. Raises SourceChanged."""
        if after is None:
            return cls(run, Values(run.path.parent, LoggedRows()))
        match after.position:
            case {"trackio": dict(done), "standing": list(told)}:
                values = Values(run.path.parent, LoggedRows(after.series))
                pairs = {table: _pair(read) for table, read in done.items()}
                return cls(run, values, pairs, standing=StandingLosses(told))
        raise SourceChanged("the cursor is not one of the trackio reader", hint=_AGAIN)

    def tree(self) -> Tree:
        """As a cursor's position."""
        done: Tree = {table: [*pair] for table, pair in self.done.items()}
        return {"trackio": done, "standing": self.standing.tree()}

    def restated(self, read: Iterable[chunks.Chunk]) -> Iterator[chunks.Chunk]:
        """Chunks that each read gives again, with the losses that are news."""
        for chunk in read:
            if isinstance(chunk, chunks.Lost):
                yield from self.standing.met([chunk.loss])
            else:
                yield chunk

    def rows(self, connection: sqlite3.Connection, schema: Schema) -> Iterator[chunks.Chunk]:
        """Those of all tables; a row's number says which table it is of."""
        taken: dict[str, tuple[Stream, Callable[[sqlite3.Row], Taken]]] = {
            "metrics": ("user", self._logged),
            "system_metrics": ("system", self._logged),
            "alerts": ("system", alert_of),
            "traces": ("user", lambda row: trace_of(row, self.notes)),
        }
        for place, table in enumerate(ROWS):
            column = schema.run_column(table)
            if column is None:
                continue
            count, last = self._before(connection, table, column)
            query = f"SELECT rowid AS row, * FROM {table} WHERE {column} = ? AND rowid > ?"
            owner = self.run.owner.of(column)
            stream, take = taken[table]
            for row in connection.execute(f"{query} ORDER BY rowid", (owner, last)):
                count, last = count + 1, int(row["row"])
                yield from self._row(table, row, last * len(ROWS) + place, stream, take)
            self.done[table] = (count, last)
            yield from self.values.drain()

    def _row(
        self,
        table: str,
        row: sqlite3.Row,
        seq: int,
        stream: Stream,
        take: Callable[[sqlite3.Row], Taken],
    ) -> Iterator[chunks.Chunk]:
        try:
            values, step, time_ns = take(row)
        except ValueError as error:
            cells: dict[str, Tree] = {name: row[name] for name in row.keys()}  # noqa: SIM118
            yield chunks.Raw(f"trackio {table}", str(error), dumps(cells).encode(), seq)
            yield chunks.Lost(
                Loss("unreadable-row", Fate.REENCODED, table, 1, "kept as raw records")
            )
            return
        whole = whole_step(step)
        self.steps += whole is None and step is not None
        self.times += time_ns is None
        yield from self.values.add(Address(seq, whole, None, time_ns), values, stream)

    def _logged(self, row: sqlite3.Row) -> Taken:
        found = parse_json(text_of(row["metrics"]), self.notes)
        if not isinstance(found, dict):
            raise ValueError("no mapping")
        step = row["step"] if "step" in row.keys() else None  # noqa: SIM118
        return found, step, time_ns_of(row["timestamp"])

    def _before(self, connection: sqlite3.Connection, table: str, column: str) -> tuple[int, int]:
        """What was read before. Raises SourceChanged where some of it is gone."""
        known = self.done.get(table, (0, 0))
        query = f"SELECT COUNT(*) FROM {table} WHERE {column} = ? AND rowid <= ?"
        owner = self.run.owner.of(column)
        (count,) = connection.execute(query, (owner, known[1])).fetchone()
        if count != known[0]:
            raise SourceChanged(
                f"rows of {table} that were read before are no longer there",
                where=spelled(str(self.run.path)),
                hint=_AGAIN,
            )
        return known

    def losses(self) -> Iterator[chunks.Chunk]:
        """What rows said that no value holds."""
        told = [*noted(self.notes, "metrics")]
        for code, column, count in (
            ("odd-step", "step", self.steps),
            ("odd-time", "timestamp", self.times),
        ):
            if count:
                why = f"a {column} that is none"
                told.append(Loss(code, Fate.DROPPED, column, count, why))
        yield from map(chunks.Lost, told)


def _pair(value: Tree) -> tuple[int, int]:
    match value:
        case [int(count), int(last)]:
            return count, last
    raise SourceChanged("the cursor is not one of the trackio reader", hint=_AGAIN)

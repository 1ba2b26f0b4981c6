"""A run of neptune-scale: its databases in the order in which they were begun."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from runferry import chunks, settings
from runferry.dialects.neptune.header import header_of
from runferry.dialects.neptune.names import key_of, path_of, role_of
from runferry.dialects.protobuf_reading import Malformed
from runferry.errors import SourceChanged, UnknownVersion
from runferry.losses import Fate, Loss
from runferry.model import Attribute, Cursor, Run, RunKey, Tree
from runferry.paths import folders_below, regular, spelled
from runferry.readers.declared import Declared
from runferry.readers.missing import MissingBytes
from runferry.readers.neptune.media import file_name, file_role_of
from runferry.readers.neptune.scale.database import NAME, Facts, facts_of
from runferry.readers.neptune.scale.series import ScaleSeries
from runferry.readers.neptune.scale.state import State
from runferry.readers.neptune.scale.uploads import Uploads
from runferry.readers.run_folders.position import Position
from runferry.readers.sqlite_files import failing_as_ours, opened
from runferry.tables import dumps

READER: Final = "neptune scale"
_CLIENT: Final = "neptune-scale"
_AGAIN: Final = "pull the run into a new archive"
_FIRST_OPERATIONS: Final = 100
_ROWS: Final = "SELECT sequence_id, operation_type, operation FROM run_operations"
_APART: Final = 1 << 40  # numbers of rows between databases, so that all of them may grow


@dataclass(frozen=True, slots=True)
class ScaleRun:
    """A run of one or more databases."""

    facts: Facts
    databases: tuple[Path, ...]

    @property
    def key(self) -> RunKey:
        """As the table `metadata` has it."""
        return key_of(self.facts.project, self.facts.run_id)

    @property
    def sources(self) -> tuple[Path, ...]:
        """Its databases."""
        return self.databases

    def header(self) -> Run:
        """What the first operations say."""
        state = State(self.facts.run_id)
        with failing_as_ours(self.databases[0]), opened(self.databases[0]) as connection:
            rows = f"{_ROWS} ORDER BY sequence_id LIMIT {_FIRST_OPERATIONS}"
            for _, kind, message in connection.execute(rows):
                try:
                    state.take(kind, message)
                except Malformed:
                    continue  # reading the run tells it
        return self._header(state)

    def _header(self, state: State) -> Run:
        return header_of(self.key, "run", state.sys(), _CLIENT)

    def read(self, run: Run, after: Cursor | None = None) -> Iterator[chunks.Chunk]:
        """See `runferry.ports.Reader`."""
        if not self.facts.is_known:
            raise UnknownVersion(
                f"a database of neptune-scale of the version {self.facts.version}; v5 is known",
                where=spelled(str(self.databases[0])),
                hint="pip install --upgrade runferry",
            )
        reading = _Reading.begun(self, after)
        if after is None:
            yield chunks.Header(self.header())
        missing = MissingBytes()
        for number, database in enumerate(self.databases):
            with failing_as_ours(database), opened(database) as connection:
                yield from missing.watched(reading.database(number, database, connection))
        yield from reading.ending([*missing.losses()])
        yield chunks.Header(self._header(reading.state))
        yield chunks.Checkpoint(reading.tree())


def scale_runs(root: Path) -> Iterator[ScaleRun]:
    """The runs of all databases at or below a place."""
    found: dict[Facts, list[Path]] = {}
    for path in _databases(root):
        facts = facts_of(path)
        if facts is not None:
            found.setdefault(facts, []).append(path)
    for facts, paths in found.items():
        yield ScaleRun(facts, tuple(sorted(paths, key=_begun)))


def _databases(root: Path) -> Iterator[Path]:
    if not root.is_dir():
        yield root
        return
    for folder in folders_below(root):
        if NAME in folder.names and regular(folder.path / NAME) is not None:
            yield folder.path / NAME


def _begun(path: Path) -> tuple[int, str]:
    """The time in a folder's name, in nanoseconds."""
    stated = path.parent.name.rpartition("_")[2]
    return (int(stated) if stated.isdecimal() else 0), path.parent.name


@dataclass
class _Reading:
    """One pass over the operations that have not been read."""

    run: ScaleRun
    state: State
    series: ScaleSeries
    position: Position
    done: dict[str, Tree] = field(default_factory=dict)
    """For each database the last operation that was read."""
    given: dict[str, Tree] = field(default_factory=dict)
    """What was given of each file."""

    @classmethod
    def begun(cls, run: ScaleRun, after: Cursor | None) -> _Reading:
        """From the beginning, or where an earlier read ended. Raises SourceChanged."""
        state = State(run.facts.run_id)
        if after is None:
            return cls(run, state, ScaleSeries(Declared.after(())), Position(READER))
        match after.position:
            case {
                "losses": losses,
                "done": dict(done),
                "atoms": dict(atoms),
                "lines": int(lines),
                "consoles": dict(consoles),
                "given": dict(given),
            }:
                state.atoms.update(atoms)
                series = ScaleSeries(Declared.after(after.series), dict(consoles), lines)
                position = Position.of(READER, losses)
                return cls(run, state, series, position, dict(done), dict(given))
        raise SourceChanged("the cursor is not one of the neptune reader", hint=_AGAIN)

    def tree(self) -> Tree:
        """As a cursor's position."""
        return {
            "losses": self.position.position(),
            "done": self.done,
            "atoms": self.state.atoms,
            "lines": self.series.lines,
            "consoles": self.series.consoles,
            "given": self.given,
        }

    def database(
        self, number: int, path: Path, connection: sqlite3.Connection
    ) -> Iterator[chunks.Chunk]:
        """The operations of one database."""
        label = spelled(path.parent.name)
        home = None if settings.current().neptune_uploads == "anywhere" else _home(path)
        uploads = Uploads.of(connection, path.parent, home, self.series.losses)
        last = self._last(label, path, connection)
        rows = connection.execute(f"{_ROWS} WHERE sequence_id > ? ORDER BY sequence_id", (last,))
        for sequence, kind, message in rows:
            yield from self._told_gap(label, last, sequence)
            last = sequence
            try:
                found = self.state.take(kind, message)
            except Malformed as error:
                content = message if isinstance(message, bytes) else dumps(message).encode()
                yield from self._raw(f"{label}#{sequence}", str(error), content)
                continue
            yield from self.series.add(found, number * _APART + sequence, uploads)
        newest = self._newest(connection)
        yield from self._told_gap(label, last, newest + 1)
        self.done[label] = newest
        yield from self.series.drain()
        yield from self._files(uploads)
        yield from self._errors(label, connection)

    def _last(self, label: str, path: Path, connection: sqlite3.Connection) -> int:
        """The last operation that was read; it may have been sent and removed since."""
        known = self.done.get(label, 0)
        last = known if isinstance(known, int) else 0
        if last > self._newest(connection):
            raise SourceChanged(
                "operations that were read before are not known to this database",
                where=spelled(str(path)),
                hint=_AGAIN,
            )
        return last

    def _newest(self, connection: sqlite3.Connection) -> int:
        """The last operation there ever was."""
        found = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'run_operations'")
        row = found.fetchone()
        return int(row[0]) if row else 0

    def _told_gap(self, label: str, last: int, sequence: int) -> Iterator[chunks.Chunk]:
        """Operations are numbered without a gap, and removed when they were sent."""
        if sequence > last + 1:
            why = "operations that were sent to the server, and are no longer in this file"
            count = sequence - last - 1
            yield from self.position.news(
                iter([chunks.Lost(Loss("sent-operations", Fate.KEPT, label, count, why))])
            )

    def _raw(self, where: str, why: str, message: bytes) -> Iterator[chunks.Chunk]:
        yield chunks.Raw("neptune operation", why, message)
        loss = Loss("odd-operation", Fate.REENCODED, where, 1, f"{why}; kept as it is")
        yield from self.position.news(iter([chunks.Lost(loss)]))

    def _files(self, uploads: Uploads) -> Iterator[chunks.Chunk]:
        for name, ref in self.state.files.items():
            path = path_of(name)
            full = file_name(path, Path(ref.path).suffix)
            file = chunks.File(full, file_role_of(path, full), uploads.blob(ref, name))
            stamp: Tree = [ref.path, ref.size, file.blob.is_missing]
            if self.given.get(full) != stamp:
                self.given[full] = stamp
                yield file
        self.state.files.clear()

    def _errors(self, label: str, connection: sqlite3.Connection) -> Iterator[chunks.Chunk]:
        """What the server refused; its pickles are left closed."""
        named = "SELECT name FROM sqlite_master WHERE name = 'operation_errors'"
        if connection.execute(named).fetchone() is None:
            return
        known = self.done.get(f"{label} errors", 0)
        selected = (
            "SELECT error_id, timestamp, error_type, error_details, sequence_id "
            "FROM operation_errors WHERE error_id > ? ORDER BY error_id"
        )
        for number, stamp, kind, details, sequence in connection.execute(selected, (known,)):
            told: Tree = {"timestamp": stamp, "details": details, "sequence_id": sequence}
            yield chunks.Raw(
                f"neptune {kind}", "an error that the client met", dumps(told).encode()
            )
            self.done[f"{label} errors"] = number

    def ending(self, losses: list[Loss]) -> Iterator[chunks.Chunk]:
        """Attributes and losses."""
        atoms = [
            Attribute(path_of(name), role_of(path_of(name)), value)
            for name, value in self.state.atoms.items()
        ]
        facts = [Attribute(path, "other", value) for path, value in self.series.facts()]
        yield chunks.Attributes((*atoms, *facts), is_whole=True)
        for loss in (*losses, *self.series.losses):
            yield from self.position.news(iter([chunks.Lost(loss)]))


def _home(path: Path) -> Path:
    """The folder in which `.neptune` lies, where the client ran; else that of the database."""
    for parent in path.absolute().parents:
        if parent.name == ".neptune":
            return parent.parent
    return path.absolute().parent

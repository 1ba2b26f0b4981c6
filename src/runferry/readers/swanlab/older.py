"""Runs of clients before 0.6: a folder of JSON lines for each key, and names in a database.

    run-<time>-<id>/logs/<folder>/<last row>.log   {"index", "data", "create_time"} a line
    run-<time>-<id>/console/<date>.log             what was printed
    runs.swanlab (SQLite, beside it)               experiments, and which folder is which key

Before 0.4 the folder is the key itself, with % before what no file's name may have.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, unquote

from runferry import chunks
from runferry.dialects.json_trees import JsonNotes, parse_json
from runferry.dialects.swanlab.names import CONSOLE, DATABASE, LOGS
from runferry.dialects.times import time_ns_of
from runferry.errors import SourceChanged, SourceError
from runferry.losses import Fate, Loss
from runferry.model import Cursor, Run, RunKey
from runferry.paths import regular, spelled
from runferry.readers.console_log import log_chunks
from runferry.readers.declared import Declared
from runferry.readers.lines import WholeLines, unended
from runferry.readers.run_folders.documents import noted
from runferry.readers.run_folders.logged_rows import LoggedRows
from runferry.readers.sqlite_files import opened
from runferry.readers.swanlab.facts import Facts
from runferry.readers.swanlab.json_records import DAMAGED, NUMBERS, address_of
from runferry.readers.swanlab.media import MediaFound, MediaRows, captioned, named_item
from runferry.readers.swanlab.position import Position
from runferry.readers.swanlab.reading import ending, files_of

_NUMBER: Final = re.compile(r"\d+")
_TYPES: Final = {"image": 2, "audio": 3, "text": 4, "video": 5, "object3d": 7, "molecule": 8}
_STATES: Final = {1: 1, -1: 2}  # of an experiment in the database → of a finish record


@dataclass(frozen=True, slots=True)
class OlderRun:
    """A run's folder."""

    key: RunKey
    home: Path

    @classmethod
    def at(cls, home: Path) -> OlderRun:
        """The run of a folder."""
        facts, _, _ = _told(home)
        return cls(facts.key(home.name.split("-", 2)[-1]), home)

    @property
    def sources(self) -> tuple[Path, ...]:
        """Its rows."""
        return tuple(path for _, path in _logs(self.home))

    def header(self) -> Run:
        """What the database beside it tells."""
        return _told(self.home)[0].run(self.key)

    def read(self, run: Run, after: Cursor | None = None) -> Iterator[chunks.Chunk]:
        """See `runferry.ports.Reader`; `run` is this one."""
        position = Position() if after is None else Position.of(after.position)
        position.facts, names, losses = _told(self.home)
        yield from position.standing.met(losses)
        rows = _Rows(self.home, position, names, after)
        for folder, path in _logs(self.home):
            yield from rows.of(folder, path)
        yield from rows.console()
        yield from files_of(self.home, position.files, position.standing)
        yield from ending(run.key, [self.home], position)


def _logs(home: Path) -> Iterator[tuple[str, Path]]:
    """Files of rows by their folders, both in order of number where they have one."""

    def order(path: Path) -> tuple[int, str]:
        found = _NUMBER.fullmatch(path.stem)
        return (int(found[0]) if found else -1, path.name)

    if not (home / LOGS).is_dir():
        return
    for folder in sorted((home / LOGS).iterdir(), key=order):
        if folder.is_dir() and not folder.is_symlink():
            for path in sorted(folder.glob("*.log"), key=order):
                if regular(path) is not None:
                    yield folder.name, path


class _Rows:
    def __init__(
        self,
        home: Path,
        position: Position,
        names: dict[str, tuple[str, str]],
        after: Cursor | None,
    ) -> None:
        self._home = home
        self._position = position
        self._names = names
        known = after.series if after is not None else ()
        self._declared = Declared.after(known, position.facts.applied)
        self._logged = LoggedRows(declared=self._declared)
        self._is_over = bool(position.facts.header.get("complete"))

    def of(self, folder: str, path: Path) -> Iterator[chunks.Chunk]:
        """The rows of one file that are new."""
        name = spelled(path.relative_to(self._home).as_posix())
        at = self._position.lines.setdefault(name, [0, 0])
        if path.stat().st_size < at[0]:
            hint = "pull it into a new archive"
            raise SourceChanged("a file of rows is shorter than it was", where=name, hint=hint)
        key, kind = self._names.get(folder, (unquote(folder), ""))
        media = MediaRows(self._home)
        lines, notes = WholeLines(lambda text: text.rstrip().endswith(b"}"), at[0]), JsonNotes()
        with path.open("rb") as stream:
            for line in lines.of(stream):
                at[1] += 1
                try:
                    row = parse_json(line.decode(), notes)
                    yield from self._row(key, kind, folder, row, media)
                except DAMAGED:
                    why = "a line that is no row"
                    yield chunks.Lost(Loss("bad-json", Fate.DROPPED, f"{name}:{at[1]}", 1, why))
        yield from map(chunks.Lost, noted(notes, name))
        at[0] = lines.offset
        if lines.unfinished:
            loss = unended(name, at[1], at[0], lines.unfinished, is_over=self._is_over)
            yield from self._position.standing.met((loss,))
        yield from self._logged.drain()
        yield from media.drained()

    def _row(
        self, key: str, kind: str, folder: str, tree: Any, media: MediaRows
    ) -> Iterator[chunks.Chunk]:
        at = address_of(self._position.seq, tree["index"], tree["create_time"])
        value = tree["data"]
        self._position.seq += 1
        stream = self._position.facts.stream_of(key)
        if kind not in _TYPES:
            value = NUMBERS.get(value, value) if isinstance(value, str) else value
            yield from self._logged.add(at, [((key,), value)], stream)
            return
        folders = (folder, quote(key, safe=""))  # before 0.4 that of a medium is its key
        items = tuple(
            named_item(self._home, folders, name, said, _TYPES[kind])
            for name, said in captioned(tree)
        )
        run_key = self._declared.keys.key((key,), stream)
        found = media.add(run_key, MediaFound(key, at, _TYPES[kind], items))
        series = self._declared.missing(run_key, (key,), stream, found)
        if series is not None:
            yield chunks.SeriesFacts((series,))
        if media.is_full:
            yield from media.drained()

    def console(self) -> Iterator[chunks.Chunk]:
        """The lines that are new."""
        folder = self._home / CONSOLE
        for path in sorted(folder.glob("*.log")) if folder.is_dir() else ():
            name = spelled(path.relative_to(self._home).as_posix())
            at = self._position.lines.setdefault(name, [0, 0])
            for offset, seq, chunk in log_chunks(path, at[0], at[1], is_over=self._is_over):
                at[:] = [offset, seq]
                yield chunk


def _told(home: Path) -> tuple[Facts, dict[str, tuple[str, str]], list[Loss]]:
    """What the database beside a run says: facts, and the key and kind of each folder of rows."""
    facts, names, losses = Facts(), dict[str, tuple[str, str]](), list[Loss]()
    path = home.parent / DATABASE
    if regular(path) is None:
        return facts, names, losses
    try:
        with opened(path) as database:
            database.row_factory = sqlite3.Row
            _absorb(database, home.name, facts, names)
    # it is damaged, changes all the time, or lacks a column
    except (sqlite3.Error, SourceError, IndexError) as error:
        why = f"names and times of the run are not known: {error}"
        losses.append(Loss("bad-database", Fate.DROPPED, DATABASE, 1, why))
    return facts, names, losses


def _absorb(
    database: sqlite3.Connection, run_id: str, facts: Facts, names: dict[str, tuple[str, str]]
) -> None:
    run = database.execute(
        "SELECT e.*, p.name AS project FROM experiment e JOIN project p ON p.id = e.project_id"
        " WHERE e.run_id = ?",
        (run_id,),
    ).fetchone()
    if run is None:
        return
    begun, version = time_ns_of(run["create_time"]), run["version"]
    facts.put(
        project=run["project"],
        name=run["name"],
        notes=run["description"],
        started_ns=begun,
        created_ns=begun,
        client=f"swanlab {version}" if version else None,
        state="running",
        status="RUNNING",
    )
    if run["status"] in _STATES:
        facts.ended(_STATES[run["status"]], "", time_ns_of(run["finish_time"]))
    for tag in database.execute("SELECT * FROM tag WHERE experiment_id = ?", (run["id"],)):
        names[tag["folder"] or quote(tag["name"], safe="")] = (tag["name"], tag["type"])

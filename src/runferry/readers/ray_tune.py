"""Ray Tune's trial folders: `result.json` (JSON lines), `params.json`, `progress.csv`.

The format is that of `JsonLoggerCallback` and `CSVLoggerCallback` (python/ray/tune/logger):
`training_iteration` counts results, `timestamp` is in seconds. `params.pkl` is never opened, and
event files beside belong to the reader of TensorBoard.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from runferry import chunks
from runferry.dialects.json_trees import JsonNotes, leaves, parse_json
from runferry.dialects.run_folder import file_beside
from runferry.dialects.times import seconds_ns
from runferry.losses import Fate, Loss
from runferry.model import (
    Address,
    Attribute,
    Cursor,
    Kind,
    Role,
    Run,
    RunKey,
    RunState,
    Tree,
    same_value,
)
from runferry.paths import regular, spelled
from runferry.readers.finding import key_of, signature_of
from runferry.readers.lines import WholeLines, is_too_long, too_long, unended
from runferry.readers.local_runs import LocalRun
from runferry.readers.read_part import changed
from runferry.readers.run_folders.documents import attributes, json_mapping, lost, noted
from runferry.readers.run_folders.folder_reader import FolderReader
from runferry.readers.run_folders.logged_rows import LoggedRows, address, step_of
from runferry.readers.run_folders.position import Grown, Position
from runferry.readers.run_folders.run_files import run_files
from runferry.readers.run_folders.table_lines import TableLines, cell_of

RESULT, PARAMS, PROGRESS = "result.json", "params.json", "progress.csv"
_STEP, _TIME = "training_iteration", "timestamp"
_PICKLE = "params.pkl"  # never opened
RAY_COLUMNS = frozenset({_STEP, "trial_id", "experiment_id"})
"""Columns of a `progress.csv` that only Ray writes."""
_HEAD_AT_MOST = 1 << 24  # bytes of a first line
_TAIL = 1 << 20
_MACHINE = {"hostname", "node_ip", "pid"}
_TRIAL = {"config", "experiment_id", "experiment_tag", "trial_id"}


class RayTuneReader(FolderReader):
    """Trials of Ray Tune, each a folder in that of its experiment."""

    name: ClassVar[str] = "ray_tune"
    gives: ClassVar[frozenset[Kind]] = frozenset({
        "scalar", "text", "file", "other", "config", "environment", "raw",
    })  # fmt: skip
    what: ClassVar[str] = "result.json and params.json of Ray Tune"

    @classmethod
    def is_run(cls, folder: Path, names: Collection[str]) -> bool:
        """Whether results lie here that are a trial's, or parameters of one that has none yet."""
        if RESULT in names and (first := _first_line(folder, RESULT)):
            row = _mapping(first, JsonNotes())
            return _STEP in row if row is not None else _PICKLE in names
        if PROGRESS in names and (header := _first_line(folder, PROGRESS)):
            columns = header.decode("utf-8", "replace").strip().split(",")
            return PARAMS in names and not RAY_COLUMNS.isdisjoint(columns)
        return _PICKLE in names and PARAMS in names and regular(folder / PARAMS) is not None

    @classmethod
    def is_closed_run(cls, names: Collection[str]) -> bool:
        """By what Tune writes of every trial."""
        return PARAMS in names and (RESULT in names or _PICKLE in names)

    @classmethod
    def passed_over(cls, names: Collection[str], *, is_run: bool) -> Collection[str]:
        """Checkpoints of a trial hold no others."""
        return [name for name in names if name.startswith("checkpoint_")] if is_run else ()

    def runs_in(self, folder: Path, name: str) -> Iterator[LocalRun]:
        """The one trial of a folder."""
        group = folder.parent.name if folder != self.root else _experiment(folder)
        yield Trial(
            key_of(self.name, name, signature_of(_first_bytes(folder))), folder, name, group or None
        )


def _experiment(folder: Path) -> str | None:
    """The name of the folder around a lone trial, if it is one of Tune's."""
    around = folder.resolve().parent
    return around.name if next(around.glob("experiment_state*.json"), None) else None


def _first_bytes(folder: Path) -> bytes:
    """The first result; of a trial that has none yet, what it is to be run with."""
    for name in (RESULT, PROGRESS, PARAMS):
        path = file_beside(folder, name)
        if isinstance(path, Path) and path.stat().st_size:
            with path.open("rb") as stream:
                first = stream.readline(_HEAD_AT_MOST)
                row = stream.readline(_HEAD_AT_MOST) if name == PROGRESS else b""
                return (first + row).strip() if name != PARAMS else first + stream.read(_TAIL)
    return b""


def _first_line(folder: Path, name: str) -> bytes:
    path = file_beside(folder, name)
    if not isinstance(path, Path):
        return b""
    with path.open("rb") as stream:
        return stream.readline(_HEAD_AT_MOST)


def _first_row(folder: Path) -> dict[str, Tree]:
    return _mapping(_first_line(folder, RESULT), JsonNotes()) or {}


def _last_row(folder: Path) -> dict[str, Tree]:
    """The last whole line, if it is no longer than what is looked at."""
    path = file_beside(folder, RESULT)
    if not isinstance(path, Path):
        return {}
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - _TAIL))
        lines = stream.read(_TAIL).split(b"\n")
    return next((row for line in reversed(lines) if (row := _mapping(line, JsonNotes()))), {})


def _mapping(line: bytes, notes: JsonNotes) -> dict[str, Tree] | None:
    try:
        found = parse_json(line.decode("utf-8"), notes)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


@dataclass(frozen=True, slots=True)
class Trial:
    """The folder of a trial."""

    key: RunKey
    home: Path
    name: str
    experiment: str | None

    @property
    def sources(self) -> tuple[Path, ...]:
        """The results."""
        return (self.home / RESULT, self.home / PROGRESS)

    def header(self) -> Run:
        """What the first and the last result tell."""
        first, last = _first_row(self.home), _last_row(self.home)
        is_done = last.get("done") is True
        state: RunState = "finished" if is_done else "unknown"
        host, ended = first.get("hostname"), seconds_ns(last.get(_TIME)) if is_done else None
        return Run(
            self.key,
            name=spelled(self.home.resolve().name),
            group=None if self.experiment is None else spelled(self.experiment),
            host=host if isinstance(host, str) else None,
            started_ns=_started(first),
            ended_ns=ended,
            state=state,
            complete=is_done,
            client="ray",
        )

    def read(self, run: Run, after: Cursor | None = None) -> Iterator[chunks.Chunk]:
        """See `runferry.ports.Reader`."""
        reader = RayTuneReader.name
        position = Position.of(reader, after.position) if after else Position(reader)
        header, losses = self.header(), list[Loss]()
        rows = LoggedRows(after.series if after else ())
        stated = _stated(_first_row(self.home))
        if isinstance(path := file_beside(self.home, RESULT), Path):
            if PROGRESS in position.grown:
                raise changed(self.home / PROGRESS)  # the same results, in another form
            done = position.grown.setdefault(RESULT, Grown())
            results = Results(path, done, rows, stated, header.complete)
            yield from position.news(results.read())
        elif isinstance(path := file_beside(self.home, PROGRESS), Path):
            done = position.grown.setdefault(PROGRESS, Grown())
            yield from position.news(_progress(TableLines(path, PROGRESS, ",", done), rows))
        if isinstance(path, Loss):
            losses.append(path)
        yield from rows.drain()
        yield chunks.Attributes(tuple(self._attributes(stated, losses)), is_whole=True)
        yield from position.news(lost(losses))
        read = RESULT if RESULT in position.grown else PROGRESS
        yield from position.news(run_files(self.home, position.files, lambda name: name != read))
        yield from position.ending(header)

    def _attributes(self, stated: dict[str, Tree], losses: list[Loss]) -> Iterator[Attribute]:
        """The parameters are the config; where they are gone, what the results say of it."""
        params = json_mapping(self.home, PARAMS, losses)
        yield from attributes(params, "config")
        for name, value in stated.items():
            role: Role = "environment" if name in _MACHINE else "other"
            if name == "config" and not params:
                yield from attributes(value, "config")
            else:
                yield from attributes({name: value}, role)


def _stated(first: dict[str, Tree]) -> dict[str, Tree]:
    """What results repeat of the trial and its machine, as the first one says it."""
    return {name: value for name, value in first.items() if name in _MACHINE | _TRIAL}


def _started(first: dict[str, Tree]) -> int | None:
    """When the first result's iterations began."""
    ended, took = seconds_ns(first.get(_TIME)), first.get("time_total_s")
    if ended is None or isinstance(took, bool) or not isinstance(took, (int, float)):
        return None
    return ended - round(took * 1_000_000_000) if 0 <= took < 2**31 else None


@dataclass
class Results:
    """`result.json` from where `done` says; what repeats the first result's `stated` is no row."""

    path: Path
    done: Grown
    rows: LoggedRows
    stated: dict[str, Tree]
    is_over: bool

    def read(self) -> Iterator[chunks.Chunk]:
        """Its rows."""
        self.done.check(self.path)
        lines = WholeLines(lambda text: _mapping(text, JsonNotes()) is not None, self.done.offset)
        with self.path.open("rb") as stream:
            for text in lines.of(stream):
                self.done.offset = lines.offset
                number = self.done.rows
                self.done.rows += 1
                if text.strip():
                    yield from self._line(text, number)
        self.done.sign(self.path)
        if lines.unfinished:
            yield chunks.Lost(self._unended(lines))

    def _unended(self, lines: WholeLines) -> Loss:
        number, length = self.done.rows, lines.unfinished
        return unended(RESULT, number, lines.offset, length, is_over=self.is_over)

    def _line(self, text: bytes, number: int) -> Iterator[chunks.Chunk]:
        where, notes = f"{RESULT}:{number + 1}", JsonNotes()
        if is_too_long(text):
            yield chunks.Lost(too_long(where))
            return
        row = _mapping(text, notes)
        if row is None:
            yield chunks.Lost(Loss("bad-json", Fate.DROPPED, where, 1, "this line is no mapping"))
            return
        yield from lost(noted(notes, where))
        news = {
            name: value
            for name, value in row.items()
            if name not in self.stated or not same_value(value, self.stated[name])
        }
        yield from self.rows.add(_address(news, number), leaves(dict(news or row)))


def _address(row: dict[str, Tree], number: int) -> Address:
    """Takes step and time out of the row, where they are such."""
    step, time_ns = step_of(row.get(_STEP)), seconds_ns(row.get(_TIME))
    if step is not None and len(row) > 1:
        del row[_STEP]
    if time_ns is not None and len(row) > 1:
        del row[_TIME]
    return address(number, step, time_ns)


def _progress(table: TableLines, rows: LoggedRows) -> Iterator[chunks.Chunk]:
    """The same results as a table, whose columns are paths joined by `/`."""
    for texts in table.rows():
        row = {name: cell_of(text) for name, text in texts.items()}
        at = _address(row, table.done.rows - 1)
        yield from rows.add(at, [((name,), value) for name, value in row.items()])
        yield from table.news()
    yield from table.news()

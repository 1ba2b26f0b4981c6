"""Hugging Face's Trainer: `trainer_state.json`, and a copy of it in each `checkpoint-N/`.

The format is `TrainerState` of transformers, `to_json` of src/transformers/trainer_callback.py:
`log_history` is a list of mappings that have `step` and mostly `epoch`, without times. Whatever
else lies in these folders is given as files; a pickle (`training_args.bin`) is never opened.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import ClassVar

from runferry import chunks
from runferry.dialects.json_stream import BrokenJson, JsonStream
from runferry.dialects.json_trees import JsonNotes, leaves
from runferry.dialects.run_folder import file_beside
from runferry.losses import Fate, Loss
from runferry.model import Attribute, Cursor, Kind, Role, Run, RunKey, Tree
from runferry.paths import spelled
from runferry.readers.finding import key_of, signature_of
from runferry.readers.local_runs import LocalRun
from runferry.readers.read_part import changed
from runferry.readers.run_folders.documents import attributes, broken, lost, noted
from runferry.readers.run_folders.folder_reader import FolderReader, names_in
from runferry.readers.run_folders.logged_rows import LoggedRows, address, step_of
from runferry.readers.run_folders.position import Position, Rewritten, RowsDigest
from runferry.readers.run_folders.run_files import run_files

STATE = "trainer_state.json"
_HISTORY = "log_history"
_CHECKPOINT = re.compile(r"checkpoint-(\d+)")
_SUMMARY = {"best_global_step", "best_metric", "best_model_checkpoint", "epoch", "global_step"}
_CONFIG = {"max_steps", "num_train_epochs", "train_batch_size", "trial_name", "trial_params"}
_CONFIG |= {"logging_steps", "eval_steps", "save_steps"}


class HfTrainerReader(FolderReader):
    """Runs of the Trainer: its output folders, whose checkpoints hold copies of one history."""

    name: ClassVar[str] = "hf_trainer"
    gives: ClassVar[frozenset[Kind]] = frozenset({
        "scalar", "text", "file", "other", "config", "summary", "raw",
    })  # fmt: skip
    what: ClassVar[str] = STATE

    @classmethod
    def is_run(cls, folder: Path, names: Collection[str]) -> bool:
        """Whether a state lies here, or in one of its checkpoints."""
        return STATE in names or any((folder / name / STATE).is_file() for name in _steps(names))

    @classmethod
    def passed_over(cls, names: Collection[str], *, is_run: bool) -> Collection[str]:
        """Checkpoints are of the run around them."""
        return _steps(names) if is_run else ()

    def runs_in(self, folder: Path, name: str) -> Iterator[LocalRun]:
        """One run for each beginning of a history: a checkpoint of another is a run of its own."""
        groups: dict[bytes, list[StateFile]] = {}
        for state in _newest_first(folder):
            groups.setdefault(state.first_row(), []).append(state)
        for first, states in groups.items():
            is_main = first == next(iter(groups))
            below = name if is_main else f"{name}/{states[0].folder}".rstrip("/")
            # whichever is newest: the key of a history stays, however its checkpoints come and go
            key = key_of(self.name, name, signature_of(first))
            yield TrainerRun(key, folder, below, tuple(states), is_main)


def _steps(names: Collection[str]) -> dict[str, int]:
    found = {name: _CHECKPOINT.fullmatch(name) for name in names}
    return {name: int(match[1]) for name, match in found.items() if match}


def _is_run(folder: Path) -> bool:
    return HfTrainerReader.is_run(folder, names_in(folder))


def _newest_first(folder: Path) -> list[StateFile]:
    """By how far each had come; of equal ones that of the run's own folder, then the name."""
    states = [StateFile(folder, spelled(name)) for name in ("", *_steps(names_in(folder)))]
    present = [state for state in states if isinstance(file_beside(folder, state.name), Path)]
    return sorted(present, key=lambda state: (-state.global_step(), state.folder))


@dataclass(frozen=True, slots=True)
class StateFile:
    """One `trainer_state.json`: of the run itself, or of its checkpoint `folder`."""

    home: Path
    folder: str

    @property
    def name(self) -> str:
        """Its name below the run's folder."""
        return f"{self.folder}/{STATE}" if self.folder else STATE

    def global_step(self) -> int:
        """How far training had come: as stated, else as the folder is called."""
        called = _CHECKPOINT.fullmatch(self.folder)
        least = int(called[1]) if called else -1
        try:
            with (self.home / self.name).open("rb") as stream:
                walk = JsonStream(stream, JsonNotes())
                for key in walk.members():
                    if key == "global_step":
                        stated = walk.value()
                        return stated if isinstance(stated, int) else least
                    walk.skip()
        except BrokenJson:
            return least  # reading says so
        return least

    def first_row(self) -> bytes:
        """The first row of the history; empty if there is none."""
        try:
            return next((_spelled(row).encode() for row in StateWalk(self).rows()), b"")
        except BrokenJson:
            return b""

    def digest(self) -> tuple[int, str]:
        """How many rows can be read of it, and their hash."""
        digest, walk = RowsDigest(), StateWalk(self)
        for row in walk.rows():
            digest.add(_spelled(row))
        return digest.rows, digest.text()


@dataclass
class StateWalk:
    """Walks a state once: rows first, then what stood around them is in `facts` and `losses`."""

    state: StateFile
    facts: dict[str, Tree] = field(default_factory=dict)
    losses: list[Loss] = field(default_factory=list)

    def rows(self) -> Iterator[Tree]:
        """The items of the history."""
        notes = JsonNotes()
        try:
            with (self.state.home / self.state.name).open("rb") as stream:
                walk = JsonStream(stream, notes)
                for key in walk.members():
                    if key == _HISTORY and walk.is_at("["):
                        for _ in walk.items():
                            yield walk.value()
                    else:
                        self.facts[key] = walk.value()
                walk.end()
        except BrokenJson as error:
            self.losses.append(broken(error, self.state.name))
        self.losses.extend(noted(notes, self.state.name))


def _spelled(row: Tree) -> str:
    return json.dumps(row, ensure_ascii=False, sort_keys=True)


@dataclass(frozen=True, slots=True)
class TrainerRun:
    """A history, newest state first; the others may be earlier copies of it."""

    key: RunKey
    home: Path
    name: str
    states: tuple[StateFile, ...]
    is_main: bool  # what lies beside the checkpoints is its own

    @property
    def sources(self) -> tuple[Path, ...]:
        """The states."""
        return tuple(self.home / state.name for state in self.states)

    def header(self) -> Run:
        """The format states no times and no ending."""
        return Run(self.key, name=self.name.rpartition("/")[2], client="transformers")

    def read(self, run: Run, after: Cursor | None = None) -> Iterator[chunks.Chunk]:
        """See `runferry.ports.Reader`."""
        reader = HfTrainerReader.name
        position = Position.of(reader, after.position) if after else Position(reader)
        walk = StateWalk(self.states[0])
        earlier = {state.name: state.digest() for state in self.states[1:]}
        same: set[str] = set()
        done = position.rewritten.setdefault(_HISTORY, Rewritten())
        rows = LoggedRows(after.series if after else ())
        for seen, row in _from(walk, done, earlier, same):
            if seen:
                yield from _row(rows, row, done.rows - 1)
        yield from rows.drain()
        yield chunks.Attributes(tuple(_facts(walk.facts)), is_whole=True)
        yield from position.news(lost([*walk.losses, *self._copies(earlier, same)]))
        takes = partial(self._takes, is_run=cache(_is_run))
        yield from position.news(run_files(self.home, position.files, takes))
        yield from position.ending(self.header())

    def _takes(self, name: str, is_run: Callable[[Path], bool]) -> bool:
        """Files of these states; the run's own are all below it but those of runs in there."""
        if name == self.states[0].name:
            return False
        *folders, _ = name.split("/")
        if any((folders[0] if folders else "") == state.folder for state in self.states):
            return True
        below = (self.home.joinpath(*folders[:depth]) for depth in range(1, len(folders) + 1))
        return self.is_main and not any(map(is_run, below))

    def _copies(self, earlier: dict[str, tuple[int, str]], same: set[str]) -> Iterator[Loss]:
        for name in earlier:
            if name in same:
                why = "an earlier state of the same history; its rows are the first of this run"
                yield Loss("earlier-state", Fate.KEPT, name, 1, why)
            else:
                why = "its rows are not the first of the newest state; they are kept in the file"
                yield Loss("other-history", Fate.REENCODED, name, 1, why)


def _from(
    walk: StateWalk,
    done: Rewritten,
    earlier: dict[str, tuple[int, str]],
    same: set[str],
) -> Iterator[tuple[bool, Tree]]:
    """Every row, and whether it is new; `done` is brought up to it.

    Raises SourceChanged if those that were read before are no longer the first.
    """
    before, expected, digest = done.rows, done.digest, RowsDigest()
    ends: dict[int, list[str]] = {}
    for name, found in earlier.items():
        ends.setdefault(found[0], []).append(name)
    path = walk.state.home / walk.state.name
    same.update(ends.get(0, ()))
    for row in walk.rows():
        digest.add(_spelled(row))
        same.update(
            name
            for name in ends.get(digest.rows, ())
            if earlier[name] == (digest.rows, digest.text())
        )
        if digest.rows == before and digest.text() != expected:
            raise changed(path)
        done.rows = max(before, digest.rows)
        yield digest.rows > before, row
    if digest.rows < before:
        raise changed(path)
    done.digest = digest.text()


def _row(rows: LoggedRows, row: Tree, seq: int) -> Iterator[chunks.Chunk]:
    if not isinstance(row, dict):
        yield chunks.Raw(_HISTORY, "no mapping", _spelled(row).encode("utf-8", "replace"), seq)
        return
    step = step_of(row.get("step"))
    named = {name: value for name, value in row.items() if step is None or name != "step"}
    at = address(seq, step)
    yield from rows.add(at, leaves(dict(named or row)))


def _facts(facts: dict[str, Tree]) -> Iterator[Attribute]:
    for name, value in facts.items():
        role: Role = "config" if name in _CONFIG else "summary" if name in _SUMMARY else "other"
        yield from attributes({name: value}, role)

"""Operations of a queue, log by log, from where an earlier read ended.

A line is `{"obj": {"type", "path", …}, "version", "at"}` (`disk_queue.py` of neptune 1.14). A log
is removed when all in it was sent, so versions may begin anywhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final

from runferry.dialects.json_trees import JsonNotes, parse_json
from runferry.dialects.neptune.names import text_of
from runferry.dialects.run_folder import Text, text_beside
from runferry.losses import Fate, Loss
from runferry.model import KeyPath, Tree
from runferry.paths import spelled
from runferry.readers.damage import cut
from runferry.readers.lines import WholeLines, is_too_long
from runferry.readers.neptune.queue.bursts import (
    Burst,
    behind_last_end,
    blocks_of,
    bursts_and_lines,
    lines_of,
)
from runferry.readers.neptune.queue.containers import Execution
from runferry.readers.run_folders.documents import noted
from runferry.readers.run_folders.position import Grown

_CLEARS: Final = ("ClearFloatLog", "ClearStringLog", "ClearImageLog", "DeleteAttribute")
_MAY_CLEAR: Final = (b'"Clear', b'"DeleteAttribute"')


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation; `number` counts all of a container, whatever they are."""

    number: int
    kind: str
    path: KeyPath
    fields: dict[str, Tree]
    line: Line


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a log and where it stands."""

    log: Path
    name: str
    """Of the log below the container, as messages have it."""
    offset: int
    text: bytes


@dataclass(frozen=True, slots=True)
class Odd:
    """A line that is no operation."""

    line: Line
    reason: str


@dataclass
class Logs:
    """The logs of one execution, read up to what they had when reading began.

    `done` says what was read of each, and is brought up to date when all was read.
    """

    execution: Execution
    label: str
    """The execution's folder as messages have it."""
    done: dict[str, Grown]
    last_version: int
    """The version of the last operation that was read; 0 at the beginning."""
    losses: list[Loss] = field(default_factory=list)
    _ends: dict[str, int] = field(default_factory=dict)

    def cleared(self, number: int) -> tuple[dict[KeyPath, int], int]:
        """For each attribute the number of the last operation that emptied or removed it.

        And the number behind the last operation. This finds out where the logs end, for `pieces`.
        """
        found: dict[KeyPath, int] = {}
        for log in self.execution.logs:
            name = f"{self.label}/{spelled(log.name)}"
            done = self.done.setdefault(name, Grown())
            done.check(log)
            with log.open("rb") as stream:
                self._ends[name] = self._end_of(stream, name, done.offset)
                for _, block in blocks_of(stream, done.offset, self._ends[name]):
                    lines = [line for line in block.split(b"\n") if line.strip()]
                    if any(word in block for word in _MAY_CLEAR):
                        found.update(_cleared(lines, number))
                    number += len(lines)
        return found, number

    def _end_of(self, stream: BinaryIO, name: str, begin: int) -> int:
        """Behind the last whole line; what is behind it is told."""
        whole = WholeLines(_is_json, behind_last_end(stream, begin))
        for _ in whole.of(stream):
            pass
        if whole.unfinished:
            self.losses.append(cut(f"{name}@{whole.offset}", whole.unfinished, is_over=False))
        return whole.offset

    def finish(self) -> None:
        """Note that all lines were read."""
        for log in self.execution.logs:
            name = f"{self.label}/{spelled(log.name)}"
            if name in self._ends:
                self.done[name].offset = self._ends[name]
                self.done[name].sign(log)

    def pieces(self, number: int, *, at_once: bool) -> Iterator[Operation | Odd | Burst]:
        """What was looked through by `cleared`; the first operation has this number.

        Numbers come many at once where that is asked for.
        """
        for line in self._lines(at_once):
            if isinstance(line, Burst):
                yield line
                number += len(line)
            else:
                yield self._operation(number, line)
                number += 1

    def _lines(self, at_once: bool) -> Iterator[Line | Burst]:
        for log in self.execution.logs:
            name = f"{self.label}/{spelled(log.name)}"
            with log.open("rb") as stream:
                for begin, block in blocks_of(stream, self.done[name].offset, self._ends[name]):
                    at = begin
                    for found in bursts_and_lines(block) if at_once else lines_of(block):
                        if isinstance(found, Burst):
                            self._count(found.first_version, Line(log, name, at, b""))
                            self.last_version = max(self.last_version, found.last_version)
                            yield found
                            at += found.size_bytes
                            continue
                        if found.strip():
                            yield Line(log, name, at, found)
                        at += len(found)

    def _operation(self, number: int, line: Line) -> Operation | Odd:
        notes = JsonNotes()
        try:
            found = _decoded(line.text, notes)
        except ValueError as error:
            return Odd(line, f"no JSON: {error}")
        self.losses.extend(noted(notes, f"{line.name}@{line.offset}"))
        operation = _taken(number, line, found)
        if operation is None:
            return Odd(line, "no operation: type and path are wanted")
        assert isinstance(found, dict)
        self._count(found.get("version"), line)
        return operation

    def _count(self, version: Tree, line: Line) -> None:
        """Tell versions that are not there: the first ones were sent, others are gone."""
        if isinstance(version, bool) or not isinstance(version, int):
            return
        missing = version - self.last_version - 1
        if missing > 0 and self.last_version == 0:
            why = "operations that were sent to the server, and are no longer in these files"
            self.losses.append(Loss("sent-operations", Fate.KEPT, self.label, missing, why))
        elif missing > 0:
            why = "the numbers of operations leave a gap"
            where = f"{line.name}@{line.offset}"
            self.losses.append(Loss("missing-operations", Fate.DROPPED, where, missing, why))
        self.last_version = max(self.last_version, version)

    def ending(self) -> Iterator[Loss]:
        """What the queue itself says of how far it was written, and how far it was sent."""
        put = _version_in(self.execution.folder, "last_put_version")
        sent = _version_in(self.execution.folder, "last_ack_version")
        if put is not None and put > self.last_version:
            why = "operations that the client counted, and that are in no log (yet)"
            count = put - self.last_version
            yield Loss("unwritten-operations", Fate.KEPT, self.label, count, why)
        if sent:
            why = f"the server has the operations up to version {sent:,}, or had them"
            yield Loss("sent-before", Fate.KEPT, self.label, 1, why)


def _cleared(lines: list[bytes], number: int) -> Iterator[tuple[KeyPath, int]]:
    for each, text in enumerate(lines, number):
        if any(word in text for word in _MAY_CLEAR):
            operation = operation_in(text)  # what is none is told when it is replayed
            if operation is not None and operation.kind in _CLEARS:
                yield operation.path, each


def operation_in(text: bytes) -> Operation | None:
    """The operation of a line; None for anything else."""
    try:
        return _taken(0, Line(Path(), "", 0, text), _decoded(text, JsonNotes()))
    except ValueError:
        return None


def operation_at(log: Path, offset: int) -> dict[str, Tree]:
    """The fields of the operation that stands there. Raises ValueError for anything else."""
    with log.open("rb") as stream:
        stream.seek(offset)
        text = stream.readline()
    operation = _taken(0, Line(log, "", offset, text), _decoded(text, JsonNotes()))
    if operation is None:
        raise ValueError(f"no operation at {offset}")
    return operation.fields


def _decoded(text: bytes, notes: JsonNotes) -> Tree:
    """Raises ValueError."""
    if is_too_long(text):
        raise ValueError("a line longer than any operation")
    return parse_json(text.decode("utf-8"), notes)


def _taken(number: int, line: Line, found: Tree) -> Operation | None:
    told = found.get("obj") if isinstance(found, dict) else None
    if not isinstance(told, dict):
        return None
    kind, path = told.get("type"), told.get("path")
    if not isinstance(kind, str) or not isinstance(path, list) or not path:
        return None
    names = tuple(name for name in path if isinstance(name, str))
    return Operation(number, kind, names, told, line) if len(names) == len(path) else None


def _is_json(text: bytes) -> bool:
    try:
        return isinstance(_decoded(text, JsonNotes()), dict)
    except ValueError:
        return False


def _version_in(folder: Path, name: str) -> int | None:
    text = text_beside(folder, name, 64)
    found = text.text.strip() if isinstance(text, Text) else ""
    return int(found) if found.isdecimal() else None


def where_of(path: KeyPath) -> str:
    """An attribute's path as losses have it."""
    return spelled(text_of(path))

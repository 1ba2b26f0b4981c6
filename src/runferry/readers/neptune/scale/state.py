"""What the attributes of a run of neptune-scale hold: all but values of series."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC

from runferry.dialects.neptune.steps import MILLION
from runferry.dialects.protobuf_reading import Malformed
from runferry.model import Tree, instant
from runferry.readers.neptune.scale.messages import (
    CreateRun,
    FileRef,
    Moment,
    Snapshot,
    StringSet,
    Value,
)
from runferry.readers.neptune.scale.wire import create_run, snapshot
from runferry.tables import dumps

_SNAPSHOT, _CREATE = 0, 1


@dataclass
class State:
    """What the attributes of a run hold after the operations so far."""

    run_id: str
    created: CreateRun = field(default_factory=CreateRun)
    atoms: dict[str, Tree] = field(default_factory=dict)
    files: dict[str, FileRef] = field(default_factory=dict)

    def take(self, kind: int, message: object) -> Snapshot:
        """One operation; gives what it appends. Raises Malformed."""
        if not isinstance(message, bytes):  # a cell of sqlite may hold anything
            raise Malformed("an operation that is no bytes")
        if kind == _CREATE:
            self.created = create_run(message)
            self.atoms.update(_created(self.run_id, self.created))
            return Snapshot()
        if kind != _SNAPSHOT:
            raise Malformed(f"an operation of the unknown type {kind}")
        found = snapshot(message)
        for name, value in found.assigned:
            if isinstance(value, FileRef):
                self.files[name] = value
            else:
                self.atoms[name] = _tree(value)
        for name, word in found.added:
            known = self._words(name)
            self.atoms[name] = known if word in known else [*known, word]
        for name, word in found.removed:
            self.atoms[name] = [one for one in self._words(name) if one != word]
        return found

    def _words(self, name: str) -> list[Tree]:
        known = self.atoms.get(name)
        return known if isinstance(known, list) else []

    def sys(self) -> dict[str, Tree]:
        """What lies below `sys`, by paths there."""
        return {
            name.removeprefix("sys/"): value
            for name, value in self.atoms.items()
            if name.startswith("sys/")
        }


def _created(run_id: str, told: CreateRun) -> Iterator[tuple[str, Tree]]:
    """The attributes that Neptune makes of the message that creates a run."""
    yield "sys/custom_run_id", run_id
    if told.experiment:
        yield "sys/name", told.experiment
    if told.family:
        yield "sys/family", told.family
    if told.created_ns is not None:
        yield "sys/creation_time", instant(told.created_ns).astimezone(UTC)
    if told.parent is not None:
        yield "sys/forking/parent", told.parent
        if told.parent_project:
            yield "sys/forking/parent_project", told.parent_project
        if told.fork_micros is not None:
            yield "sys/forking/step", told.fork_micros / MILLION


def _tree(value: Value) -> Tree:
    match value:
        case Moment(time_ns):
            return instant(time_ns)
        case StringSet(values):
            return list(values)
        case bool() | int() | float() | str():
            return value
    return dumps(repr(value))  # a histogram is never assigned

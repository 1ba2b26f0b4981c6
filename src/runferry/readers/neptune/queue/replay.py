"""Replays the operations of a container's queues, in order, from the first or from a cursor.

What was cleared or deleted later is not given, so the logs are looked through for that first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from runferry import chunks, settings
from runferry.errors import SourceChanged
from runferry.losses import Fate, Loss
from runferry.model import Attribute, Cursor, KeyPath, Tree
from runferry.readers.declared import Declared
from runferry.readers.neptune.artifacts import tracked_artifact
from runferry.readers.neptune.queue.bursts import Burst
from runferry.readers.neptune.queue.containers import Execution, Queue, home_of, labels_of
from runferry.readers.neptune.queue.logs import Logs, Odd, Operation, where_of
from runferry.readers.neptune.queue.series import QueueSeries
from runferry.readers.neptune.queue.uploads import Uploads
from runferry.readers.neptune.queue.values import Held, Unreplayable, Values
from runferry.readers.run_folders.position import Position
from runferry.tables import dumps

READER: Final = "neptune queue"
_AGAIN: Final = "pull the run into a new archive"
_CLEARING: Final = ("ClearFloatLog", "ClearStringLog", "ClearImageLog")


@dataclass
class Replay:
    """One pass over the operations that have not been replayed."""

    queue: Queue
    position: Position
    series: QueueSeries
    values: Values
    number: int = 0
    """Operations that were replayed before."""
    versions: dict[str, Tree] = field(default_factory=dict)
    """The last version of each execution."""
    given: dict[str, Tree] = field(default_factory=dict)
    """What was given of each file and artifact, as far as it can be told apart."""
    _skipped: Counter[KeyPath] = field(default_factory=Counter)
    _there: set[str] = field(default_factory=set)

    @classmethod
    def begun(cls, queue: Queue, after: Cursor | None) -> Replay:
        """From the beginning, or where an earlier read ended. Raises SourceChanged."""
        container = queue.container_id
        if after is None:
            series = QueueSeries(Declared.after(()))
            return cls(queue, Position(READER), series, Values(container))
        match after.position:
            case {
                "logs": logs,
                "seq": int(seq),
                "lines": int(lines),
                "number": int(number),
                "consoles": dict(consoles),
                "versions": dict(versions),
                "given": dict(given),
                "values": values,
            }:
                position = Position.of(READER, logs)
                series = QueueSeries(Declared.after(after.series), seq, lines, dict(consoles))
                try:
                    held = Values.restored(container, values)
                except TypeError as error:
                    raise _strange() from error
                return cls(queue, position, series, held, number, dict(versions), dict(given))
        raise _strange()

    def tree(self) -> Tree:
        """As a cursor's position."""
        return {
            "logs": self.position.position(),
            "seq": self.series.seq,
            "lines": self.series.lines,
            "number": self.number,
            "consoles": self.series.consoles,
            "versions": self.versions,
            "given": self.given,
            "values": self.values.tree(),
        }

    def read(self) -> Iterator[chunks.Chunk]:
        """All chunks but headers and the checkpoint."""
        labels = labels_of(self.queue)
        losses: list[Loss] = []
        cleared_at = self._cleared(logs := self._logs(labels))
        for one in logs:
            for found in one.pieces(self.number, at_once=not cleared_at):
                if isinstance(found, Burst):
                    self.number += len(found)
                    yield from self.series.add_burst(found)
                else:
                    self.number += 1
                    yield from self._replayed(found, cleared_at)
            self.versions[one.label] = one.last_version
            losses += [*one.losses, *one.ending()]
            one.finish()
        yield from self.series.drain()
        yield from self._ending(labels, losses)

    def _logs(self, labels: dict[str, Execution]) -> list[Logs]:
        found = []
        for label, execution in labels.items():
            version = self.versions.get(label, 0)
            last = version if isinstance(version, int) else 0
            found.append(Logs(execution, label, self.position.grown, last))
        return found

    def _cleared(self, logs: list[Logs]) -> dict[KeyPath, int]:
        """The last clearing of each attribute. Raises SourceChanged where values were given."""
        found: dict[KeyPath, int] = {}
        number = self.number
        for one in logs:
            more, number = one.cleared(number)
            found.update(more)
        known = {series.path for series in self.series.declared.given.values()}
        known.update(map(_as_path, self.series.consoles.values()))
        if self.number and (gone := known & set(found)):
            raise SourceChanged(
                "values that were read before have been cleared by the client since",
                where=", ".join(sorted(map(where_of, gone))[:3]),
                hint=_AGAIN,
            )
        return found

    # --- one operation

    def _replayed(
        self, found: Operation | Odd, cleared_at: dict[KeyPath, int]
    ) -> Iterator[chunks.Chunk]:
        if isinstance(found, Odd):
            yield from _raw(found.reason, found.line.text, f"{found.line.name}@{found.line.offset}")
            return
        try:
            if found.kind == "DeleteAttribute":
                self.values.remove(found.path)
            elif self.values.takes(found.kind):
                self.values.apply(found)
            elif self.series.takes(found.kind):
                if found.number < cleared_at.get(found.path, 0):
                    self._skipped[found.path] += 1
                else:
                    yield from self.series.add(found)
            elif found.kind not in _CLEARING:
                raise Unreplayable(f"an operation that is not known: {found.kind}")
        except Unreplayable as error:
            where = f"{found.line.name}@{found.line.offset}"
            yield from _raw(str(error), found.line.text, where)

    # --- the end

    def _ending(self, labels: dict[str, Execution], losses: list[Loss]) -> Iterator[chunks.Chunk]:
        consoles = (
            Attribute(("neptune", "console", stream), "other", where_of(_as_path(path)))
            for stream, path in self.series.consoles.items()
        )
        facts = (
            Attribute(("neptune", "execution", str(number), name), "environment", value)
            for number, one in enumerate(self.queue.executions)
            for name, value in one.metadata
        )
        yield chunks.Attributes((*self.values.attributes(), *consoles, *facts), is_whole=True)
        home = None if settings.current().neptune_uploads == "anywhere" else home_of(self.queue)
        uploads = Uploads(labels, home, self.series.losses)
        for path, held in self.values.held.items():
            if held.kind in ("file", "file set"):
                yield from self._files(uploads, path, held)
            elif held.kind == "artifact":
                yield from self._artifact(path, held)
        self._check_given()
        why = "operations whose values the client cleared later"
        losses += [
            Loss("cleared-values", Fate.KEPT, where_of(path), count, why)
            for path, count in self._skipped.items()
        ]
        yield from self.position.news(map(chunks.Lost, (*losses, *self.series.losses)))

    def _files(self, uploads: Uploads, path: KeyPath, held: Held) -> Iterator[chunks.Chunk]:
        for file in uploads.files(path, held):
            told = [where_of(path), dumps(held.value)]
            stamp: Tree = [*told, file.blob.size]
            self._there.add(file.path)
            known = self.given.get(file.path)
            is_gone = file.blob.is_missing and isinstance(known, list) and known[:2] == told
            if known != stamp and not is_gone:  # what was read once may go from the disk
                self.given[file.path] = stamp
                yield file

    def _artifact(self, path: KeyPath, held: Held) -> Iterator[chunks.Chunk]:
        name = where_of(path)
        mark = f"artifact {name}"
        self._there.add(mark)
        known = self.given.get(mark)
        if known == held.value:
            return
        if known is not None:
            what = "an artifact that was read before has changed"
            raise SourceChanged(what, where=name, hint=_AGAIN)
        self.given[mark] = held.value
        yield tracked_artifact(name, held.value)

    def _check_given(self) -> None:
        """Raises SourceChanged where something was given whose attribute is gone since."""
        there = {
            where_of(path): dumps(held.value)
            for path, held in self.values.held.items()
            if held.kind == "file set"
        }
        gone = [
            name
            for name, told in self.given.items()
            if name not in self._there
            and not (isinstance(told, list) and there.get(str(told[0])) == told[1])
        ]
        if gone:
            what = "what was read before has been removed or replaced by the client since"
            raise SourceChanged(what, where=", ".join(sorted(gone)[:3]), hint=_AGAIN)


def _as_path(value: Tree) -> KeyPath:
    """A path as a cursor has it."""
    return tuple(str(name) for name in value) if isinstance(value, list) else ()


def _raw(reason: str, text: bytes, where: str) -> Iterator[chunks.Chunk]:
    yield chunks.Raw("neptune operation", reason, text.rstrip(b"\n"))
    yield chunks.Lost(Loss("odd-operation", Fate.REENCODED, where, 1, f"{reason}; kept as it is"))


def _strange() -> SourceChanged:
    return SourceChanged("the cursor is not one of the neptune reader", hint=_AGAIN)

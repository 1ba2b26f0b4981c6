"""Reads an experiment of `start_logging`: one run of all that was logged while it was active.

Its parts are the calls of the experiment itself and the event files of TensorBoard's writers. Keys
are first come, first served; a later part's series of the same key is named by its part too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar

import pyarrow as pa
import pyarrow.compute as pc

from runferry import chunks
from runferry.errors import SourceChanged
from runferry.live.calls_reader import CallsRun
from runferry.live.replica_reader import ReplicaReader
from runferry.live.replicas.calls import SUFFIX
from runferry.model import Cursor, Run, RunKey, Series, Tree
from runferry.ports import Location, ReadOptions
from runferry.readers.local_runs import LocalRun
from runferry.readers.tensorboard import TensorboardReader
from runferry.transfer.rows import rekeyed

EVENTS = "tensorboard"
_PART = 40  # bits of `seq` that are a part's own


class ExperimentsReader(ReplicaReader):
    """Experiments, a folder each: calls, and event files below `tensorboard`."""

    name: ClassVar[str] = "experiments"
    takes: ClassVar[str] = "a folder of experiments"

    def look(self) -> Iterator[Joined]:
        """One for each folder with calls."""
        for path in sorted(self.root.glob(f"*/*{SUFFIX}")):
            events = path.parent / EVENTS
            parts: list[tuple[str, LocalRun]] = []
            if events.is_dir():
                reader = TensorboardReader.open(Location(EVENTS, str(events)), ReadOptions())
                parts = [(key.run_id, one.run) for key, one in reader.listed().items()]
            yield Joined(CallsRun(path, self.copies), tuple(parts))


@dataclass(frozen=True, slots=True)
class Joined:
    """One experiment: its own calls, and the runs of TensorBoard that belong to it."""

    calls: CallsRun
    parts: tuple[tuple[str, LocalRun], ...]

    @property
    def key(self) -> RunKey:
        """Of the experiment."""
        return self.calls.key

    @property
    def sources(self) -> tuple[Path, ...]:
        """All files."""
        return (*self.calls.sources, *(path for _, part in self.parts for path in part.sources))

    def header(self) -> Run:
        """The experiment's."""
        return self.calls.header()

    def read(self, run: Run, after: Cursor | None = None) -> Iterator[chunks.Chunk]:
        """The chunks of all parts; `run` is this one."""
        reading = _Reading(after)
        for label, part in (("", self.calls), *self.parts):
            yield from reading.part(label, part)
        yield from reading.ending()


@dataclass
class _Part:
    """How far a part was read, and what its series are called here."""

    number: int
    position: Tree = None
    keys: dict[str, str] = field(default_factory=dict)
    is_read: bool = False


class _Reading:
    """One pass over all parts."""

    def __init__(self, after: Cursor | None) -> None:
        self._parts: dict[str, _Part] = {}
        self._series = {series.key: series for series in after.series} if after else {}
        self._header: Run | None = None
        position = after.position if after is not None else {}
        if not isinstance(position, dict):
            raise SourceChanged("no cursor of an experiment")
        for label, told in position.items():
            assert isinstance(told, dict)
            self._parts[label] = _Part(**told)  # type: ignore[arg-type]
        self._taken = {key for part in self._parts.values() for key in part.keys.values()}

    def part(self, label: str, of: LocalRun) -> Iterator[chunks.Chunk]:
        """The chunks of one part, with keys and numbers that no other part has."""
        part = self._parts.setdefault(label, _Part(len(self._parts)))
        cursor = Cursor(part.position, tuple(self._known(part))) if part.is_read else None
        for chunk in of.read(of.header(), cursor):
            match chunk:
                case chunks.Header(run):
                    self._header = run if not label else self._header
                case chunks.Checkpoint(position):
                    part.position, part.is_read = position, True
                case chunks.Attributes(items):
                    yield chunks.Attributes(items)  # never all there are
                case chunks.SeriesFacts(items):
                    found = tuple(self._named(label, part, series) for series in items)
                    yield chunks.SeriesFacts(found)
                case chunks.Points() | chunks.Texts() | chunks.Histograms():
                    yield replace(chunk, batch=_moved(chunk.batch, part))
                case chunks.Media(items):
                    yield chunks.Media(
                        tuple(
                            replace(
                                item,
                                key=part.keys.get(item.key, item.key),
                                at=replace(item.at, seq=_seq(part, item.at.seq)),
                            )
                            for item in items
                        )
                    )
                case _:
                    yield chunk

    def ending(self) -> Iterator[chunks.Chunk]:
        """The experiment's header, and where a later pass goes on."""
        if self._header is not None:
            yield chunks.Header(self._header)
        told: dict[str, Tree] = {label: dict(vars(part)) for label, part in self._parts.items()}
        yield chunks.Checkpoint(told)

    def _known(self, part: _Part) -> Iterator[Series]:
        for own, key in part.keys.items():
            if key in self._series:
                found = self._series[key]
                path = found.path if own == key else found.path[1:] or found.path
                yield replace(found, key=own, path=path)

    def _named(self, label: str, part: _Part, series: Series) -> Series:
        key = part.keys.get(series.key)
        if key is None:
            key, copies = series.key, 1
            while key in self._taken:
                key = f"{label}/{series.key}" if copies == 1 else f"{label}/{series.key}~{copies}"
                copies += 1
            part.keys[series.key] = key
            self._taken.add(key)
        axis = None if series.x_axis is None else part.keys.get(series.x_axis, series.x_axis)
        path = series.path if key == series.key else (label, *series.path)
        return replace(series, key=key, path=path, x_axis=axis)


def _moved(batch: pa.RecordBatch, part: _Part) -> pa.RecordBatch:
    if any(own != key for own, key in part.keys.items()):
        batch = rekeyed(batch, lambda key: part.keys.get(key, key))
    if not part.number:
        return batch
    index = batch.schema.get_field_index("seq")
    moved = pc.add(batch.column(index), pa.scalar(part.number << _PART, pa.int64()))
    return batch.set_column(index, batch.schema.field(index), moved)


def _seq(part: _Part, seq: int) -> int:
    return seq + (part.number << _PART)

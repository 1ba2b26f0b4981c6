"""One run of a repository: what the process says of it, as chunks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from runferry import chunks
from runferry.dialects.aim.places import DATABASE, MARK, SYSTEM, SYSTEM_PARAMETERS
from runferry.dialects.aim.process import Frame
from runferry.dialects.json_trees import leaves
from runferry.dialects.plain_folder.layout import is_uid
from runferry.dialects.printed import Printed
from runferry.losses import Fate, Loss
from runferry.model import (
    Address,
    ArtifactEntry,
    Attribute,
    Cursor,
    DataKind,
    KeyPath,
    MediaItem,
    Role,
    Run,
    RunKey,
    Stream,
    Tree,
    Uid,
)
from runferry.readers.aim import objects
from runferry.readers.aim.metrics import MILLION, Sequence, time_ns_of
from runferry.readers.aim.process import frames
from runferry.readers.aim.repository import copied, no_rows
from runferry.readers.declared import Declared
from runferry.readers.local_runs import refuse_cursor
from runferry.readers.run_folders.logged_rows import LoggedRows

_MEDIA_AT_MOST: Final = 64
_BINS_AT_MOST: Final = 1_024


@dataclass(frozen=True, slots=True)
class AimRun:
    """A run of a repository: small, and made to be pickled."""

    home: Path
    run: Run
    facts: tuple[tuple[str, Tree], ...] = ()
    """What the database says that a header has no place for."""

    @property
    def key(self) -> RunKey:
        """Its hash is unique everywhere."""
        return self.run.key

    @property
    def sources(self) -> tuple[Path, ...]:
        """The database that names it."""
        return (self.home / DATABASE,)

    def header(self) -> Run:
        """What the database says."""
        return self.run

    def read(self, run: Run, after: Cursor | None = None) -> Iterator[chunks.Chunk]:
        """All of it: RocksDB does not tell what came since. Raises SourceChanged."""
        refuse_cursor(after, self.home)
        reading = _Reading(self.run)
        reading.attributes += [Attribute(("aim", name), "other", it) for name, it in self.facts]
        run_hash = self.key.run_id
        with copied(self.home, run_hash) as places:
            if places is None:
                yield chunks.Lost(no_rows(run_hash))
            else:
                with frames(*places, run_hash, self.home) as told:
                    for frame in told:
                        yield from reading.take(frame)
        yield from reading.ending()
        yield chunks.Header(reading.run)


@dataclass
class _Reading:
    """One pass over the frames of a run."""

    run: Run
    attributes: list[Attribute] = field(default_factory=list)
    contexts: dict[str, dict[str, Tree]] = field(default_factory=dict)
    declared: Declared = field(default_factory=lambda: Declared.after(()))
    rows: LoggedRows = field(init=False)
    printed: Printed = field(default_factory=Printed)
    bins: list[objects.Bins] = field(default_factory=list)
    media: list[MediaItem] = field(default_factory=list)
    artifacts: dict[str, Any] = field(default_factory=dict)
    seq: int = 0

    def __post_init__(self) -> None:
        self.rows = LoggedRows(declared=self.declared)

    def take(self, frame: Frame) -> Iterator[chunks.Chunk]:
        """One frame."""
        match frame.told["kind"]:
            case "run":
                self._facts(frame.told)
            case "half":
                where = ".".join(self._path(frame)[0])
                why = "a value that was being written: its step is not there yet"
                rows = frame.told["rows"]
                yield chunks.Lost(Loss("half-written", Fate.DROPPED, where, rows, why))
            case "metric":
                yield from self._metric(frame)
            case "object":
                yield from self._object(frame)

    def _facts(self, told: dict[str, Any]) -> None:
        self.contexts = told["contexts"]
        self.artifacts = told["artifacts"]
        for name, value in told["attrs"].items():
            if name == MARK and (uid := _uid_in(value)) is not None:
                self.run = replace(self.run, origin_uid=uid)
                continue
            role: Role = "other" if name.startswith("__") else "config"
            if name == SYSTEM_PARAMETERS:
                role = "environment"
            path = () if name == SYSTEM_PARAMETERS else (name,)
            found = leaves(value, path) if isinstance(value, dict) and value else [((name,), value)]
            self.attributes += [Attribute(where, role, item) for where, item in found]
        for number, context in self.contexts.items():
            if context:
                self.attributes.append(Attribute(("aim", "contexts", number), "other", context))
        ended = time_ns_of(told["end_time"])
        if ended is not None:
            self.run = replace(self.run, ended_ns=ended, state="finished", complete=True)

    def _path(self, frame: Frame) -> tuple[KeyPath, Stream]:
        """A sequence's name, and what its context says."""
        name = frame.told["name"]
        context = self.contexts.get(frame.told["context"]) or {}
        words = tuple(f"{key}={_word(value)}" for key, value in sorted(context.items()))
        if name.startswith(SYSTEM):
            return (name.removeprefix(SYSTEM), *words), "system"
        return (name, *words), "user"

    def _key(self, path: KeyPath, stream: Stream, kind: DataKind) -> Iterator[chunks.Chunk]:
        """What is to be stated of a series before its rows."""
        series = self.declared.missing(self._named(path, stream), path, stream, kind)
        if series is not None:
            yield chunks.SeriesFacts((series,))

    def _named(self, path: KeyPath, stream: Stream) -> str:
        return self.declared.keys.key(path, stream)

    def _metric(self, frame: Frame) -> Iterator[chunks.Chunk]:
        path, stream = self._path(frame)
        sequence, rounded = Sequence.of(frame), frame.told["rounded"]
        if rounded:
            yield _rounded(path, rounded)
        yield from self._key(path, stream, "scalar")
        yield chunks.Points(sequence.values(self._named(path, stream), self.seq))
        of_epoch = (*path, "epoch")
        epochs = sequence.epochs(self.declared.keys.key(of_epoch, stream), self.seq)
        if epochs is not None:
            yield from self._key(of_epoch, stream, "scalar")
            yield chunks.Points(epochs)
        self.seq += len(sequence)

    def _object(self, frame: Frame) -> Iterator[chunks.Chunk]:
        told = frame.told
        kind = objects.kind_of(frame)
        time_ns = time_ns_of(told["time"])
        if kind == "line":
            yield from self.printed.add(f"{objects.text_of(frame)}\n", time_ns, "stdout")
            return
        path, stream = self._path(frame)
        self.seq += told["index"] == 0
        above, millionths = divmod(told["millionths"], MILLION)
        at = Address(self.seq - 1, told["step"] + above, millionths or None, time_ns)
        if told["rounded"] and told["index"] == 0:
            yield _rounded(path, 1)
        if told["index"] == 0 and told["epoch"] is not None:
            yield from self.rows.add(at, [((*path, "epoch"), told["epoch"])], stream)
        if kind == "media":
            yield from self._key(path, stream, "media")
            self.media.append(objects.medium(frame, self._named(path, stream), at))
            if len(self.media) >= _MEDIA_AT_MOST:
                yield from self._drain()
            return
        key = self._named(path, stream)
        if kind == "histogram" and (found := objects.bins(frame, key, at)) is not None:
            yield from self._key(path, stream, "histogram")
            self.bins.append(found)
            if len(self.bins) >= _BINS_AT_MOST:
                yield from self._drain()
            return
        value = objects.value_of(frame, kind)
        if told["count"] > 1:  # several at one step stay together by their place in the path
            path = (*path, str(told["index"]))
        yield from self.rows.add(at, [(path, value)], stream)

    def _drain(self) -> Iterator[chunks.Chunk]:
        if self.media:
            yield chunks.Media(tuple(self.media))
        if self.bins:
            yield chunks.Histograms(objects.bins_batch(self.bins))
        self.media, self.bins = [], []

    def ending(self) -> Iterator[chunks.Chunk]:
        """All that was collected, and artifacts, which Aim only names."""
        yield from self._drain()
        yield from self.rows.drain()
        yield from self.printed.drain()
        if self.attributes:
            yield chunks.Attributes(tuple(self.attributes), is_whole=True)
        for name, told in self.artifacts.items():
            fields = told if isinstance(told, dict) else {}
            entry = ArtifactEntry(str(fields.get("path", name)), reference=fields.get("uri"))
            yield chunks.Artifact(name, "aim", "produced", entries=(entry,))


def _rounded(path: KeyPath, count: int) -> chunks.Chunk:
    why = "steps with more than six places"
    return chunks.Lost(Loss("rounded-step", Fate.ROUNDED, ".".join(path), count, why))


def _uid_in(value: Tree) -> Uid | None:
    """Whose run it is, where that is said as runferry says it."""
    match value:
        case {"uid": str(word), **others} if not others and is_uid(word):
            return Uid(word)
    return None


def _word(value: Tree) -> str:
    return value if isinstance(value, str) else json.dumps(value)

"""Reads runs that stand as calls (`replicas.calls`), and goes on where it ended."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Final

import numpy as np

from runferry.chunks import Attributes, Checkpoint, Chunk, Document, Header, Lost
from runferry.dialects.mlflow.artifacts import Entry
from runferry.dialects.mlflow.attributes import params, system_attributes
from runferry.dialects.mlflow.header import NativeRun, as_run
from runferry.dialects.mlflow.logged import Dataset
from runferry.dialects.mlflow.points import NativePoints
from runferry.errors import SourceChanged
from runferry.live import calls_models
from runferry.live.calls_state import Call, CallsState, text, texts
from runferry.live.replica_reader import ReplicaReader
from runferry.live.replicas.calls import SUFFIX
from runferry.losses import Fate, Loss
from runferry.model import Cursor, Run, RunKey, Tree
from runferry.ports import BATCH_ROWS
from runferry.readers.mlflow.plain import PlainRows, artifact_chunks


class CallsReader(ReplicaReader):
    """Runs whose calls lie in a folder. Copies of their files lie in another."""

    name: ClassVar[str] = "calls"
    takes: ClassVar[str] = "a folder of calls"

    def look(self) -> Iterator[CallsRun]:
        """Headers are from all calls of each run, which are few or must be read anyway."""
        for path in sorted(self.root.glob(f"*{SUFFIX}")):
            yield CallsRun(path, self.copies)


@dataclass(frozen=True, slots=True)
class CallsRun:
    """The calls of one run."""

    path: Path
    copies: Path

    @property
    def key(self) -> RunKey:
        """Of the run."""
        return self.header().key

    @property
    def sources(self) -> tuple[Path, ...]:
        """Its file."""
        return (self.path,)

    def header(self) -> Run:
        """What the first calls tell."""
        with self.path.open("rb") as lines:
            told, state = json.loads(lines.readline()), CallsState()
            for line, _ in zip(lines, range(_HEAD_LINES), strict=False):
                if line.endswith(b"\n"):
                    state.take(json.loads(line))
        return _run(told, state.native(str(told["run"])))

    def read(self, run: Run, after: Cursor | None = None) -> Iterator[Chunk]:
        """Its chunks; `run` is this one."""
        return _Reading(self, after).read()


_HEAD_LINES = 8
_TRACES: Final = "traces that were recorded in the run are not carried"


class _Reading:
    """One pass over the calls of a run, from the beginning or from a cursor."""

    def __init__(self, of: CallsRun, after: Cursor | None) -> None:
        self._of = of
        self._is_told = after is None
        """Whether what is given whole has to be given: it changed, or nobody has it yet."""
        self._waiting: list[list[Tree]] = []
        self._files: dict[str, str] = {}
        """By path: the name of its copy."""
        self._models: dict[str, None] = {}
        self._traces = 0
        known = after.series if after else ()
        self._rows = PlainRows(known)
        self._media = {series.path[0]: series.key for series in known if series.kind == "media"}
        self._state, self._offset, position = CallsState(), 0, after.position if after else None
        if isinstance(position, dict):
            self._state = CallsState(**position["state"])  # type: ignore[arg-type]
            self._rows.seq = position["seq"]  # type: ignore[assignment]
            self._offset = position["offset"]  # type: ignore[assignment]
        elif after is not None:
            raise SourceChanged("no cursor of these calls", where=str(of.path))

    def read(self) -> Iterator[Chunk]:
        """All chunks; the last two are the header and a checkpoint."""
        with self._of.path.open("rb") as lines:
            told = json.loads(lines.readline())
            if not self._offset:
                self._offset = lines.tell()
            lines.seek(self._offset)
            for line in lines:
                if not line.endswith(b"\n"):
                    break
                self._offset += len(line)
                call: Call = json.loads(line)
                self._is_told = self._state.take(call) or self._is_told
                yield from self._taken(call)
        native = self._state.native(str(told["run"]))
        if self._is_told:
            config = self._state.attributes()
            yield Attributes(params(native) + config + system_attributes(native), is_whole=True)
        yield from self._points()
        yield from self._files_of(native)
        for model_id in self._models:
            told_of = self._state.models[model_id]
            yield calls_models.artifact(model_id, told_of, self._of.copies)
        yield from map(Lost, self._rows.losses)
        if self._traces:
            yield Lost(Loss("trace", Fate.DROPPED, "", self._traces, _TRACES))
        yield Header(_run(told, native))
        yield self._checkpoint()

    def _taken(self, call: Call) -> Iterator[Chunk]:
        """What a call gives at once; most of it is given when all calls have been read."""
        match call["op"]:
            case "batch":
                self._waiting += call.get("metrics") or []  # type: ignore[arg-type]
                if len(self._waiting) >= BATCH_ROWS:
                    yield from self._points()
            case "file":
                self._files[str(call["path"])] = str(call["copy"])
            case "dataset":
                yield _dataset(call)
            case "model":
                self._models[calls_models.take(self._state.models, call)] = None
            case "trace":
                self._traces += 1
            case _:
                pass

    def _checkpoint(self) -> Checkpoint:
        state: Tree = {**vars(self._state)}
        return Checkpoint({"state": state, "seq": self._rows.seq, "offset": self._offset})

    def _points(self) -> Iterator[Chunk]:
        """Of all rows that wait."""
        rows, self._waiting = self._waiting, []
        for start in range(0, len(rows), BATCH_ROWS):
            yield from self._rows.chunks(_native_points(rows[start : start + BATCH_ROWS]))

    def _files_of(self, native: NativeRun) -> Iterator[Chunk]:
        entries = {path: Entry(path, None) for path in sorted(self._files)}
        copies = calls_models.CopiedFiles(self._of.copies, self._files)
        yield from artifact_chunks(native, copies, entries, self._rows, self._media)


def _native_points(rows: list[list[Tree]]) -> NativePoints:
    keys = {str(row[0]): None for row in rows}
    code = {key: number for number, key in enumerate(keys)}
    value = np.array([row[1] for row in rows], np.float64)
    return NativePoints(
        list(keys),
        np.array([code[str(row[0])] for row in rows], np.int64),
        np.array([row[2] for row in rows], np.int64),
        np.array([row[3] for row in rows], np.int64),
        value,
        np.isnan(value),
    )


def _run(told: Call, native: NativeRun) -> Run:
    """The run; an experiment of ours is none of MLflow's."""
    run = as_run(native)
    tracker = str(told["tracker"])
    return run if tracker == "mlflow" else replace(run, key=RunKey(tracker, "", native.run_id))


def _dataset(call: Call) -> Document:
    return Dataset(
        str(call["name"]),
        str(call["digest"]),
        str(call["source_type"]),
        str(call["source"]),
        text(call.get("schema")),
        text(call.get("profile")),
        texts(call.get("tags")),
    ).document

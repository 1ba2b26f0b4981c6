"""Follows the journals of all processes of a run, and hands each record to its replica.

Records are taken in rounds: what each file has by then, in order of time. Which bytes a round took
is written down before they are taken, so a follower that begins anew takes them in the same order,
and makes the same replicas.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from heapq import merge
from pathlib import Path

from runferry.live.adoption import ADOPTED, Adoption
from runferry.live.frames import SUFFIX, Frame, Kind, frames
from runferry.live.layout import is_held
from runferry.live.replicas.all import Replicas
from runferry.model import Tree

_AT_ONCE = 16 << 20
"""Bytes of a file that one round takes at most."""


@dataclass
class JournalFile:
    """The journal of one process, as far as it was read."""

    path: Path
    offset: int = 0
    sources: dict[int, dict[str, Tree]] = field(default_factory=dict)
    counts: dict[str, dict[str, int]] = field(default_factory=dict)  # as the process said last
    taken: Counter[int] = field(default_factory=Counter)  # records by source
    is_closed: bool = False  # by its process, which had said what it counted
    is_over: bool = False  # its process is gone, or done, and nothing follows
    _time_ns: int = 0

    def frames(self, end: int) -> Iterator[tuple[int, str, Frame]]:
        """What follows, in the order of the file; the first two give an order over all files."""
        with self.path.open("rb") as stream:
            for frame in frames(stream, self.offset, end):
                self.offset = frame.end
                self._time_ns = max(self._time_ns, frame.time_ns)  # clocks are set back at times
                yield self._time_ns, self.path.name, frame

    def is_held(self) -> bool:
        """Whether its process still has it open; without locks, whether it has not closed it."""
        return not self.is_closed if sys.platform == "win32" else is_held(self.path)


class Follower:
    """All journals in a folder."""

    def __init__(
        self, folder: Path, rounds: Path, replicas: Replicas, adoption: Adoption | None = None
    ) -> None:
        """Runs that an earlier session has begun are taken from there first, with `adoption`."""
        self._folder = folder
        self._adoption = adoption
        self._replicas = replicas
        self._files: dict[str, JournalFile] = {}
        self.rest = 0  # bytes that were there when the last round began, and are for the next
        self._replay(rounds)
        self._rounds = rounds.open("ab", buffering=0)

    @property
    def files(self) -> tuple[JournalFile, ...]:
        """Every journal that was met."""
        return tuple(self._files.values())

    def advance(self) -> bool:
        """Take what is there; whether there was anything. Raises OSError."""
        held = {}
        for name in self._names():
            file = self._known(name)
            held[name] = not file.is_over and file.is_held()
        self.rest = 0
        ends = self._ends(self._names())
        ends |= self._ends([name for name in self._names() if name not in self._files])
        first = {name: end for name, end in ends.items() if name.startswith(ADOPTED)}
        if first:  # what was before comes before
            self.rest += sum(end - self._files[name].offset for name, end in ends.items())
            ends = first
        if ends:
            self._note(ends)
            self._take(ends)
        for name, is_open in held.items():
            file = self._files[name]
            file.is_over = not is_open and not ends.get(name) and not self.rest
        return bool(ends)

    def _note(self, ends: dict[str, int]) -> None:
        """Write down what a round takes: all of it, or nothing and an OSError."""
        line = json.dumps(ends).encode() + b"\n"
        before = os.fstat(self._rounds.fileno()).st_size
        if self._rounds.write(line) != len(line):
            self._rounds.truncate(before)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def is_over(self) -> bool:
        """Whether every process is gone, and all that it wrote is taken."""
        own = f"-{os.getpid()}{SUFFIX}"
        files = [file for name, file in self._files.items() if not name.endswith(own)]
        return bool(files) and all(file.is_over for file in files)

    def close(self) -> None:
        """Let go of the files."""
        self._rounds.close()

    def _names(self) -> list[str]:
        if not self._folder.is_dir():
            return []
        return sorted(path.name for path in self._folder.iterdir() if path.suffix == SUFFIX)

    def _known(self, name: str) -> JournalFile:
        return self._files.setdefault(name, JournalFile(self._folder / name))

    def _ends(self, names: list[str]) -> dict[str, int]:
        """How far each file is taken in this round, where there is anything to take."""
        ends = {}
        for name in names:
            file = self._known(name)
            size = file.path.stat().st_size
            end = min(size, file.offset + _AT_ONCE)
            self.rest += size - end
            if end > file.offset:
                ends[name] = self._whole(file, end)
        return {name: end for name, end in ends.items() if end > self._files[name].offset}

    def _whole(self, file: JournalFile, end: int) -> int:
        """Behind the last whole record that begins before `end`."""
        last = file.offset
        with file.path.open("rb") as stream:
            for frame in frames(stream, file.offset, end):
                last = frame.end
                if frame.kind == Kind.SOURCE and self._adoption is not None:
                    self._adoption.of(json.loads(frame.payload))
        return last

    def _replay(self, rounds: Path) -> None:
        """Take again what was taken before, in the same order."""
        if not rounds.is_file():
            return
        whole = 0
        with rounds.open("rb") as lines:
            for line in lines:
                if not line.endswith(b"\n"):
                    break
                self._take(json.loads(line))
                whole += len(line)
        with rounds.open("r+b") as stream:
            stream.truncate(whole)

    def _take(self, ends: dict[str, int]) -> None:
        streams = [self._known(name).frames(end) for name, end in ends.items()]
        for _, name, frame in merge(*streams, key=lambda one: one[:2]):
            self._one(self._files[name], frame)
        self._replicas.flush()

    def _one(self, file: JournalFile, frame: Frame) -> None:
        match frame.kind:
            case Kind.SOURCE:
                facts = json.loads(frame.payload)
                file.sources[frame.source] = facts
                self._replicas.learn(facts)
            case Kind.COUNTS | Kind.STOP | Kind.DROPPED:
                with contextlib.suppress(ValueError):
                    file.counts = json.loads(frame.payload)
                file.is_closed = frame.kind != Kind.DROPPED
            case Kind.WANDB | Kind.EVENT | Kind.CALL:
                facts = file.sources.get(frame.source, {})
                file.taken[frame.source] += 1
                self._replicas.take(facts, frame)
            case _:
                pass

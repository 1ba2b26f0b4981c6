"""Event files as TensorBoard's writers make them, each with all that its writer was given."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path, PurePath

from runferry import _native
from runferry.dialects.tensorboard.names import is_event_file
from runferry.dialects.tensorboard.wire import fields_of
from runferry.live.frames import Frame
from runferry.live.replicas.beside import bring
from runferry.model import Tree
from runferry.paths import inside
from runferry.readers.tensorboard.side_files import projector_files

_SUMMARY = 5  # the field of an event
_FRAMING = 16  # bytes around an event: its length, and two checksums


class EventReplica:
    """One event file, and what its writer puts beside it by itself: the projector's tables."""

    def __init__(self, path: Path, original: Path) -> None:
        """`original` is the file that the writer writes."""
        self._path = path
        self._home = original.parent
        path.parent.mkdir(parents=True, exist_ok=True)
        self._there = path.stat().st_size if path.exists() else 0
        self._size = 0  # of all that was given
        self._first = b""
        self._writer: _native.EventWriter | None = None
        self._has_value = False  # the first one decides what readers take the file for

    def take(self, frame: Frame) -> None:
        """One event. Raises OSError.

        A file's first event comes again when mirroring is begun again, and is passed over.
        """
        has_value = any(number == _SUMMARY for number, _ in fields_of(frame.payload))
        if frame.payload == self._first and not has_value:
            return
        self._first = self._first or frame.payload
        end = self._size + _FRAMING + len(frame.payload)
        if end > self._there or self._writer is not None:
            if self._writer is None:
                self._writer = _native.EventWriter(
                    str(self._path), offset=self._size, tags={}, doubles=False
                )
            self._writer.event(frame.payload)
        self._size = end
        self._has_value = self._has_value or has_value

    def flush(self) -> None:
        """Bring it to the disk. Raises OSError."""
        if self._writer is not None and self._has_value:
            self._writer.flush()

    def end(self) -> None:
        """No more comes. Raises OSError."""
        self._has_value = True
        self.flush()
        names = list[str]()
        with contextlib.suppress(OSError):  # who may not read it, converts without it too
            names = list(projector_files(self._home))
        for name in names:
            beside, target = inside(self._home, name), self._path.parent / name
            if beside is not None and not is_event_file(target.name):  # those are replicas, too
                bring(beside, target)


def place_of(facts: Mapping[str, Tree]) -> PurePath:
    """Where an event file lies below the root that runs are named from: the working directory.

    One that lies elsewhere keeps all of its path.
    """
    path = PurePath(str(facts.get("file")))
    root = PurePath(str(facts.get("root") or facts.get("cwd") or "/"))
    if path.is_relative_to(root):
        return path.relative_to(root)
    return path.relative_to(path.anchor)

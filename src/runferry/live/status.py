"""What became of what was captured: written by the delivery process, read by anybody."""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

State = Literal["following", "delivering", "done", "gave-up", "stopped"]


@dataclass(frozen=True, slots=True)
class DestinationStatus:
    """Of one destination; records are those of the journals."""

    destination: str
    delivered: int = 0
    pending: int = 0
    excluded: int = 0  # runs that came from this very place
    failing: str | None = None  # what the last attempt ended in
    attempts: int = 0  # that failed one after the other
    losses: dict[str, int] = field(default_factory=dict)  # what is not there exactly, by its kind


@dataclass(frozen=True, slots=True)
class Status:
    """Of a session."""

    state: State
    process: int
    captured: int = 0
    dropped: int = 0  # as processes have said
    destinations: tuple[DestinationStatus, ...] = ()
    journals: dict[str, int] = field(default_factory=dict)  # bytes that are taken

    def holds(self, ends: dict[str, int]) -> bool:
        """Whether the journals are taken up to these places, and every destination has that."""
        is_all = not any(one.pending or one.failing for one in self.destinations)
        return is_all and self.has_taken(ends)

    def has_taken(self, ends: dict[str, int]) -> bool:
        """Whether the journals are taken up to these places."""
        return all(self.journals.get(name, 0) >= end for name, end in ends.items())

    def write(self, path: Path) -> None:
        """Replace what stands there."""
        scratch = path.with_name(f".{path.name}.{os.getpid()}")
        scratch.write_text(json.dumps(asdict(self)))
        scratch.replace(path)

    @classmethod
    def read(cls, path: Path) -> Status | None:
        """None where nothing was delivered yet."""
        with contextlib.suppress(FileNotFoundError):
            told = json.loads(path.read_text())
            ends = tuple(DestinationStatus(**one) for one in told.pop("destinations"))
            return cls(**told, destinations=ends)
        return None

"""What the messages of neptune-scale say."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class FileRef:
    """A file by its place in Neptune's storage."""

    path: str
    size: int
    mime_type: str


@dataclass(frozen=True, slots=True)
class Histogram:
    """Bins with counts, or with densities."""

    edges: tuple[float, ...]
    values: tuple[float, ...]
    is_counting: bool


@dataclass(frozen=True, slots=True)
class Moment:
    """A time in nanoseconds since the epoch."""

    time_ns: int


@dataclass(frozen=True, slots=True)
class StringSet:
    """All strings of a set."""

    values: tuple[str, ...]


Value: TypeAlias = "float | int | bool | str | Moment | StringSet | FileRef | Histogram"


@dataclass(frozen=True, slots=True)
class CreateRun:
    """`Run`: the first operation of a run."""

    run_id: str = ""
    experiment: str = ""
    family: str = ""
    created_ns: int | None = None
    parent: str | None = None
    parent_project: str = ""
    fork_micros: int | None = None  # the step in millionths


@dataclass(slots=True)
class Snapshot:
    """`UpdateRunSnapshot`: what was logged in one call."""

    micros: int | None = None  # the step in millionths
    time_ns: int | None = None
    preview: float | None = None  # how complete a preview is; None for values that stay
    assigned: list[tuple[str, Value]] = field(default_factory=list)
    appended: list[tuple[str, Value]] = field(default_factory=list)
    added: list[tuple[str, str]] = field(default_factory=list)
    removed: list[tuple[str, str]] = field(default_factory=list)

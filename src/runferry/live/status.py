"""What became of what was captured: written by the delivery process, read by anybody."""

from __future__ import annotations

import contextlib
import json
import os
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from runferry.ports import Location

_BLOCK: Final = 4096  # bytes of a disk
_ROOM: Final = 2048  # bytes kept for what a later status says more
_TORN_SECONDS: Final = 0.05
State = Literal["following", "delivering", "done", "gave-up", "stopped"]


def name_of(place: Location) -> str:
    """What a destination is called: `swanlab:`, and not `swanlab:@` as we write the account's own,
    which nobody has named.
    """
    text = str(place)
    return text.removesuffix("@") if text.endswith(":@") else text


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
    waiting: str | None = None  # what somebody else has to do before anything is sent
    is_refused: bool = False  # no further attempt helps before somebody mends it


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
        """Whether the journals are taken up to these places, and every destination has that, waits
        for somebody who is not us, or refuses it for good.
        """
        is_all = all(
            one.is_refused or not (one.failing or (one.pending and not one.waiting))
            for one in self.destinations
        )
        return is_all and self.has_taken(ends)

    def has_taken(self, ends: dict[str, int]) -> bool:
        """Whether the journals are taken up to these places."""
        return all(self.journals.get(name, 0) >= end for name, end in ends.items())

    def write(self, path: Path) -> None:
        """Replace what stands there; where the disk has no space, in the space of what stands
        there. Raises OSError.
        """
        text = json.dumps(asdict(self)).encode()
        size = _taken(len(text))
        scratch = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            scratch.write_bytes(text.ljust(size))
        except OSError:
            with contextlib.suppress(OSError):
                scratch.unlink()
            if not _is_written_over(path, text):
                raise
        else:
            scratch.replace(path)

    @classmethod
    def reserve(cls, path: Path, destinations: tuple[str, ...]) -> None:
        """Take the space of the first one, unless there is one; what is full is told by others."""
        first = cls("following", 0, destinations=tuple(map(DestinationStatus, destinations)))
        with contextlib.suppress(OSError), path.open("xb") as file:
            file.write(b" " * _taken(len(json.dumps(asdict(first)))))

    @classmethod
    def read(cls, path: Path) -> Status | None:
        """None where nothing was delivered yet."""
        with contextlib.suppress(FileNotFoundError):
            text = path.read_text()
            if not text.strip():  # the space of the first one
                return None
            try:
                told = json.loads(text)
            except ValueError:  # on a full disk it may just be written over
                time.sleep(_TORN_SECONDS)
                told = json.loads(path.read_text())
            ends = tuple(DestinationStatus(**one) for one in told.pop("destinations"))
            return cls(**told, destinations=ends)
        return None


def _taken(length: int) -> int:
    """Bytes of whole blocks, with room for what a later status says more."""
    return -(-(length + _ROOM) // _BLOCK) * _BLOCK


def _is_written_over(path: Path, text: bytes) -> bool:
    """Whether it fitted into the file that is there; no byte more is asked of the disk."""
    try:
        with path.open("r+b", buffering=0) as file:
            size = os.fstat(file.fileno()).st_size
            return len(text) <= size and file.write(text.ljust(size)) == size
    except OSError:
        return False

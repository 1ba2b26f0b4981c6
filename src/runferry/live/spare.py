"""A file beside a journal for what is counted once the disk is full.

Its first block is the disk's before that, so the counts that follow in it need no space. It comes
into sight with the first of them, as a journal of its own. Disks that write every change to a new
place may have none for it.
"""

from __future__ import annotations

import contextlib
import json
import time
from pathlib import Path
from typing import Final

from runferry._native import JournalFile
from runferry.live.frames import SUFFIX, Kind, frames
from runferry.live.layout import is_held

_FIRST_PAUSE_SECONDS: Final = 1.0
_HIDDEN: Final = "-full"
_SHOWN: Final = "-full-"
_COUNTS: Final = (Kind.COUNTS, Kind.STOP, Kind.DROPPED)


def clear_spares(folder: Path) -> None:
    """Remove spare files that told nothing, of processes that were killed and could not."""
    for path in folder.glob(f".*{_HIDDEN}"):
        journal = folder / f"{path.name.removeprefix('.').removesuffix(_HIDDEN)}{SUFFIX}"
        with contextlib.suppress(OSError):
            if not (journal.exists() and is_held(journal)):
                path.unlink(missing_ok=True)


def dropped_beside(folder: Path) -> int:
    """What processes have told in such files, each of which has all that its process dropped since
    its disk was full. Raises OSError.
    """
    dropped = 0
    for path in folder.glob(f"*{_SHOWN}*{SUFFIX}"):
        with path.open("rb") as stream:
            told = [json.loads(it.payload) for it in frames(stream, 0) if it.kind in _COUNTS]
        dropped += sum(told[-1]["dropped"].values()) if told else 0
    return dropped


class Spare:
    """No method raises. Counts are told ever more rarely, so all of them fit into a block."""

    def __init__(self, folder: Path, name: str, begin: bytes) -> None:
        """`name` is the journal's, TIME-PROCESS; `begin` is what its first frame says."""
        began, _, process = name.rpartition("-")
        self._hidden = folder / f".{name}{_HIDDEN}"
        self._shown = folder / f"{began}{_SHOWN}{process}{SUFFIX}"
        self._file: JournalFile | None = None
        self._tell_at, self._pause = 0.0, _FIRST_PAUSE_SECONDS
        with contextlib.suppress(OSError):
            file = JournalFile(self._hidden)
            file.append(Kind.BEGIN, 0, begin)
            self._file = file

    @property
    def is_due(self) -> bool:
        """Whether counts are to be told again."""
        return self._file is not None and time.monotonic() >= self._tell_at

    def tell(self, kind: Kind, counts: bytes) -> bool:
        """All counts since the disk was full, and whether whoever follows will hear of them."""
        file = self._file
        if file is None:
            return False
        self._tell_at, self._pause = time.monotonic() + self._pause, self._pause * 2
        try:
            file.append(kind, 0, counts)  # an OSError where another thread has closed it
            if self._hidden.exists():
                self._hidden.rename(self._shown)
        except OSError:
            return False
        return True

    def abandon(self) -> None:
        """In a child, whose parent's file it is."""
        if self._file is not None:
            self._file.abandon()

    def close(self) -> None:
        """Let go of it; one that told nothing goes."""
        if self._file is not None:
            file, self._file = self._file, None
            file.close()
            with contextlib.suppress(OSError):
                self._hidden.unlink(missing_ok=True)

"""A command and the processes that it started: whether they are at work, and how they end."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections import defaultdict
from contextlib import suppress
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")
_LITTLE: Final = 64 << 10
"""Bytes that processes which wait for nothing but an answer move meanwhile: their own logs."""
_SECONDS_TO_END: Final = 5.0


def family(pid: int) -> list[int]:
    """The process, and all below it; only itself where the system does not tell."""
    children: dict[int, list[int]] = defaultdict(list)
    with suppress(OSError):
        for folder in _PROC.iterdir():
            with suppress(OSError, ValueError, IndexError):  # no process, or one that has ended
                number = int(folder.name)
                stated = (folder / "stat").read_text().rpartition(")")[2]
                children[int(stated.split()[1])].append(number)
    found = [pid]
    for one in found:  # grows while it is walked
        found += children.get(one, [])
    return found


def end(process: subprocess.Popen[str]) -> None:
    """End the command and what it started; returns when it is gone."""
    if process.poll() is None:
        members = family(process.pid)
        _signal(members, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_SECONDS_TO_END)
        _signal(members[1:] if process.poll() is not None else members, signal.SIGKILL)
        process.wait()


def _signal(pids: list[int], number: int) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


class Progress:
    """Since when nothing has happened: no word of the command, and no more than a few bytes."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._moved = 0
        self._since = time.monotonic()

    def heard(self) -> None:
        """The command said something."""
        self._since = time.monotonic()

    def idle_seconds(self) -> float:
        """How long it has done nothing; 0 where the system does not tell what it does."""
        moved = _bytes_moved(family(self._pid))
        if moved is None:
            return 0.0
        if not self._moved <= moved <= self._moved + _LITTLE:
            self._moved = moved
            self.heard()
        return time.monotonic() - self._since


def _bytes_moved(pids: list[int]) -> int | None:
    """What they have read and written so far."""
    found = None
    for pid in pids:
        with suppress(OSError, ValueError):
            lines = (_PROC / str(pid) / "io").read_text().splitlines()[:2]
            found = (found or 0) + sum(int(line.split()[1]) for line in lines)
    return found

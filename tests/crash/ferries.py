"""Processes that pull or push and are killed on the way: for real, with SIGKILL.

A fork server has everything imported, so a process costs milliseconds. A *fuse* kills the process
by its own hand just before its n-th effect on the disk (a file opened for writing, a rename, a
removal, a folder, a statement that writes to a database); a *delay* kills it from outside.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from runferry.archive.store import Archive
from runferry.ports import Location, ReadOptions
from runferry.testing.reference import FaithfulWriter, ReferenceReader
from runferry.transfer.pull import pull

_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(
    ["pyarrow.parquet", "runferry.transfer.pull", "runferry.testing.reference", "sqlite3"]
)

_EFFECTS = frozenset({"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.truncate"})
Ferry = Callable[[str, str], None]


class _Fuse:
    """Counts effects on the disk, and dies before the n-th."""

    def __init__(self, length: int | None) -> None:
        self.burnt = 0
        self._length = length

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event in _EFFECTS or (event == "open" and _writes(arguments)):
            self.burnt += 1
            if self.burnt == self._length:
                os.kill(os.getpid(), signal.SIGKILL)


def _writes(arguments: tuple[Any, ...]) -> bool:
    _, mode, flags = arguments
    if isinstance(mode, str):
        return any(letter in mode for letter in "wax+")
    return bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))


def pull_all(source: str, archive: str) -> None:
    """Pull a folder of the reference tracker, where several runs are."""
    where = Location("reference", source)
    report = pull(
        where,
        Archive.open(Path(archive), create=True, reserve=0),
        reserve_bytes=0,
        open_reader=lambda: ReferenceReader.open(where, ReadOptions()),
    )
    if report.failures or report.aborted:
        raise SystemExit(f"{report.aborted} {report.failures}")


def _run(ferry: Ferry, source: str, target: str, fuse: int | None, count: Any) -> None:
    counter = _Fuse(fuse)
    sys.addaudithook(counter)
    ferry(source, target)
    count.value = counter.burnt


def sail(
    ferry: Ferry,
    source: Path,
    target: Path,
    *,
    fuse: int | None = None,
    delay: float | None = None,
) -> int | None:
    """Run a ferry in a process of its own; None if it was killed, else how many effects it had."""
    count = _SERVER.Value("q", 0)
    process = _SERVER.Process(target=_run, args=(ferry, str(source), str(target), fuse, count))
    process.start()
    process.join(delay)
    if process.is_alive():
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid or 0, signal.SIGKILL)
    process.join()
    if process.exitcode == -signal.SIGKILL:
        return None
    assert process.exitcode == 0, f"the ferry failed: exit code {process.exitcode}"
    return int(count.value)


def start(ferry: Ferry, source: Path, target: Path) -> Any:
    """A ferry that nobody kills, not waited for."""
    count = _SERVER.Value("q", 0)
    process = _SERVER.Process(target=_run, args=(ferry, str(source), str(target), None, count))
    process.start()
    process.count = count  # held until the process has opened it, else its name is gone
    return process


__all__ = ["FaithfulWriter", "pull_all", "sail", "start"]

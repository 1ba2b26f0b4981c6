"""Processes that pull or push and are killed on the way: for real, with SIGKILL.

A fork server has everything imported, so a process costs milliseconds. A *fuse* kills the process
by its own hand just before its n-th effect: a file opened for writing, a rename, a removal, a
folder made, and, when pushing, before and after each call that changes the destination. A *delay*
kills it from outside.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import random
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from runferry.archive.store import Archive
from runferry.archive.upgrade import upgrade
from runferry.ports import Location, Reader, ReadOptions, Writer
from runferry.registry import reader as reader_class
from runferry.registry import writer as writer_class
from runferry.testing.faults import Breaking
from runferry.testing.reference import ReferenceReader, StrictWriter
from runferry.transfer.patience import Patience
from runferry.transfer.pull import pull
from runferry.transfer.push import push
from runferry.transfer.report import Report

_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(
    [
        *("pandas", "pyarrow.parquet", "sqlite3"),  # pyarrow asks for pandas wherever it can
        *("runferry.archive.draft", "runferry.archive.store", "runferry.writers.mlflow"),
        *("runferry.archive.upgrade", "runferry.archive.reading"),
        *("runferry.writers.csv_folder", "runferry.readers.plain_folder"),
        *("runferry.readers.tensorboard", "runferry.writers.tensorboard"),
        *("runferry.readers.wandb.reader", "runferry.writers.wandb"),
        *("neptune", "runferry.writers.neptune"),
        *("runferry.transfer.pull", "runferry.transfer.push", "runferry.testing.reference"),
    ]
)

_EFFECTS = frozenset({"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.truncate"})
Ferry = Callable[[str, str], None]


class _Fuse:
    """Counts effects, and dies before the n-th."""

    def __init__(self) -> None:
        self.burnt = 0
        self.length: int | None = None

    def burn(self) -> None:
        self.burnt += 1
        if self.burnt == self.length:
            os.kill(os.getpid(), signal.SIGKILL)

    def audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event in _EFFECTS or (event == "open" and _writes(arguments)):
            self.burn()


_FUSE = _Fuse()


def _writes(arguments: tuple[Any, ...]) -> bool:
    _, mode, flags = arguments
    if isinstance(mode, str):
        return any(letter in mode for letter in "wax+")
    return bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))


class _Burning(Breaking):
    """Burns the fuse before and after every call that changes the destination."""

    def _before(self) -> None:
        _FUSE.burn()

    def _done(self) -> None:
        _FUSE.burn()


def pull_all(source: str, archive: str) -> None:
    """Pull a folder of the reference tracker, where several runs are."""
    where = Location("reference", source)
    _judge(
        pull(
            where,
            Archive.open(Path(archive), create=True, reserve=0),
            reserve_bytes=0,
            open_reader=lambda: ReferenceReader.open(where, ReadOptions()),
        )
    )


def push_all(archive: str, destination: str) -> None:
    """Push an archive; the destination is spelled `tracker:where`."""
    tracker, _, place = destination.partition(":")
    where = Location(tracker, place)
    kind: type[Writer] = StrictWriter if tracker == "strict" else writer_class(tracker)
    reader: type[Reader] = ReferenceReader if tracker == "strict" else reader_class(tracker)
    _judge(
        push(
            Archive.open(Path(archive), reserve=0),
            where,
            open_writer=lambda: _Burning(kind.open(where)).as_writer(),
            open_reader=lambda: reader.open(where, ReadOptions()),
            patience=Patience(seconds=5.0),
        )
    )
    assert "mlflow" not in sys.modules, "the bulk way needs no SDK"


def upgrade_one(archive: str, _: str) -> None:
    """Bring an archive to the format of today."""
    upgraded = upgrade(Path(archive), lambda run, rows: True)
    if upgraded.damaged:
        raise SystemExit(f"{upgraded.damaged}")


def _judge(report: Report) -> None:
    if report.failures or report.aborted:
        raise SystemExit(f"{report.aborted} {[outcome.error for outcome in report.failures]}")


def _run(ferry: Ferry, source: str, target: str, fuse: int | None, count: Any) -> None:
    _FUSE.length = fuse
    sys.addaudithook(_FUSE.audit)
    ferry(source, target)
    count.value = _FUSE.burnt


def start(ferry: Ferry, source: object, target: object, fuse: int | None = None) -> Any:
    """A ferry under way in a process of its own."""
    count = _SERVER.Value("q", 0)
    process = _SERVER.Process(target=_run, args=(ferry, str(source), str(target), fuse, count))
    process.count = count  # held until the process has opened it, else its name is gone
    process.start()
    return process


def sail(
    ferry: Ferry,
    source: object,
    target: object,
    *,
    fuse: int | None = None,
    delay: float | None = None,
) -> int | None:
    """Run a ferry; None if it was killed, else how many effects it had."""
    process = start(ferry, source, target, fuse)
    process.join(delay)
    if process.is_alive():
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
    process.join()
    if process.exitcode == -signal.SIGKILL:
        return None
    assert process.exitcode == 0, f"the ferry failed: exit code {process.exitcode}"
    return int(process.count.value)


def kill_points(effects: int, kills: int, seed: int) -> Iterator[dict[str, Any]]:
    """Most of them just before an effect; the rest at any time."""
    chance = random.Random(seed)
    by_fuse = min(effects, kills * 4 // 5)
    for fuse in sorted(chance.sample(range(1, effects + 1), by_fuse)):
        yield {"fuse": fuse}
    for _ in range(kills - by_fuse):
        yield {"delay": chance.uniform(0.0, 0.25)}

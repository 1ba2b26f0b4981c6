"""Writers that move whole runs into sight, several at one place."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from runferry.chunks import Checkpoint
from runferry.ports import Location, Writer
from runferry.testing.samples import as_run, curve
from runferry.writers.clearml import offline as clearml
from runferry.writers.csv_folder import CsvFolderWriter
from runferry.writers.wandb import offline as wandb

RUNS = 150


KINDS = [CsvFolderWriter, wandb.OfflineWriter, clearml.OfflineWriter]


@pytest.mark.parametrize("kind", KINDS)
def test_another_may_clear_up_at_any_moment(kind: type[Writer], tmp_path: Path) -> None:
    """A worker that is done takes empty folders away which the others are about to use."""
    where = Location(kind.name, str(tmp_path / "out"))
    writer = kind.open(where)
    is_done = threading.Event()
    others = [threading.Thread(target=_clear_up, args=(kind, where, is_done)) for _ in range(2)]
    for other in others:
        other.start()
    try:
        for number in range(RUNS):
            _write(writer, number)
    finally:
        is_done.set()
        for other in others:
            other.join()
    assert len(writer.present() or ()) == RUNS
    writer.close()


def _write(writer: Writer, number: int) -> None:
    sample = as_run(curve(1, batch=1), f"run-{number}")
    remote = writer.create(sample.run, sample.run.uid)
    chunks = [chunk for chunk in sample.chunks if not isinstance(chunk, Checkpoint)]
    for at, chunk in enumerate(chunks):
        writer.append(remote, at, chunk)
    writer.seal(remote, sample.run)


def _clear_up(kind: type[Writer], where: Location, is_done: threading.Event) -> None:
    while not is_done.wait(0.001):
        kind.open(where).close()

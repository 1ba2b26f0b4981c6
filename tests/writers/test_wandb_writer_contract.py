"""The contract of every writer, kept by the one of W&B's run folders."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.readers.wandb_runs import framed, history_record, run_record

from runferry.dialects.wandb.own_files import uid_of
from runferry.ports import Location, RemoteId
from runferry.readers.wandb.reader import WandbFilesReader
from runferry.testing.writer_contract import WriterContract
from runferry.writers.wandb import WandbWriter


class TestWandbWriter(WriterContract):
    writer = WandbWriter
    reader = WandbFilesReader

    @pytest.fixture
    def destination(self, tmp_path: Path) -> Location:
        return Location("wandb", str(tmp_path / "wandb"))

    def remove(self, destination: Location, remote: RemoteId) -> None:
        (folder,) = (it for it in destination.path.iterdir() if uid_of(it) == remote)
        shutil.rmtree(folder)

    def unavailable(self, tmp_path: Path) -> Iterator[Location]:
        (tmp_path / "file").write_text("no folder")
        yield Location("wandb", str(tmp_path / "file"))
        yield Location("wandb", str(tmp_path / "file" / "below"))

    def add_foreign(self, destination: Location) -> None:
        folder = destination.path / "offline-run-20231114_221320-theirs"
        folder.mkdir(parents=True)
        records = [run_record("theirs"), history_record(0, loss=1.5), history_record(1, loss=0.5)]
        (folder / "run-theirs.wandb").write_bytes(framed(records))

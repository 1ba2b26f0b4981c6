"""The contract of every writer, kept by the one into TensorBoard's folders."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from runferry.ports import Location, RemoteId
from runferry.readers.tensorboard import TensorboardReader
from runferry.testing.writer_contract import WriterContract
from runferry.writers.tensorboard import TensorboardWriter


class TestTensorboardWriter(WriterContract):
    writer = TensorboardWriter
    reader = TensorboardReader

    @pytest.fixture
    def destination(self, tmp_path: Path) -> Location:
        return Location("tensorboard", str(tmp_path / "logdir"))

    def remove(self, destination: Location, remote: RemoteId) -> None:
        shutil.rmtree(destination.path / remote)

    def unavailable(self, tmp_path: Path) -> Iterator[Location]:
        (tmp_path / "file").write_text("no folder")
        yield Location("tensorboard", str(tmp_path / "file"))
        yield Location("tensorboard", str(tmp_path / "file" / "below"))

    def add_foreign(self, destination: Location) -> None:
        from tensorboardX import SummaryWriter

        with SummaryWriter(str(destination.path / "theirs")) as writer:
            writer.add_scalar("loss", 1.0, 1)

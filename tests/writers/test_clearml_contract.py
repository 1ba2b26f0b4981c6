"""Offline sessions keep the laws of every writer."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from runferry.ports import Location, RemoteId
from runferry.readers.clearml.reader import ClearmlReader
from runferry.testing.samples import curve
from runferry.testing.writer_contract import WriterContract
from runferry.writers.clearml import ClearmlWriter


class TestClearmlSessions(WriterContract):
    writer = ClearmlWriter
    reader = ClearmlReader

    @pytest.fixture
    def destination(self, tmp_path: Path) -> Location:
        return Location("clearml", str(tmp_path / "out"))

    def unavailable(self, tmp_path: Path) -> Iterator[Location]:
        (tmp_path / "file").write_text("")
        yield Location("clearml", str(tmp_path / "file"))
        yield Location("clearml", str(tmp_path / "file" / "below"))

    def add_foreign(self, destination: Location) -> None:
        self.send(destination, curve(10, seed=5))  # by a push of somebody else

    def remove(self, destination: Location, remote: RemoteId) -> None:
        """As a user would: the session and its zip."""
        writer = ClearmlWriter.open(destination)
        folder = writer.folder(remote)
        writer.close()
        assert folder is not None
        shutil.rmtree(folder)
        folder.with_name(f"{folder.name}.zip").unlink()

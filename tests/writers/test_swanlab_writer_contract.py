"""Folders of SwanLab's runs keep the laws of every writer."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from runferry.dialects.plain_folder.folders import Folders
from runferry.dialects.swanlab.names import STORE
from runferry.dialects.swanlab.own_store import shown_in
from runferry.model import Uid
from runferry.ports import Location, RemoteId
from runferry.readers.swanlab.reader import SwanlabReader
from runferry.testing.samples import curve
from runferry.testing.writer_contract import WriterContract
from runferry.writers.swanlab import SwanlabWriter


class TestSwanlabFolder(WriterContract):
    writer = SwanlabWriter
    reader = SwanlabReader

    @pytest.fixture
    def destination(self, tmp_path: Path) -> Location:
        return Location("swanlab", str(tmp_path / "swanlog"))

    def unavailable(self, tmp_path: Path) -> Iterator[Location]:
        (tmp_path / "file").write_text("")
        yield Location("swanlab", str(tmp_path / "file"))
        yield Location("swanlab", str(tmp_path / "file" / "below"))

    def add_foreign(self, destination: Location) -> None:
        self.send(destination, curve(10, seed=5))  # by a push of somebody else

    def remove(self, destination: Location, remote: RemoteId) -> None:
        """As a user would: the run's folder, which is all that SwanLab knows of."""
        folder = Folders(destination.path / STORE).find(Uid(remote))
        assert folder is not None
        shutil.rmtree(destination.path / shown_in(folder).folder)

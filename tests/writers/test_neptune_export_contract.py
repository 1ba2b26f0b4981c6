"""Archives of the exporter's format keep the laws of every writer."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from runferry.dialects.neptune.export_files import DATA
from runferry.dialects.neptune.own_store import STORE, exported_in
from runferry.dialects.plain_folder.folders import Folders
from runferry.model import Uid
from runferry.ports import Location, RemoteId
from runferry.readers.neptune.own_export import OwnExportReader
from runferry.testing.samples import curve
from runferry.testing.writer_contract import WriterContract
from runferry.writers.neptune import NeptuneWriter


class TestNeptuneExport(WriterContract):
    writer = NeptuneWriter
    reader = OwnExportReader

    @pytest.fixture
    def destination(self, tmp_path: Path) -> Location:
        return Location("neptune", str(tmp_path / "out"))

    def unavailable(self, tmp_path: Path) -> Iterator[Location]:
        (tmp_path / "file").write_text("")
        yield Location("neptune", str(tmp_path / "file"))
        yield Location("neptune", str(tmp_path / "file" / "below"))
        (tmp_path / "mine").mkdir()
        (tmp_path / "mine" / "thesis.txt").write_text("")
        yield Location("neptune", str(tmp_path / "mine"))

    def add_foreign(self, destination: Location) -> None:
        self.send(destination, curve(10, seed=5))  # by a push of somebody else

    def remove(self, destination: Location, remote: RemoteId) -> None:
        """As a user would: the parts, which are all that the exporter knows of."""
        folder = Folders(destination.path / STORE).find(Uid(remote))
        assert folder is not None
        exported = exported_in(folder)
        for name, _ in exported.parts:
            (destination.path / DATA / exported.project_folder / name).unlink()
        shutil.rmtree(folder)

"""Folders of plain files keep the laws of every writer, whatever the form."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from runferry.dialects.plain_folder.folders import Folders
from runferry.model import Uid
from runferry.ports import Location, RemoteId
from runferry.readers.plain_folder import (
    CsvFolderReader,
    JsonLinesFolderReader,
    ParquetFolderReader,
)
from runferry.testing.samples import curve
from runferry.testing.writer_contract import WriterContract
from runferry.writers.csv_folder import CsvFolderWriter
from runferry.writers.jsonl_folder import JsonLinesFolderWriter
from runferry.writers.parquet_folder import ParquetFolderWriter


class _PlainFolderContract(WriterContract):
    @pytest.fixture
    def destination(self, tmp_path: Path) -> Location:
        return Location(self.writer.name, str(tmp_path / "out"))

    def unavailable(self, tmp_path: Path) -> Iterator[Location]:
        (tmp_path / "file").write_text("")
        yield Location(self.writer.name, str(tmp_path / "file"))
        yield Location(self.writer.name, str(tmp_path / "file" / "below"))
        (tmp_path / "mine").mkdir()
        (tmp_path / "mine" / "thesis.txt").write_text("")
        yield Location(self.writer.name, str(tmp_path / "mine"))

    def add_foreign(self, destination: Location) -> None:
        self.send(destination, curve(10, seed=5))  # by a push of somebody else

    def remove(self, destination: Location, remote: RemoteId) -> None:
        folder = Folders(destination.path).find(Uid(remote))
        assert folder is not None
        shutil.rmtree(folder)


class TestCsv(_PlainFolderContract):
    writer = CsvFolderWriter
    reader = CsvFolderReader


class TestJsonLines(_PlainFolderContract):
    writer = JsonLinesFolderWriter
    reader = JsonLinesFolderReader


class TestParquet(_PlainFolderContract):
    writer = ParquetFolderWriter
    reader = ParquetFolderReader

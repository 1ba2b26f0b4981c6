"""Folders of plain files that runferry wrote keep the laws of every source."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.readers.plain_folders import written

from runferry.ports import Location
from runferry.readers.plain_folder import (
    CsvFolderReader,
    JsonLinesFolderReader,
    ParquetFolderReader,
)
from runferry.testing.content import Content
from runferry.testing.reader_contract import ReaderContract
from runferry.testing.samples import all_samples, as_run, bulk, curve


class _PlainFolderContract(ReaderContract):
    @pytest.fixture
    def source(self, tmp_path: Path) -> Location:
        return written(self.reader.name, tmp_path / "source", all_samples(keys=50))

    def grow(self, source: Location) -> None:
        written(self.reader.name, source.path, [as_run(curve(20), "later")])

    def logged(self) -> Mapping[str, Content]:
        samples = {s.run.key.run_id: Content.of(s.chunks) for s in all_samples(keys=50)}
        for sample in all_samples(keys=50):  # a folder always knows the header
            samples[sample.run.key.run_id].header = sample.run
        return samples

    @classmethod
    def sized(cls, folder: Path, rows: int) -> Location:
        return written(cls.reader.name, folder, [bulk(rows)])


class TestCsvFolder(_PlainFolderContract):
    reader = CsvFolderReader
    # 10,000 rows are less than the blocks that are read at a time; from 300,000 on it stays flat
    flat_bytes = 112 << 20


class TestJsonLinesFolder(_PlainFolderContract):
    reader = JsonLinesFolderReader
    flat_bytes = 112 << 20  # as of CSV


class TestParquetFolder(_PlainFolderContract):
    reader = ParquetFolderReader

"""The writer contract, kept by the reference tracker's writers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from runferry.ports import Location, RemoteId
from runferry.testing.reference import FaithfulWriter, ReferenceReader, StrictWriter, record
from runferry.testing.samples import curve
from runferry.testing.writer_contract import WriterContract


class TestFaithful(WriterContract):
    writer = FaithfulWriter
    reader = ReferenceReader

    @pytest.fixture
    def destination(self, tmp_path: Path) -> Location:
        return Location("reference", str(tmp_path / "destination"))

    def unavailable(self, tmp_path: Path) -> Iterator[Location]:
        (tmp_path / "file").write_text("")
        yield Location("reference", str(tmp_path / "file"))
        yield Location("reference", str(tmp_path / "file" / "below"))

    def remove(self, destination: Location, remote: RemoteId) -> None:
        (destination.path / f"{remote}.jsonl").unlink()

    def add_foreign(self, destination: Location) -> None:
        record([curve(rows=10)], destination.path)


class TestStrict(TestFaithful):
    writer = StrictWriter
    cannot_replace = True
    keeps_every_statement = True

"""The reader contract, kept by the reference tracker's reader."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from runferry.ports import Location
from runferry.testing.content import Content
from runferry.testing.reader_contract import ReaderContract
from runferry.testing.recording import Sample
from runferry.testing.reference import FaithfulWriter, ReferenceReader, record
from runferry.testing.samples import all_samples, bulk, curve

GROWING = curve(rows=60, batch=10, seed=1)


class TestRecorded(ReaderContract):
    """Runs as their own tracker logged them."""

    reader = ReferenceReader

    @pytest.fixture
    def source(self, tmp_path: Path) -> Location:
        young = Sample(GROWING.run, GROWING.chunks[:6])
        return record([*all_samples(keys=50), young], tmp_path / "source")

    def grow(self, source: Location) -> None:
        record([GROWING], source.path)

    def logged(self) -> Mapping[str, Content]:
        young = {GROWING.run.key.run_id: Content.of(GROWING.chunks[:6])}
        return {s.run.key.run_id: Content.of(s.chunks) for s in all_samples(keys=50)} | young

    @classmethod
    def sized(cls, folder: Path, rows: int) -> Location:
        return record([bulk(rows)], folder)

    def test_the_last_header_is_of_the_same_run(self, source: Location) -> None:
        record([GROWING], source.path)  # a young run's log has no ending yet
        super().test_the_last_header_is_of_the_same_run(source)


class TestPushed(ReaderContract):
    """Runs that a writer put there, with renamed series."""

    reader = ReferenceReader

    @pytest.fixture
    def source(self, tmp_path: Path) -> Location:
        where = Location("reference", str(tmp_path / "destination"))
        pen = FaithfulWriter.open(where)
        for sample in all_samples(keys=50):
            remote = pen.create(sample.run, sample.run.uid)
            for number, chunk in enumerate(sample.chunks):
                pen.append(remote, number, chunk)
            pen.seal(remote, replace(sample.run, name="sealed"))
        return where

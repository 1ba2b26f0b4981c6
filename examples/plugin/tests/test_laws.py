"""The laws of runferry, kept by reader and writer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from ferry_runline.lines import header_line, series_line, spelled
from ferry_runline.reader import RunlineReader
from ferry_runline.writer import RunlineWriter
from runferry.model import Run, RunKey, Series
from runferry.ports import Location, RemoteId
from runferry.testing.reader_contract import ReaderContract
from runferry.testing.writer_contract import WriterContract


def log(folder: Path, name: str, steps: range) -> Location:
    """As the tracker's own client would; again, and it goes on."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}.runline"
    with file.open("ab") as lines:
        if not steps.start:
            lines.write(header_line(Run(RunKey("runline", "", name), name=name), None))
            lines.write(series_line(Series("loss", ("loss",))))
        for step in steps:
            row = ["loss", step, None, step * 10**6, None, 1 / (step + 1), None, "float64", step]
            lines.write(spelled(row))
    return Location("runline", str(folder))


class TestReader(ReaderContract):
    reader = RunlineReader

    @pytest.fixture
    def source(self, tmp_path: Path) -> Location:
        log(tmp_path / "runs", "calm", range(30))
        return log(tmp_path / "runs", "storm", range(50))

    def grow(self, source: Location) -> None:
        log(source.path, "calm", range(30, 40))

    @classmethod
    def sized(cls, folder: Path, rows: int) -> Location:
        return log(folder, "long", range(rows))


class TestWriter(WriterContract):
    writer = RunlineWriter
    reader = RunlineReader

    @pytest.fixture
    def destination(self, tmp_path: Path) -> Location:
        return Location("runline", str(tmp_path / "runs"))

    def unavailable(self, tmp_path: Path) -> Iterator[Location]:
        (tmp_path / "file").touch()
        yield Location("runline", str(tmp_path / "file"))

    def add_foreign(self, destination: Location) -> None:
        log(destination.path, "theirs", range(10))

    def remove(self, destination: Location, remote: RemoteId) -> None:
        (destination.path / f"{remote}.runline").unlink()


def test_a_line_is_json(tmp_path: Path) -> None:
    log(tmp_path, "calm", range(3))
    lines = (tmp_path / "calm.runline").read_text().splitlines()
    assert [type(json.loads(line)) for line in lines] == [dict, dict, list, list, list]

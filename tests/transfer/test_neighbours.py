"""Readers of one place that search it for its runs once."""

from __future__ import annotations

from pathlib import Path

import pytest

from runferry.model import Run, RunKey
from runferry.ports import Location, Reader, ReadOptions
from runferry.readers.local_runs import LocalReader, LocalRun
from runferry.readers.plain_folder.reader import CsvFolderReader
from runferry.transfer.neighbours import Neighbours
from runferry.writers.csv_folder import CsvFolderWriter


class _Looking(LocalReader):
    name = "looking"
    gives = frozenset()
    looks = 0

    @classmethod
    def recognises(cls, path: Path) -> bool:
        return path.is_dir()

    def look(self) -> list[LocalRun]:  # type: ignore[override]
        type(self).looks += 1
        return []


class _Alone:
    """A reader that can share nothing."""

    def __init__(self) -> None:
        self.is_closed = False

    def close(self) -> None:
        self.is_closed = True


def test_those_that_share_look_once(tmp_path: Path) -> None:
    readers = Neighbours(lambda: _Looking.open(Location("looking", str(tmp_path)), ReadOptions()))
    for _ in range(3):
        reader = readers.open()
        assert list(reader.runs()) == []
        reader.close()
    readers.close()
    assert _Looking.looks == 1


def test_run_folders_of_ours_are_looked_for_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = CsvFolderWriter.open(Location("csv", str(tmp_path / "runs")))
    for name in "abc":
        run = Run(RunKey("csv", "", name))
        writer.seal(writer.create(run, run.uid), run)
    writer.close()
    place = Location("csv", str(tmp_path / "runs"))
    readers = Neighbours(lambda: CsvFolderReader.open(place, ReadOptions()))
    runs = list(readers.open().runs())
    monkeypatch.setattr(CsvFolderReader, "folders", None)
    for run in runs:
        assert list(readers.open().read(run))
    readers.close()


def test_others_are_opened_one_by_one_and_left_to_the_caller() -> None:
    made: list[_Alone] = []

    def opened() -> Reader:
        made.append(_Alone())
        return made[-1]  # type: ignore[return-value]

    readers = Neighbours(opened)
    assert readers.open() is not readers.open()
    readers.close()
    assert len(made) == 2
    assert not any(reader.is_closed for reader in made)

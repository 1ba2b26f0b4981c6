"""One archive full of nasties → each writer → its reader → an archive: nothing is lost in silence.

The registry says which destinations there are, so a new writer is walked by itself; one that needs
a server names its stand-in in `ways_there.SERVED`.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.transfer.nasties import NASTIES, Found, archive_of_nasties
from tests.transfer.ways_there import NO_FOLDER, ONE_WAY, SERVED, Pair, pairs

from runferry import registry
from runferry.archive.as_source import ArchiveReader
from runferry.archive.store import Archive
from runferry.chunks import Chunk, Media
from runferry.losses import Fate
from runferry.ports import Location, ReadOptions, RemoteId, ServerWriter
from runferry.transfer.patience import Patience
from runferry.transfer.pull import pull
from runferry.transfer.push import push
from runferry.transfer.report import VerifyReport
from runferry.transfer.verify import verify_archive
from runferry.writers.parquet_folder import ParquetFolderWriter

KEYS = 10_000


@pytest.fixture(scope="module")
def nasties(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    return archive_of_nasties(tmp_path_factory.mktemp("nasties"), KEYS)


@pytest.fixture(scope="module")
def found(nasties: Archive) -> Found:
    return Found(nasties)


def walked(archive: Archive, there: Location, folder: Path) -> VerifyReport:
    """Push, pull into a second archive, and compare the two by what was foretold and reported."""
    sent = push(archive, there, allow=Fate.DROPPED, patience=Patience(seconds=0.0))
    assert [(outcome.run, outcome.error) for outcome in sent.failures] == []
    assert sent.aborted is None
    second = Archive.open(folder / "second", create=True, reserve=0)
    home = pull(there, second, allow=Fate.DROPPED, reserve_bytes=0)
    assert [(outcome.run, outcome.error) for outcome in home.failures] == []
    assert home.aborted is None
    back = Location(registry.ARCHIVE, str(second.path))
    return verify_archive(
        archive, there, open_reader=lambda: ArchiveReader.open(back, ReadOptions())
    )


def untold(report: VerifyReport) -> list[tuple[str, object]]:
    return [(run.run, run.error or run.unexpected) for run in report.runs if not run.is_clean]


@pytest.mark.parametrize("nasty", NASTIES)
def test_the_archive_holds_every_nasty(found: Found, nasty: str) -> None:
    assert NASTIES[nasty](found, KEYS)


@pytest.mark.parametrize("pair", tuple(pairs()), ids=str)
def test_what_is_lost_on_the_way_was_foretold_or_reported(
    nasties: Archive, tmp_path: Path, pair: Pair
) -> None:
    with pair.way(tmp_path) as there:
        report = walked(nasties, there, tmp_path)
    assert untold(report) == []
    assert report.is_clean
    assert report.others == 0
    assert {run.uid for run in report.runs} == {found.run.uid for found in nasties.records()}


def test_a_writer_to_servers_names_its_stand_in() -> None:
    writers = {name: registry.writer(name) for name in registry.writer_names()}
    served = {name for name, kind in writers.items() if isinstance(kind, ServerWriter)}
    assert served - ONE_WAY <= {*SERVED}
    assert {*SERVED} | NO_FOLDER | ONE_WAY <= {*writers}


def test_the_walk_tells_of_a_writer_that_loses_something(
    nasties: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = ParquetFolderWriter.append

    def forgetful(
        self: ParquetFolderWriter, remote: RemoteId, number: int, chunk: Chunk
    ) -> None:
        if not isinstance(chunk, Media):
            append(self, remote, number, chunk)

    monkeypatch.setattr(ParquetFolderWriter, "append", forgetful)
    report = walked(nasties, Location("parquet", str(tmp_path / "there")), tmp_path)
    assert {run for run, _ in untold(report)} == {"nasty/media"}

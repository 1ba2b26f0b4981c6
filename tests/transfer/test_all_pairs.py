"""One archive full of nasties → each writer → its reader → an archive: nothing is lost in silence.

The registry says which destinations there are, so a new writer is walked by itself; one that needs
a server names its stand-in in `ways_there.SERVED`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from tests.transfer.nasties import NASTIES, Found, archive_of_nasties, every_run, few_runs
from tests.transfer.ways_there import NO_FOLDER, ONE_WAY, SERVED, SHARED, SLOW, Pair, pairs

from runferry import registry
from runferry.archive.as_source import ArchiveReader
from runferry.archive.store import Archive
from runferry.chunks import (
    Artifact,
    Attributes,
    Chunk,
    Console,
    File,
    Histograms,
    Media,
    Points,
    Raw,
    Texts,
)
from runferry.losses import Fate
from runferry.ports import Location, ReadOptions, RemoteId
from runferry.transfer.patience import Patience
from runferry.transfer.pull import pull
from runferry.transfer.push import push
from runferry.transfer.report import VerifyReport
from runferry.transfer.verify import verify_archive
from runferry.writer_ports import ServerWriter
from runferry.writers.parquet_folder import ParquetFolderWriter

KEYS = {"full": 10_000, "many": 2_500, "few": 500}
Archives = Callable[[str], Archive]

PAIRS = tuple(pairs())
WALKS = (
    *(
        pytest.param(
            pair, "full", id=f"{pair}-full", marks=[pytest.mark.slow] * (str(pair) in SLOW | SHARED)
        )
        for pair in PAIRS
    ),
    *(pytest.param(pair, "many", id=f"{pair}-many") for pair in PAIRS if str(pair) in SHARED),
    *(pytest.param(pair, "few", id=f"{pair}-few") for pair in PAIRS if str(pair) in SLOW),
)
"""Each destination at full size: all runs, 10,000 keys. Those that share how they keep them get it
before a release, and always all runs with 2,500 keys, more than a database has columns. The slow
ones get always the few runs that have every nasty, with 500 keys."""


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Archives:
    @cache
    def archive(size: str) -> Archive:
        samples = few_runs(KEYS[size]) if size == "few" else every_run(KEYS[size])
        return archive_of_nasties(tmp_path_factory.mktemp(size), samples)

    return archive


@pytest.mark.parametrize(("size", "keys"), KEYS.items())
def test_the_archive_holds_every_nasty(archives: Archives, size: str, keys: int) -> None:
    found = Found(archives(size))
    assert [nasty for nasty, is_there in NASTIES.items() if not is_there(found)] == []
    assert found.most_keys == keys


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


@pytest.mark.parametrize(("pair", "size"), WALKS)
def test_what_is_lost_on_the_way_was_foretold_or_reported(
    archives: Archives, tmp_path: Path, pair: Pair, size: str
) -> None:
    nasties = archives(size)
    with pair.way(tmp_path) as there:
        report = walked(nasties, there, tmp_path)
    assert untold(report) == []
    assert report.is_clean
    assert report.others == 0
    assert {run.uid for run in report.runs} == {found.run.uid for found in nasties.records()}


def test_a_writer_to_servers_names_its_stand_in() -> None:
    writers = {name: registry.writer(name) for name in registry.writer_names()}
    assert {*map(str, PAIRS)} >= SLOW | SHARED
    assert not SLOW & SHARED
    served = {name for name, kind in writers.items() if isinstance(kind, ServerWriter)}
    assert served - ONE_WAY <= {*SERVED}
    assert {*SERVED} | NO_FOLDER | ONE_WAY <= {*writers}


@pytest.mark.parametrize(
    "lost", [Points, Texts, Histograms, Media, Console, Attributes, File, Artifact, Raw]
)
def test_the_walk_tells_of_a_writer_that_loses_something(
    archives: Archives, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lost: type[Chunk]
) -> None:
    append = ParquetFolderWriter.append

    def forgetful(self: ParquetFolderWriter, remote: RemoteId, number: int, chunk: Chunk) -> None:
        if not isinstance(chunk, lost):
            append(self, remote, number, chunk)

    monkeypatch.setattr(ParquetFolderWriter, "append", forgetful)
    there = Location("parquet", str(tmp_path / "there"))
    report = walked(archives("few"), there, tmp_path)
    assert "nasty/crowd" in {run for run, _ in untold(report)}

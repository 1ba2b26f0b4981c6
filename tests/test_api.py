"""runferry from Python."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from tests.transfer.roads import Curve, archive_of, pull_from

import runferry
from runferry import tables
from runferry.archive.store import Archive
from runferry.chunks import Points
from runferry.errors import Refused, Unreachable, UsageError
from runferry.model import Run
from runferry.readers.wandb.reader import WandbReader
from runferry.testing.reference import record
from runferry.testing.samples import all_samples
from runferry.transfer.selection import Selection
from runferry.writers.csv_folder import CsvFolderWriter

EXAMPLE = Path(__file__).parents[1] / "examples" / "wandb"


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return archive_of([Curve().sample(25)], tmp_path)


def test_the_public_names_are_sorted_and_all_there() -> None:
    assert list(runferry.__all__) == sorted(runferry.__all__)
    assert all(getattr(runferry, name) is not None for name in runferry.__all__)
    assert set(runferry.__all__) == set(dir(runferry))


def test_importing_runferry_imports_nothing_heavy() -> None:
    script = (
        "import sys, runferry; runferry.load; runferry.locate; runferry.Selection\n"
        "print([m for m in ('pyarrow', 'duckdb', 'numpy', 'wandb', 'mlflow') if m in sys.modules])"
    )
    said = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert said.stdout.strip() == "[]"


def test_a_loaded_run_has_its_tables_with_the_archives_columns(archive: Archive) -> None:
    (run,) = runferry.load(str(archive.path))
    assert run.run.key.run_id == "curve"
    assert isinstance(run.points, pa.Table)
    assert run.points.num_rows == 50
    assert run.points.column_names == tables.POINTS.names
    assert run.system.num_rows == 0
    assert run.system.column_names == tables.POINTS.names
    assert [series.key for series in run.series] == ["loss", "acc"]
    assert run.losses == ()


def test_everything_of_every_run_can_be_asked_for(tmp_path: Path) -> None:
    archive = archive_of(all_samples(keys=20), tmp_path)
    for run in runferry.load(archive.path):
        held = (run.points, run.system, run.texts, run.histograms, run.media, run.console)
        assert all(isinstance(table, pa.Table) for table in held)
        assert isinstance(run.config, dict)
        assert isinstance(run.summary, dict)
        assert isinstance(run.files, tuple)
        assert isinstance(run.artifacts, tuple)
        assert run.complete in (True, False)


def test_an_open_source_streams(archive: Archive) -> None:
    with runferry.open(archive.path) as source:
        (run,) = source
        rows = sum(c.batch.num_rows for c in run.chunks() if isinstance(c, Points))
    assert rows == 50


def test_paths_become_nested_mappings() -> None:
    from runferry.loaded import nested

    assert nested({("a", "b"): 1, ("a", "c"): None, ("d.e",): {}}) == {
        "a": {"b": 1, "c": None},
        "d.e": {},
    }
    assert nested({("a",): 1, ("a", "b"): 2}) == {"a": 1, "a.b": 2}


def test_convert_and_verify_move_an_archive(archive: Archive, tmp_path: Path) -> None:
    report = runferry.convert(archive.path, tmp_path / "copy", archive=tmp_path / "copy")
    assert report.exit_code == 0
    assert runferry.verify(archive.path, tmp_path / "copy").is_clean
    again = runferry.convert(archive.path, tmp_path / "copy", archive=tmp_path / "copy")
    assert again.pull.counts == {"unchanged": 1}


def test_what_is_not_given_is_as_the_settings_say(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from runferry import settings
    from runferry.errors import NoSpace

    try:
        settings.install(settings.Settings(reserve_bytes=10**15))
        with pytest.raises(NoSpace):
            runferry.convert(archive.path, tmp_path / "copy")
        settings.install(settings.Settings(allow=runferry.Fate.KEPT, archive=tmp_path / "between"))
        report = runferry.convert(EXAMPLE, f"mlflow:sqlite:///{tmp_path / 'runs.db'}", dry_run=True)
        assert (tmp_path / "between" / "archive.json").is_file()
        assert report.push.allowed is runferry.Fate.KEPT
        assert report.exit_code == 3
    finally:
        settings.install(None)


def test_what_cannot_be_loaded_raises_the_readers_own_error(tmp_path: Path) -> None:
    from runferry.errors import UnknownVersion

    database = bytearray(next(EXAMPLE.glob("*8kq2v1xd/*.wandb")).read_bytes())
    database[6] = 9  # a version nobody has taught us
    (tmp_path / "run-fromlater.wandb").write_bytes(database)
    with pytest.raises(UnknownVersion) as raised:
        runferry.load(tmp_path)
    assert raised.value.hint


def test_no_part_of_a_source_that_ends_half_way_is_loaded_as_if_it_were_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def ends(reader: WandbReader) -> Iterator[Run]:
        yield from itertools.islice(runs(reader), 1)
        raise Unreachable("no answer", hint="ask later")

    runs = WandbReader.runs
    monkeypatch.setattr(WandbReader, "runs", ends)
    with pytest.raises(Unreachable, match="no answer") as raised:
        runferry.load(EXAMPLE)
    assert raised.value.hint == "ask later"


def test_discarding_takes_nothing_away_that_was_not_sent(archive: Archive, tmp_path: Path) -> None:
    where, hub = f"mlflow:sqlite:///{tmp_path}/runs.db", tmp_path / "hub"
    before = len(list(archive.records()))
    with pytest.raises(UsageError, match="only some series"):
        runferry.convert(
            archive.path, where, archive=hub, selection=Selection(metrics=("loss",)), discards=True
        )
    with pytest.raises(UsageError, match="empty the source"):
        runferry.convert(archive.path, where, archive=archive.path, discards=True)
    assert len(list(archive.records())) == before
    report = runferry.convert(archive.path, where, archive=hub, discards=True)
    assert report.discarded == before
    assert not list(Archive.open(hub).records())


def test_discarding_leaves_what_has_grown_since_and_did_not_go_through(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where, hub = f"csv:{tmp_path}/copy", tmp_path / "hub"
    assert runferry.convert(archive.path, where, archive=hub).exit_code == 0
    pull_from(record([Curve().sample(50)], tmp_path / "source"), archive)

    def refused(*_: object) -> None:
        raise Refused("closed just now")

    with monkeypatch.context() as closed:
        closed.setattr(CsvFolderWriter, "stored", refused)
        report = runferry.convert(archive.path, where, archive=hub, discards=True)
    assert report.push.failures
    assert report.discarded == 0
    (kept,) = Archive.open(hub).records()
    (grown,) = archive.records()
    assert Archive.open(hub).inventory(kept).rows == archive.inventory(grown).rows
    assert runferry.convert(archive.path, where, archive=hub, discards=True).discarded == 1


def test_a_fate_that_is_none_is_a_usage_error(archive: Archive, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such fate: foo") as caught:
        runferry.convert(archive.path, f"archive:{tmp_path}/copy", allow="foo")
    assert "dropped" in caught.value.hint

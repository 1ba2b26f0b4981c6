"""A disk that fills: a clear error, nothing lost, and a rerun completes once there is room."""

from __future__ import annotations

import errno
import os
import subprocess
import tempfile
from pathlib import Path

import pytest
from tests.rights import is_done_with_mounts, small_disk

from runferry.archive.store import Archive
from runferry.errors import NoSpace
from runferry.ports import Location, ReadOptions
from runferry.testing.content import Content
from runferry.testing.reference import ReferenceReader, record
from runferry.testing.samples import bulk, curve
from runferry.transfer.pull import pull
from runferry.transfer.push import push
from runferry.transfer.report import Report
from runferry.writers.disk import disk_errors
from runferry.writers.mlflow import MlflowWriter


def enlarge(disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=256m", str(disk)], check=True)


def pulled(source: Location, archive: Archive, *, is_foreseen: bool = False) -> Report:
    return pull(
        # without a path nobody can foresee how much there will be
        source if is_foreseen else Location("reference", "elsewhere"),
        archive,
        reserve_bytes=0,
        open_reader=lambda: ReferenceReader.open(source, ReadOptions()),
    )


def contents(archive: Archive) -> dict[str, object]:
    return {
        record.run.uid: Content.of(archive.chunks(record)).comparable()
        for record in archive.records()
    }


def assert_says_why(report: Report) -> None:
    assert report.failures or report.aborted, "the disk did not fill"
    for outcome in report.failures:
        assert outcome.hint, outcome.error
        assert "space" in str(outcome.error) or "full" in str(outcome.error), outcome.error


def test_a_pull_that_fills_the_disk_loses_nothing_and_completes_later(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    if not is_done_with_mounts(request):
        with small_disk(tmp_path) as disk:
            pull_onto(disk, tmp_path)


def pull_onto(disk: Path, tmp_path: Path) -> None:
    small, large = curve(50), bulk(200_000, batch_rows=200_000)  # 1.6 MB of noise
    archive = Archive.open(disk / "archive", create=True, reserve=0)
    assert not pulled(record([small], tmp_path / "small"), archive).failures
    before = contents(archive)
    source = record([small, large], tmp_path / "both")
    with pytest.raises(NoSpace) as foreseen:
        pulled(source, archive, is_foreseen=True)
    assert foreseen.value.hint
    assert_says_why(pulled(source, archive))
    assert contents(Archive.open(archive.path)) == before
    enlarge(disk)
    assert not pulled(source, archive).failures
    clean = Archive.open(tmp_path / "clean", create=True, reserve=0)
    pulled(source, clean)
    assert contents(archive) == contents(clean)


def test_a_push_that_fills_the_disk_loses_nothing_and_completes_later(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    if not is_done_with_mounts(request):
        with small_disk(tmp_path) as disk:
            push_onto(disk, tmp_path)


def push_onto(disk: Path, tmp_path: Path) -> None:
    enlarge(disk)
    where = Location("mlflow", f"sqlite:///{disk / 'runs.db'}")
    MlflowWriter.open(where).close()
    source = record([bulk(60_000)], tmp_path / "source")
    archive = Archive.open(tmp_path / "archive", create=True, reserve=0)
    pulled(source, archive)
    filler = disk / "filler"
    free = os.statvfs(disk)
    filler.write_bytes(bytes(free.f_bavail * free.f_frsize - 1_000_000))
    report = push(archive, where, open_writer=lambda: MlflowWriter.open(where))
    assert_says_why(report)
    filler.unlink()
    again = push(archive, where, open_writer=lambda: MlflowWriter.open(where))
    assert not again.failures, again.failures
    assert [outcome.rows for outcome in again.outcomes] == [60_000]


@pytest.mark.parametrize("tracker", ["wandb", "tensorboard"])
def test_a_native_log_that_fills_the_disk_says_so(
    request: pytest.FixtureRequest, tmp_path: Path, tracker: str
) -> None:
    if is_done_with_mounts(request):
        return
    source = record([bulk(100_000)], tmp_path / "source")
    archive = Archive.open(tmp_path / "archive", create=True, reserve=0)
    pulled(source, archive)
    with small_disk(tmp_path) as disk:
        where = Location(tracker, str(disk / "runs"))
        report = push(archive, where)
        assert "the disk is full" in str(report.aborted or report.failures[0].error)
        enlarge(disk)
        assert not push(archive, where).failures


def test_a_full_disk_below_what_goes_to_a_service_names_the_temporary_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for where, is_named in (("runferry-wandb-x", True), ("elsewhere", False)):
        with pytest.raises(NoSpace) as caught, disk_errors(tmp_path / where / "y"):
            raise OSError(errno.ENOSPC, "No space left on device")
        assert ("TMPDIR" in caught.value.hint) is is_named

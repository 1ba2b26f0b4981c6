"""Ways through the core for the laws of a writer: archive, push and verify."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

from runferry.archive.store import Archive
from runferry.ports import Location, ReadOptions
from runferry.testing.faults import Breaking
from runferry.testing.recording import Sample
from runferry.testing.reference import ReferenceReader, record
from runferry.testing.samples import all_samples
from runferry.testing.writer_laws import WriterLaws
from runferry.transfer.patience import Patience
from runferry.transfer.pull import pull
from runferry.transfer.push import OpenWriter, push
from runferry.transfer.report import Report
from runferry.transfer.verify import verify_archive

_AT_ONCE = Patience(seconds=0.0)


class WriterRoads(WriterLaws):
    """A writer, with its limits and its sister reader."""

    samples: ClassVar[tuple[Sample, ...]] = all_samples(keys=300)

    def archive_of(self, tmp_path: Path, samples: Iterable[Sample]) -> Archive:
        """These samples, pulled into an archive; those that are there grow."""
        where = record(samples, tmp_path / "origin")
        archive = Archive.open(tmp_path / "archive", create=True, reserve=0)
        report = pull(
            where,
            archive,
            reserve_bytes=0,
            open_reader=lambda: ReferenceReader.open(where, ReadOptions()),
        )
        assert not report.failures, report.failures
        return archive

    def push(
        self,
        archive: Archive,
        where: Location,
        *,
        open_writer: OpenWriter | None = None,
        workers: int = 1,
        restart: bool = False,
    ) -> Report:
        """Push all runs; failures are for the caller to judge."""
        return push(
            archive,
            where,
            open_writer=open_writer or (lambda: self.writer.open(where)),
            open_reader=lambda: self.reader.open(where, ReadOptions()),
            workers=workers,
            restart=restart,
            patience=_AT_ONCE,
        )

    def pushed(self, archive: Archive, where: Location, *, workers: int = 1) -> Report:
        """Push all runs, of which none may fail."""
        report = self.push(archive, where, workers=workers)
        assert not report.failures, "\n".join(f"{o.run}: {o.error}" for o in report.failures)
        assert report.aborted is None, report.aborted
        return report

    def assert_verified(self, archive: Archive, where: Location) -> None:
        """Every value is as it was, or as the plan said."""
        report = verify_archive(
            archive,
            where,
            open_reader=lambda: self.reader.open(where, ReadOptions()),
            limits=self.writer.limits,
        )
        unclean = [run for run in report.runs if not run.is_clean]
        told = "\n".join(f"{run.run}: {run.error or run.unexpected}" for run in unclean)
        assert report.is_clean, told or report
        assert {run.uid for run in report.runs} == {r.run.uid for r in archive.records()}

    def push_broken(self, archive: Archive, where: Location, at: int, *, after: bool) -> None:
        """Push, and break at the n-th effect."""
        breaking = Breaking(self.writer.open(where), at=at, after=after)
        report = self.push(archive, where, open_writer=breaking.as_writer)
        assert report.failures or report.aborted, f"effect {at} did not break"

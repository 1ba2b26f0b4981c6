"""The laws of a writer: subclass `WriterContract`, say where a destination is, and run pytest.

    class TestMyWriter(WriterContract):
        writer = MyWriter
        reader = MyReader                        # its sister: reads back what it wrote

        @pytest.fixture
        def destination(self, tmp_path):
            return Location("mine", str(tmp_path / "runs.db"))

`WriterLaws` hold for the writer alone; those here send runs through the core: archive, push and
verify. What is measured must have been foretold by `Limits` or reported.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product
from pathlib import Path
from typing import ClassVar

from runferry.archive.store import Archive
from runferry.ports import Location, ReadOptions, Writer
from runferry.testing.faults import Breaking
from runferry.testing.recording import Sample
from runferry.testing.reference import ReferenceReader, record
from runferry.testing.samples import all_samples, as_run, attributes, curve, plain
from runferry.testing.writer_laws import WriterLaws, snapshot_outside
from runferry.transfer.patience import Patience
from runferry.transfer.pull import pull
from runferry.transfer.push import OpenWriter, push
from runferry.transfer.report import Report
from runferry.transfer.verify import verify_archive

_AT_ONCE = Patience(seconds=0.0)


class WriterContract(WriterLaws):
    """What every writer promises, together with its limits and its sister reader."""

    samples: ClassVar[tuple[Sample, ...]] = all_samples(keys=300)

    # --- tools

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
    ) -> Report:
        """Push all runs; failures are for the caller to judge."""
        return push(
            archive,
            where,
            open_writer=open_writer or (lambda: self.writer.open(where)),
            workers=workers,
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

    # --- the law

    def test_what_is_measured_was_foretold_or_reported(
        self, destination: Location, tmp_path: Path
    ) -> None:
        """On every sample: nothing is lost in silence."""
        archive = self.archive_of(tmp_path, self.samples)
        self.pushed(archive, destination)
        self.assert_verified(archive, destination)

    def test_names_from_the_data_never_become_places(
        self, destination: Location, tmp_path: Path
    ) -> None:
        """Hostile names, paths and captions write nothing outside the destination."""
        archive = self.archive_of(tmp_path, self.samples)
        before = snapshot_outside(tmp_path, self.owned(destination), archive.path)
        self.pushed(archive, destination)
        assert snapshot_outside(tmp_path, self.owned(destination), archive.path) == before

    # --- again

    def test_a_second_push_moves_nothing(self, destination: Location, tmp_path: Path) -> None:
        """What is there, and sealed, stays put."""
        archive = self.archive_of(tmp_path, (plain(), curve(60, batch=20), attributes()))
        self.pushed(archive, destination)
        before = self.arrived(destination)
        again = self.pushed(archive, destination)
        assert {outcome.status for outcome in again.outcomes} == {"unchanged"}
        assert self.arrived(destination) == before

    def test_a_push_from_another_machine_makes_no_second_run(
        self, destination: Location, tmp_path: Path
    ) -> None:
        """The mark is in the destination, not only in our ledger."""
        samples = (plain(), curve(60, batch=20))
        first = self.archive_of(tmp_path / "first", samples)
        second = self.archive_of(tmp_path / "second", samples)
        self.pushed(first, destination)
        before = self.arrived(destination)
        self.push(second, destination)  # to say that it cannot know is allowed, to double is not
        assert self.arrived(destination) == before

    def test_growth_is_added_and_nothing_is_doubled(
        self, destination: Location, tmp_path: Path
    ) -> None:
        """A run that was sealed and goes on is brought up to date in its place."""
        whole = curve(80, batch=20)
        for cut in (4, 7, len(whole.chunks)):
            archive = self.archive_of(tmp_path, [Sample(whole.run, whole.chunks[:cut]), plain()])
            self.pushed(archive, destination)
            self.assert_verified(archive, destination)
            assert len(self.arrived(destination)) == 2

    # --- broken off

    def test_broken_anywhere_then_pushed_again_equals_one_clean_push(
        self, destination: Location, tmp_path: Path
    ) -> None:
        """Before and after every effect that a push has."""
        sample = curve(20, batch=10)
        archive = self.archive_of(tmp_path / "clean", [sample])
        counting: list[Breaking] = []
        self.push(
            archive, destination, open_writer=lambda: _counted(self.writer, destination, counting)
        )
        expected = self.arrived(destination)[sample.run.uid]
        effects = sum(breaking.effects for breaking in counting)
        assert effects >= 4, "a push without effects"
        for at, after in product(range(1, effects + 1), (False, True)):
            again = as_run(sample, f"broken-{at}-{after}")
            archive = self.archive_of(tmp_path / again.run.key.run_id, [again])
            self._push_broken(archive, destination, at, after=after)
            self.pushed(archive, destination)
            arrived = self.arrived(destination, only=again.run.uid)
            assert arrived[again.run.uid] == expected, f"effect {at}, after it: {after}"

    def _push_broken(self, archive: Archive, where: Location, at: int, *, after: bool) -> None:
        breaking = Breaking(self.writer.open(where), at=at, after=after)
        report = self.push(archive, where, open_writer=breaking.as_writer)
        assert report.failures or report.aborted, f"effect {at} did not break"

    def test_what_looks_complete_is_sealed(self, destination: Location, tmp_path: Path) -> None:
        """A run that was broken off is sent on, not taken for done."""
        sample = curve(40, batch=10)
        archive = self.archive_of(tmp_path, [sample])
        self._push_broken(archive, destination, 3, after=True)
        other = self.archive_of(tmp_path / "other", [sample])
        self.pushed(other, destination)  # without the ledger of the first
        self.assert_verified(other, destination)

    # --- side by side

    def test_parallel_workers_equal_one(self, destination: Location, tmp_path: Path) -> None:
        """Each opens a writer of its own."""
        samples = tuple(curve(30, seed=seed, batch=10) for seed in range(6))
        archive = self.archive_of(tmp_path, samples)
        self.pushed(archive, destination, workers=4)
        self.assert_verified(archive, destination)
        assert len(self.arrived(destination)) == len(samples)


def _counted(writer: type[Writer], where: Location, counting: list[Breaking]) -> Writer:
    counting.append(Breaking(writer.open(where)))
    return counting[-1].as_writer()

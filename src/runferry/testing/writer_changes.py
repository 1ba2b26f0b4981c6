"""The laws of runs that change between pushes: grown, broken off, rewound, removed, sent by two."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import ClassVar

import pytest

from runferry import chunks
from runferry.archive.store import Archive
from runferry.losses import Fate, Loss
from runferry.model import ArtifactEntry, Blob, Run
from runferry.ports import Location, RemoteId
from runferry.testing.faults import Breaking
from runferry.testing.recording import Recording, Sample
from runferry.testing.samples import START_NS, as_run, curve, header, plain
from runferry.testing.writer_roads import WriterRoads
from runferry.transfer.report import Report


class WriterChanges(WriterRoads):
    """What holds however often a run is pushed."""

    cannot_replace: ClassVar[bool] = False
    """The destination has no way to take rows back; to say so, with a way out, is enough."""
    keeps_every_statement: ClassVar[bool] = False
    """Whether a file that is stated again is there twice; trackers replace it."""

    def remove(self, destination: Location, remote: RemoteId) -> None:
        """Take a sealed run away there, as a user would."""
        pytest.skip("no way to remove a run is offered")

    # --- growth

    def test_growth_broken_off_anywhere_then_pushed_again_equals_one_clean_push(
        self, destination: Location, tmp_path: Path
    ) -> None:
        """Also when it has grown once more by then."""
        for at in count(1):
            whole = as_run(curve(24, batch=6), f"broken-{at}")
            archive = self._at(tmp_path, whole, 5)
            self.pushed(archive, destination)
            self._at(tmp_path, whole, 9)
            if not self._breaks(archive, destination, at):
                break
            if at % 2:
                self._at(tmp_path, whole, len(whole.chunks))
            self.pushed(archive, destination)
            self.assert_one_verified(archive, destination, whole.run)
        assert at >= 4, "growth without effects"

    def test_attributes_that_change_while_a_run_grows_arrive(
        self, destination: Location, tmp_path: Path
    ) -> None:
        """Values that changed, and roles that are stated for the first time."""
        whole = restated()
        archive = self._at(tmp_path, whole, 4)
        self.pushed(archive, destination)
        self._at(tmp_path, whole, len(whole.chunks))
        self._moved_or_told(archive, destination)

    def test_belongings_that_are_stated_again_while_a_run_grows_arrive_once(
        self, destination: Location, tmp_path: Path
    ) -> None:
        """Files, artifacts and documents in their last state, and nothing that was raw twice."""
        if self.keeps_every_statement:
            pytest.skip("this tracker keeps every statement")
        whole = with_belongings()
        for cut in (8, 16, len(whole.chunks)):
            archive = self._at(tmp_path, whole, cut)
            self.pushed(archive, destination)
            self.assert_one_verified(archive, destination, whole.run)

    def test_what_is_no_longer_the_beginning_is_replaced(
        self, destination: Location, tmp_path: Path
    ) -> None:
        """A run that was logged anew under its own name; a choice of series that changed."""
        first, second = as_run(curve(30), "again"), as_run(curve(30, seed=9), "again")
        self.pushed(self.archive_of(tmp_path / "first", [first]), destination)
        archive = self.archive_of(tmp_path / "second", [second])
        report = self.push(archive, destination)
        if report.failures:  # which content is right is not for a program to say
            assert "--restart" in (report.failures[0].hint or "")
        self._moved_or_told(archive, destination, restart=bool(report.failures))

    # --- others at work

    def test_a_run_that_was_removed_there_is_sent_again(
        self, destination: Location, tmp_path: Path
    ) -> None:
        """The ledger is not believed without a look."""
        sample = as_run(curve(20), "removed")
        archive = self.archive_of(tmp_path, [sample, plain()])
        self.pushed(archive, destination)
        with self.opened(destination) as writer:
            remote = writer.find(sample.run.uid)
        assert remote is not None
        self.remove(destination, remote)
        again = self.pushed(archive, destination)
        assert sorted(outcome.status for outcome in again.outcomes) == ["new", "unchanged"]
        self.assert_verified(archive, destination)

    def test_two_pushes_at_once_do_not_mix(self, destination: Location, tmp_path: Path) -> None:
        """The second is told, the first ends, and what is there is one whole run."""
        sample = as_run(curve(40, batch=10), "contested")
        first = self.archive_of(tmp_path / "first", [sample])
        second = self.archive_of(tmp_path / "second", [sample])
        told: list[Report] = []

        class Interfering(Breaking):
            def _done(this) -> None:  # noqa: N805  `self` is the contract
                if this.effects == 3:
                    told.append(self.push(second, destination))

        self_writer = Interfering(self.writer.open(destination))
        report = self.push(first, destination, open_writer=self_writer.as_writer)
        assert not report.failures, report.failures
        (refused,) = told[0].failures
        assert "another push" in (refused.error or "")
        assert refused.hint
        self.assert_verified(first, destination)
        assert self.pushed(second, destination).counts == {"unchanged": 1}

    # --- tools

    def _at(self, folder: Path, whole: Sample, cut: int) -> Archive:
        """The archive once the run had so many chunks."""
        young = Sample(whole.run, whole.chunks[:cut])
        return self.archive_of(folder / whole.run.key.run_id, [young])

    def _breaks(self, archive: Archive, where: Location, at: int) -> bool:
        """Break the n-th effect, after it where n is a multiple of three; False if none is left."""
        breaking = Breaking(self.writer.open(where), at=at, after=at % 3 == 0)
        self.push(archive, where, open_writer=breaking.as_writer)
        return breaking.effects >= at

    def _moved_or_told(self, archive: Archive, where: Location, *, restart: bool = False) -> None:
        report = self.push(archive, where, restart=restart)
        if report.failures:
            assert self.cannot_replace, [outcome.error for outcome in report.failures]
            assert report.failures[0].hint
            return
        self.assert_verified(archive, where)

    def assert_one_verified(self, archive: Archive, where: Location, run: Run) -> None:
        """This run is there as it is here, once."""
        self.assert_verified(archive, where)
        assert set(self.arrived(where, only=run.uid)) == {run.uid}


def restated() -> Sample:
    """A run that states other config at its end, and its summary for the first time."""
    recording = Recording(header("restated")).attributes("config", {"lr": 0.1, "of": "old"})
    recording.log({"loss": 1.0}, step=0, time_ns=START_NS).checkpoint()
    recording.attributes("config", {"lr": 0.2}).attributes("summary", {"loss": 2.0})
    return recording.log({"loss": 2.0}, step=1, time_ns=START_NS).sample()


def with_belongings() -> Sample:
    """A run of three parts, whose belongings are others in the third only."""
    recording = Recording(header("belongings"))
    for part, word in enumerate(("first", "first", "last")):
        blob = Blob.from_bytes(word.encode())
        recording.put(chunks.File("notes.txt", "other", blob))
        entries = (ArtifactEntry("model.bin", blob),)
        recording.put(chunks.Artifact("model", "model", "produced", entries=entries))
        recording.put(chunks.Document("layout", "shown", {"word": word}))
        recording.put(chunks.Raw(f"odd-{part}", "no place for it", word.encode(), part))
        recording.put(chunks.Lost(Loss("gone", Fate.DROPPED, "somewhere", 1)))
        recording.log({"loss": 1.0 / (part + 1)}, step=part, time_ns=START_NS).checkpoint()
    return recording.sample()

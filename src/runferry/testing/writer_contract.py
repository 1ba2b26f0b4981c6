"""The laws of a writer: subclass `WriterContract`, say where a destination is, and run pytest.

    class TestMyWriter(WriterContract):
        writer = MyWriter
        reader = MyReader                        # its sister: reads back what it wrote

        @pytest.fixture
        def destination(self, tmp_path):
            return Location("mine", str(tmp_path / "runs.db"))

`WriterLaws` hold for the writer alone; those here and `WriterChanges` send runs through the core:
archive, push and verify. What is measured must have been foretold by `Limits` or reported.
"""

from __future__ import annotations

from itertools import product
from pathlib import Path

from runferry.ports import Location, Writer
from runferry.testing.faults import Breaking
from runferry.testing.recording import Sample
from runferry.testing.samples import as_run, attributes, curve, plain
from runferry.testing.writer_changes import WriterChanges
from runferry.testing.writer_laws import snapshot_outside


class WriterContract(WriterChanges):
    """What every writer promises, together with its limits and its sister reader."""

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
        again = self.push(second, destination)
        for failure in again.failures:  # to say that it cannot know is allowed, to double is not
            assert "different" in (failure.error or ""), failure.error
            assert failure.hint
        assert again.aborted is None, again.aborted
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
            self.push_broken(archive, destination, at, after=after)
            self.pushed(archive, destination)
            arrived = self.arrived(destination, only=again.run.uid)
            assert arrived[again.run.uid] == expected, f"effect {at}, after it: {after}"

    def test_what_looks_complete_is_sealed(self, destination: Location, tmp_path: Path) -> None:
        """A run that was broken off is sent on, not taken for done."""
        sample = curve(40, batch=10)
        archive = self.archive_of(tmp_path, [sample])
        self.push_broken(archive, destination, 3, after=True)
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

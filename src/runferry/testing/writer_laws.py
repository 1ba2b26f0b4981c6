"""The laws that a writer keeps by itself, without the core: finding, resending, sealing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

from runferry import chunks
from runferry.errors import RunferryError, RunMissing
from runferry.model import Run, RunKey, Uid
from runferry.ports import Location, Reader, ReadOptions, RemoteId, Writer
from runferry.testing.content import Content, snapshot
from runferry.testing.recording import Sample
from runferry.testing.samples import as_run, plain


class WriterLaws:
    """One writer, one sister reader, one kind of destination."""

    writer: ClassVar[type[Writer]]
    reader: ClassVar[type[Reader]]
    """The sister: reads back what the writer wrote."""

    @pytest.fixture
    def destination(self, tmp_path: Path) -> Location:
        """An empty destination below `tmp_path`; it need not exist yet."""
        raise NotImplementedError("a subclass says where its destination is")

    def owned(self, destination: Location) -> tuple[Path, ...]:
        """The files and folders that the destination consists of."""
        return (destination.path,)

    def unavailable(self, tmp_path: Path) -> Iterable[Location]:
        """Destinations that cannot be written to."""
        pytest.skip("no unavailable destination is offered")

    def add_foreign(self, destination: Location) -> None:
        """Put a run of somebody else's there, as the tracker's own client would."""
        pytest.skip("no foreign run is offered")

    # --- tools

    @contextmanager
    def opened(self, where: Location) -> Iterator[Writer]:
        """The writer, open."""
        writer = self.writer.open(where)
        try:
            yield writer
        finally:
            writer.close()

    def send(
        self, where: Location, sample: Sample, *, seal: bool = True, times: int = 1
    ) -> RemoteId:
        """Create a run, append each of its chunks so many times, and seal it."""
        with self.opened(where) as writer:
            remote = writer.create(sample.run, sample.run.uid)
            for number, chunk in numbered(sample):
                for _ in range(times):
                    writer.append(remote, number, chunk)
            if seal:
                writer.seal(remote, sample.run)
        return remote

    def arrived(self, where: Location, *, only: Uid | None = None) -> dict[Uid, dict[str, Any]]:
        """What the sister reads, by mark; keys and marks themselves left out."""
        reader = self.reader.open(where, ReadOptions())
        try:
            found = {}
            for run in reader.runs():
                if only not in (None, run.origin_uid or run.uid):
                    continue
                content = Content.of(reader.read(run))
                if content.header is not None:
                    content.header = without_identity(content)
                uid = run.origin_uid or run.uid
                assert uid not in found, f"two runs carry the mark of {run.key}"
                found[uid] = content.comparable()
            return found
        finally:
            reader.close()

    @property
    def is_atomic(self) -> bool:
        """Nothing is to be seen before the seal."""
        return self.writer.limits.resend == "atomic"

    def needs_open_runs(self) -> None:
        """Skip a law about unsealed runs where there are none."""
        if self.is_atomic:
            pytest.skip("this writer publishes whole runs only")

    # --- finding

    def test_an_unknown_run_is_not_found(self, destination: Location) -> None:
        """None, and only for runs that are not there."""
        here, there = plain("here"), plain("there")
        with self.opened(destination) as writer:
            assert writer.find(here.run.uid) is None
        remote = self.send(destination, here)
        with self.opened(destination) as writer:
            assert writer.find(there.run.uid) is None
            assert writer.find(here.run.uid) == remote

    def test_a_created_run_is_found_by_another_writer(self, destination: Location) -> None:
        """The mark travels with the creation: there is no moment without it."""
        self.needs_open_runs()
        run = plain().run
        with self.opened(destination) as first, self.opened(destination) as second:
            remote = first.create(run, run.uid)
            assert first.find(run.uid) == second.find(run.uid) == remote

    def test_a_run_that_is_not_there_is_missing(self, destination: Location) -> None:
        """RunMissing, so that it can be told from a failure."""
        with self.opened(destination) as writer, pytest.raises(RunMissing):
            writer.stored(RemoteId("0" * 32))

    def test_the_sister_reads_the_mark(self, destination: Location) -> None:
        """So that `verify` can pair the runs, and a second push from elsewhere finds them."""
        sample = plain()
        self.send(destination, sample)
        assert set(self.arrived(destination)) == {sample.run.uid}

    # --- appending

    def test_sending_a_chunk_again_is_harmless(self, destination: Location) -> None:
        """The same number twice is the same as once, or `stored` tells what need not be sent."""
        if self.writer.limits.resend != "harmless":
            pytest.skip(f"resend is {self.writer.limits.resend}")
        once, thrice = plain(), as_run(plain(), "thrice")
        self.send(destination, once)
        self.send(destination, thrice, times=3)
        arrived = self.arrived(destination)
        assert arrived[thrice.run.uid] == arrived[once.run.uid]

    def test_every_chunk_by_another_writer_gives_the_same_run(self, destination: Location) -> None:
        """Nothing that matters lives in the process."""
        self.needs_open_runs()
        once, sample = plain(), as_run(plain(), "by many")
        self.send(destination, once)
        with self.opened(destination) as writer:
            remote = writer.create(sample.run, sample.run.uid)
        for number, chunk in numbered(sample):
            with self.opened(destination) as writer:
                assert writer.find(sample.run.uid) == remote
                progress = writer.stored(remote)
                if progress is not None and progress.chunks is not None:
                    assert progress.chunks <= number
                writer.append(remote, number, chunk)
        with self.opened(destination) as writer:
            writer.seal(remote, sample.run)
        arrived = self.arrived(destination)
        assert arrived[sample.run.uid] == arrived[once.run.uid]

    # --- sealing and discarding

    def test_a_seal_is_visible_and_nothing_looks_sealed_before(self, destination: Location) -> None:
        """The last thing that is written."""
        sample = plain()
        remote = self.send(destination, sample, seal=False)
        if not self.is_atomic:
            with self.opened(destination) as writer:
                progress = writer.stored(remote)
                assert progress is None or not progress.is_sealed
                writer.seal(remote, sample.run)
        else:
            assert not self.arrived_or_nothing(destination)
            remote = self.send(destination, sample)
        with self.opened(destination) as writer:
            progress = writer.stored(remote)
            assert progress is None or progress.is_sealed
            writer.seal(remote, sample.run)  # harmless when repeated
        assert set(self.arrived(destination)) == {sample.run.uid}

    def arrived_or_nothing(self, where: Location) -> dict[Uid, dict[str, Any]]:
        """As `arrived`; a destination that was never sealed anything may not exist at all."""
        try:
            return self.arrived(where)
        except RunferryError:
            return {}

    def test_discard_removes_our_unsealed_run_and_no_other(self, destination: Location) -> None:
        """Sealed ones and strangers' stay as they are."""
        kept, half = plain("kept"), plain("half")
        sealed = self.send(destination, kept)
        before = self.arrived(destination)
        with self.opened(destination) as writer:
            remote = writer.create(half.run, half.run.uid)
            for number, chunk in numbered(half):
                writer.append(remote, number, chunk)
            writer.discard(remote)
            assert writer.find(half.run.uid) is None
            with suppress(RunferryError):  # to refuse is as good as to do nothing
                writer.discard(sealed)
        with self.opened(destination) as writer:
            assert writer.find(kept.run.uid) == sealed
        assert self.arrived(destination) == before

    def test_runs_of_other_people_stay_as_they_are(self, destination: Location) -> None:
        """What was there before is there after, to the bit."""
        self.add_foreign(destination)
        before = self.arrived(destination)
        assert before
        ours = plain()
        self.send(destination, ours)
        after = self.arrived(destination)
        assert {uid: after[uid] for uid in before} == before
        assert set(after) == {*before, ours.run.uid}

    # --- manners

    def test_close_can_be_repeated(self, destination: Location) -> None:
        """Also in the middle of a run."""
        writer = self.writer.open(destination)
        run = plain().run
        writer.create(run, run.uid)
        writer.close()
        writer.close()

    def test_nothing_is_written_outside_the_destination(
        self, destination: Location, tmp_path: Path
    ) -> None:
        """Neither beside it nor in the working directory."""
        owned = self.owned(destination)
        (tmp_path / "neighbour").mkdir()
        (tmp_path / "neighbour" / "file").write_text("untouched")
        before, working = snapshot_outside(tmp_path, owned), snapshot_names(Path.cwd())
        self.send(destination, plain())
        assert snapshot_outside(tmp_path, owned) == before
        assert snapshot_names(Path.cwd()) == working

    def _touch(self, where: Location, run: Run) -> None:
        with self.opened(where) as writer:
            remote = writer.find(run.uid) or writer.create(run, run.uid)
            writer.seal(remote, run)

    def test_a_destination_that_cannot_be_written_to_is_an_error_with_a_hint(
        self, tmp_path: Path
    ) -> None:
        """What, where, and what to do about it: before any run is touched."""
        run, where = plain().run, None
        for where in self.unavailable(tmp_path):
            with pytest.raises(RunferryError) as caught:
                self._touch(where, run)
            assert caught.value.hint, f"no hint: {caught.value}"
        assert where is not None, "`unavailable` gives nothing"


def numbered(sample: Sample) -> Iterator[tuple[int, chunks.Chunk]]:
    """A sample's chunks as push would send them to a destination that takes its names."""
    number = 0
    for chunk in sample.chunks:
        if isinstance(chunk, chunks.Checkpoint):
            continue
        if isinstance(chunk, chunks.Attributes):
            named = (replace(item, name=".".join(item.path)) for item in chunk.items)
            yield number, replace(chunk, items=tuple(named))
        else:
            yield number, chunk
        number += 1


def without_identity(content: Content) -> Any:
    """The header without what a destination gives by itself."""
    if content.header is None:
        return None
    return replace(content.header, key=RunKey("", "", ""), origin_uid=None, source_url=None)


def snapshot_names(root: Path) -> set[str]:
    """The names directly below a folder."""
    return {path.name for path in root.iterdir()}


def snapshot_outside(root: Path, *places: Path | tuple[Path, ...]) -> dict[str, str]:
    """Every file below `root` with its content, but not those in, or below, these places."""
    flat = [p for place in places for p in (place if isinstance(place, tuple) else (place,))]
    mine = [str(path.relative_to(root)) for path in flat if path.is_relative_to(root)]
    return {
        name: said
        for name, said in snapshot(root).items()
        if not any(name == own or name.startswith(f"{own}/") for own in mine)
    }

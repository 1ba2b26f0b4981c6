"""Resuming, growing, replacing: whatever happens on the way, the end is that of one clean run."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Self

import pytest
from tests.transfer.roads import (
    HOLDS,
    Curve,
    archive_of,
    arrived,
    pull_from,
    push_to,
    verify_with,
)

from runferry.archive.store import Archive
from runferry.chunks import Chunk
from runferry.errors import Throttled, Unreachable
from runferry.losses import Fate
from runferry.model import Run, Uid
from runferry.ports import Limits, Location, Progress, RemoteId
from runferry.testing.recording import Sample
from runferry.testing.reference import (
    FaithfulWriter,
    ReferenceWriter,
    StrictWriter,
    record,
    tracker,
)
from runferry.testing.samples import attributes, header, plain, relatives
from runferry.transfer.progress import StopToken
from runferry.transfer.selection import Selection


class Crash(BaseException):
    """The process ends here, and nothing runs any more."""


class Faulty:
    """A writer that meets a fault at its n-th call, before or after the effect."""

    def __init__(self, inner: Any, fault: Faults) -> None:
        self._inner = inner
        self._fault = fault
        self.limits = inner.limits
        self.name = inner.name

    @classmethod
    def open(cls, where: Location) -> Self:
        raise NotImplementedError

    def find(self, uid: Uid) -> RemoteId | None:
        return self._inner.find(uid)

    def present(self) -> Any:
        return self._inner.present()

    def claim(self, remote: RemoteId, words: str) -> None:
        self._inner.claim(remote, words)

    def stored(self, remote: RemoteId) -> Progress | None:
        return self._inner.stored(remote)

    def create(self, run: Run, uid: Uid) -> RemoteId:
        return self._fault.around(lambda: self._inner.create(run, uid))

    def append(self, remote: RemoteId, number: int, chunk: Chunk) -> None:
        self._fault.appended.append(number)
        return self._fault.around(lambda: self._inner.append(remote, number, chunk))

    def seal(self, remote: RemoteId, run: Run) -> None:
        return self._fault.around(lambda: self._inner.seal(remote, run))

    def discard(self, remote: RemoteId) -> None:
        self._inner.discard(remote)

    def close(self) -> None:
        self._inner.close()


class Faults:
    def __init__(self, at: int, error: BaseException, *, after: bool, times: int = 1) -> None:
        self._at, self._error, self._after, self._left = at, error, after, times
        self.calls = 0
        self.appended: list[int] = []

    def around(self, call: Any) -> Any:
        number, self.calls = self.calls, self.calls + 1
        is_hit = self._left > 0 and number >= self._at
        if is_hit:
            self._left -= 1
        if is_hit and not self._after:
            raise self._error
        result = call()
        if is_hit:
            raise self._error
        return result


class Harmless(ReferenceWriter):
    """Knows a chunk that it has by its number."""

    limits: ClassVar[Limits] = Limits(holds=HOLDS, batch_rows=10)

    def append(self, remote: RemoteId, number: int, chunk: Chunk) -> None:
        stored = self.stored(remote)
        if stored is None or number >= (stored.chunks or 0):
            super().append(remote, number, chunk)


KINDS = {
    "harmless": Harmless,
    "continue": tracker(Limits(holds=HOLDS, batch_rows=10, resend="continue")),
    "atomic": tracker(Limits(holds=HOLDS, batch_rows=10, resend="atomic")),
    "strict": tracker(replace(StrictWriter.limits, batch_rows=10)),
}


def faulty(there: Path, kind: str, faults: Faults) -> Any:
    return lambda: Faulty(KINDS[kind].open(Location("reference", str(there))), faults)


@pytest.fixture
def runs(tmp_path: Path) -> Archive:
    return archive_of([Curve().sample(25)], tmp_path)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("kind", KINDS)
def test_killed_at_every_call_then_pushed_again_equals_one_clean_push(
    runs: Archive, tmp_path: Path, kind: str, after: bool
) -> None:
    clean = Faults(10**9, Crash(), after=False)
    push_to(runs, tmp_path / "clean", open_writer=faulty(tmp_path / "clean", kind, clean))
    assert clean.calls > 5
    for at in range(clean.calls):
        there = tmp_path / f"there-{at}"
        faults = Faults(at, Crash(), after=after)
        with pytest.raises(Crash):
            push_to(runs, there, open_writer=faulty(there, kind, faults))
        again = push_to(runs, there, KINDS[kind])
        assert [o.error for o in again.failures] == []
        assert list(arrived(there).values()) == list(arrived(tmp_path / "clean").values())
        assert push_to(runs, there, KINDS[kind]).counts == {"unchanged": 1}


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("kind", ["harmless", "continue"])
@pytest.mark.parametrize("error", [Throttled("slow down", after=0.01), Unreachable("no answer")])
def test_a_service_that_stumbles_is_tried_again(
    runs: Archive, tmp_path: Path, kind: str, after: bool, error: Exception
) -> None:
    push_to(runs, tmp_path / "clean", KINDS[kind])
    there = tmp_path / "there"
    for at in range(4):
        faults = Faults(at, error, after=after, times=2)
        report = push_to(runs, there / str(at), open_writer=faulty(there / str(at), kind, faults))
        assert report.counts == {"new": 1}
        assert list(arrived(there / str(at)).values()) == list(arrived(tmp_path / "clean").values())


def test_patience_ends_and_the_rest_is_not_tried(tmp_path: Path) -> None:
    archive = archive_of([plain("a"), plain("b"), plain("c")], tmp_path)
    there = tmp_path / "there"
    faults = Faults(2, Unreachable("no answer", hint="is it up?"), after=False, times=10**9)
    report = push_to(archive, there, open_writer=faulty(there, "harmless", faults))
    assert report.counts == {"failed": 1}
    assert report.aborted is not None
    assert "no answer" in report.aborted
    assert report.exit_code == 1
    assert push_to(archive, there, Harmless).counts == {"new": 3}


def test_one_bad_run_does_not_end_the_rest(tmp_path: Path) -> None:
    archive = archive_of([plain("a"), plain("b"), plain("c")], tmp_path)
    there = tmp_path / "there"
    faults = Faults(2, ValueError("a bug"), after=False)
    report = push_to(archive, there, open_writer=faulty(there, "harmless", faults))
    assert report.counts == {"failed": 1, "new": 2}
    assert report.exit_code == 4
    assert push_to(archive, there, Harmless).counts == {"new": 1, "unchanged": 2}


def test_an_unchanged_run_costs_no_call(runs: Archive, tmp_path: Path) -> None:
    there = tmp_path / "there"
    push_to(runs, there)
    faults = Faults(0, Crash(), after=False)
    report = push_to(runs, there, open_writer=faulty(there, "harmless", faults))
    assert report.counts == {"unchanged": 1}
    assert faults.calls == 0


@pytest.mark.parametrize("kind", ["harmless", "continue", "atomic", "strict"])
def test_what_has_grown_arrives_as_if_sent_at_once(tmp_path: Path, kind: str) -> None:
    archive = archive_of([Curve().sample(25)], tmp_path)
    there = tmp_path / "there"
    push_to(archive, there, KINDS[kind])
    pull_from(record([Curve().sample(60, ended=(25,))], tmp_path / "source"), archive)
    report = push_to(archive, there, KINDS[kind])
    assert report.counts == {"replaced" if kind == "atomic" else "grown": 1}
    assert report.outcomes[0].rows == (120 if kind == "atomic" else 70)
    push_to(archive, tmp_path / "clean", KINDS[kind])
    held, clean = arrived(there), arrived(tmp_path / "clean")
    if kind != "strict":  # which numbers rows as they arrive
        assert list(held.values()) == list(clean.values())
    assert verify_with(archive, there, KINDS[kind].limits).is_clean


def test_growth_that_is_killed_at_every_call_equals_a_clean_push(tmp_path: Path) -> None:
    for after in (False, True):
        for at in range(6):
            folder = tmp_path / f"{after}-{at}"
            archive = archive_of([Curve().sample(25)], folder)
            push_to(archive, folder / "there", KINDS["harmless"])
            pull_from(record([Curve().sample(60, ended=(25,))], folder / "source"), archive)
            faults = Faults(at, Crash(), after=after)
            with contextlib.suppress(Crash):
                push_to(
                    archive,
                    folder / "there",
                    open_writer=faulty(folder / "there", "harmless", faults),
                )
            push_to(archive, folder / "there", KINDS["harmless"])
            push_to(archive, folder / "clean", KINDS["harmless"])
            assert list(arrived(folder / "there").values()) == list(
                arrived(folder / "clean").values()
            )


def test_what_grew_while_half_sent_is_sent_anew(tmp_path: Path) -> None:
    archive = archive_of([Curve().sample(25)], tmp_path)
    there = tmp_path / "there"
    faults = Faults(4, Crash(), after=True)
    with pytest.raises(Crash):
        push_to(archive, there, open_writer=faulty(there, "harmless", faults))
    pull_from(record([Curve().sample(60, ended=(25,))], tmp_path / "source"), archive)
    push_to(archive, there, KINDS["harmless"])
    assert verify_with(archive, there).is_clean
    assert len(arrived(there)) == 1


def test_a_changed_plan_on_resume_is_an_error_and_restart_begins_anew(
    runs: Archive, tmp_path: Path
) -> None:
    there = tmp_path / "there"
    faults = Faults(3, Crash(), after=True)
    with pytest.raises(Crash):
        push_to(runs, there, open_writer=faulty(there, "harmless", faults))
    other = tracker(Limits(holds=HOLDS, batch_rows=10, time_unit_ns=1000, resend="continue"))
    report = push_to(runs, there, other)
    assert report.counts == {"failed": 1}
    assert "another plan" in (report.outcomes[0].error or "")
    assert "--restart" in (report.outcomes[0].hint or "")
    assert push_to(runs, there, other, restart=True).counts == {"new": 1}
    assert len(arrived(there)) == 1


@pytest.mark.parametrize("kind", ["harmless", "continue", "strict"])
def test_another_machine_finds_what_is_there(tmp_path: Path, kind: str) -> None:
    there = tmp_path / "there"
    push_to(archive_of([Curve().sample(25)], tmp_path / "one"), there, KINDS[kind])
    before = arrived(there)
    other = archive_of([Curve().sample(25)], tmp_path / "two")
    faults = Faults(0, Crash(), after=False)
    assert push_to(other, there, open_writer=faulty(there, kind, faults)).counts == {"unchanged": 1}
    assert faults.calls == 0
    assert arrived(there) == before
    assert other.ledger.get(next(iter(other.records())).run.uid, f"reference:{there}") is not None


def test_another_machine_with_other_content_is_told(tmp_path: Path) -> None:
    there = tmp_path / "there"
    push_to(archive_of([Curve().sample(25)], tmp_path / "one"), there, Harmless)
    before = arrived(there)
    other = archive_of([Curve().sample(26)], tmp_path / "two")
    report = push_to(other, there, Harmless)
    assert report.counts == {"failed": 1}
    assert "different" in (report.outcomes[0].error or "")
    assert arrived(there) == before


def test_two_destinations_have_ledgers_of_their_own(runs: Archive, tmp_path: Path) -> None:
    push_to(runs, tmp_path / "one")
    assert push_to(runs, tmp_path / "two").counts == {"new": 1}
    assert push_to(runs, tmp_path / "one").counts == {"unchanged": 1}
    assert list(arrived(tmp_path / "one").values()) == list(arrived(tmp_path / "two").values())


def test_a_run_that_was_removed_there_is_made_again(runs: Archive, tmp_path: Path) -> None:
    there = tmp_path / "there"
    faults = Faults(3, Crash(), after=True)
    with pytest.raises(Crash):
        push_to(runs, there, open_writer=faulty(there, "harmless", faults))
    for log in there.glob("*.jsonl"):
        log.unlink()
    assert push_to(runs, there, KINDS["harmless"]).counts == {"new": 1}
    assert verify_with(runs, there).is_clean


class Noticing(FaithfulWriter):
    created: list[str] = []  # noqa: RUF012

    def create(self, run: Run, uid: Uid) -> RemoteId:
        self.created.append(run.key.run_id)
        return super().create(run, uid)


def test_parents_come_before_children(tmp_path: Path) -> None:
    family: tuple[Sample, ...] = relatives()
    archive = archive_of(reversed(family), tmp_path)
    Noticing.created = []
    push_to(archive, tmp_path / "there", Noticing)
    order = {run_id: place for place, run_id in enumerate(Noticing.created)}
    nested = [s.run for s in family if s.run.parent in order]
    assert nested
    assert all(order[run.parent or ""] < order[run.key.run_id] for run in nested)


def test_a_circle_of_parents_is_sent_all_the_same(tmp_path: Path) -> None:
    circle = [Sample(header(a, parent=b), ()) for a, b in (("x", "y"), ("y", "x"), ("z", "z"))]
    archive = archive_of(circle, tmp_path)
    assert push_to(archive, tmp_path / "there").counts == {"new": 3}


@pytest.mark.parametrize("workers", [1, 3])
def test_workers_do_not_change_what_arrives(tmp_path: Path, workers: int) -> None:
    archive = archive_of([plain(f"run-{n}") for n in range(9)], tmp_path)
    report = push_to(archive, tmp_path / "there", workers=workers)
    assert [o.error for o in report.failures] == []
    assert report.counts == {"new": 9}
    assert verify_with(archive, tmp_path / "there", workers=workers).is_clean


def test_a_stop_ends_at_a_safe_point_and_the_next_push_goes_on(
    runs: Archive, tmp_path: Path
) -> None:
    there, stop = tmp_path / "there", StopToken()

    class Stopping(Harmless):
        def append(self, remote: RemoteId, number: int, chunk: Chunk) -> None:
            super().append(remote, number, chunk)
            if number == 1:
                stop.set()

    report = push_to(runs, there, Stopping, stop=stop)
    assert report.exit_code == 130
    assert report.counts == {"interrupted": 1}
    sent: list[int] = []

    class Watching(Harmless):
        def append(self, remote: RemoteId, number: int, chunk: Chunk) -> None:
            sent.append(number)
            super().append(remote, number, chunk)

    assert push_to(runs, there, Watching).counts == {"new": 1}
    assert min(sent) == 2
    assert verify_with(runs, there).is_clean


def test_only_the_chosen_series_are_sent(runs: Archive, tmp_path: Path) -> None:
    chosen = Selection(metrics=("loss",))
    report = push_to(runs, tmp_path / "there", selection=chosen)
    assert [o.error for o in report.failures] == []
    (held,) = arrived(tmp_path / "there").values()
    assert set(held["series"]) == {"loss"}
    assert len(held["rows"]["Points"]) == 25
    assert verify_with(runs, tmp_path / "there", selection=chosen).is_clean


def test_losses_beyond_what_is_allowed_are_moved_and_change_the_exit_code(tmp_path: Path) -> None:
    archive = archive_of([attributes()], tmp_path)
    coarse = tracker(
        replace(
            FaithfulWriter.limits,
            holds={**HOLDS, "config": FaithfulWriter.limits.null_step.DROPPED},
        )
    )
    report = push_to(archive, tmp_path / "there", coarse)
    assert report.counts == {"new": 1}
    assert report.exit_code == 3
    again = push_to(archive, tmp_path / "there", coarse)
    assert (again.counts, again.exit_code) == ({"unchanged": 1}, 0)
    assert again.losses == report.losses
    assert again.new_losses == ()
    assert push_to(archive, tmp_path / "there", coarse, allow=Fate.DROPPED).exit_code == 0

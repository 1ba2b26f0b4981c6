"""One destination is brought what the archive has, and is done only once it has the end."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.transfer.roads import archive_of

from runferry.archive.store import Archive
from runferry.errors import AuthFailed, RunferryError, Unreachable
from runferry.live.captured import Captured
from runferry.live.sending import Sending
from runferry.live.status import Status
from runferry.locations import locate
from runferry.losses import Fate, Loss
from runferry.model import Run, RunKey, Tree
from runferry.ports import Location
from runferry.testing.recording import Recording
from runferry.testing.samples import as_run, header, plain
from runferry.transfer.progress import StopToken
from runferry.transfer.report import Report, RunOutcome
from runferry.transfer.report import Status as Outcome


def test_each_end_is_delivered_also_one_before_which_nothing_more_was_captured(
    tmp_path: Path,
) -> None:
    delivered = []

    def into_archive(place: Location, stop: StopToken, *, is_ending: bool) -> Report:
        delivered.append(is_ending)
        return Report("pull", "here", str(place))

    place = locate(f"archive:{tmp_path / 'there'}", role="destination")
    archive = Archive.open(tmp_path / "here", create=True)
    sending = Sending(place, archive, lambda *_: False, into_archive)
    sending.start()
    sending.there_is(Captured(5), is_ending=True)
    _wait(lambda: sending.is_done)
    sending.there_is(Captured(8), is_ending=False)
    assert not sending.is_done
    _wait(lambda: sending.status.delivered == 8)
    sending.there_is(Captured(8), is_ending=True)
    assert not sending.is_done
    _wait(lambda: sending.is_done)
    sending.stop()
    sending.join(10)
    assert delivered == [True, False, True]


@pytest.mark.parametrize("named", ["swanlab:", "swanlab:@/zoo", "wandb:@/zoo"])
def test_a_destination_is_called_what_its_user_calls_it(tmp_path: Path, named: str) -> None:
    def into_archive(place: Location, stop: StopToken, *, is_ending: bool) -> Report:
        raise AssertionError(place)

    archive = Archive.open(tmp_path / "here", create=True)
    place = locate(named, role="destination")
    sending = Sending(place, archive, lambda *_: False, into_archive)
    assert sending.status.destination == named


@pytest.mark.parametrize(
    ("error", "is_over"), [(AuthFailed("no keys"), True), (Unreachable("a dead port"), False)]
)
def test_only_a_destination_that_refuses_for_good_is_not_waited_for(
    tmp_path: Path, error: RunferryError, is_over: bool
) -> None:
    def into_archive(place: Location, stop: StopToken, *, is_ending: bool) -> Report:
        raise error

    place = locate(f"archive:{tmp_path / 'there'}", role="destination")
    archive = Archive.open(tmp_path / "here", create=True)
    sending = Sending(place, archive, lambda *_: False, into_archive)
    sending.start()
    sending.there_is(Captured(5), is_ending=True)
    _wait(lambda: sending.status.failing is not None)
    sending.stop()
    sending.join(10)
    status = Status("delivering", 1, 5, 0, (sending.status,), {"a.journal": 500})
    assert (status.holds({"a.journal": 500}), sending.is_done) == (is_over, False)
    assert not status.holds({"a.journal": 501})


def test_what_a_run_loses_in_several_places_is_added_up_and_told_once(tmp_path: Path) -> None:
    run = header("one")
    lost = [Loss("nan", Fate.DROPPED, where, 5) for where in ("loss", "accuracy")]
    others = (Loss("text", Fate.REENCODED, "note"), Loss("key", Fate.RENAMED, "a b"))
    outcome = RunOutcome.of(run, "new", losses=(*lost, *others))

    def into_archive(place: Location, stop: StopToken, *, is_ending: bool) -> Report:
        return Report("pull", "here", str(place), outcomes=(outcome,))

    place = locate(f"archive:{tmp_path / 'there'}", role="destination")
    archive = Archive.open(tmp_path / "here", create=True)
    sending = Sending(place, archive, lambda *_: False, into_archive)
    sending.start()
    for captured in (5, 8):  # of the same losses each delivery tells
        sending.there_is(Captured(captured), is_ending=True)
        _wait(lambda: sending.is_done)
    sending.stop()
    sending.join(10)
    assert sending.status.losses == {
        "nan": 10,
        "key": 1,
    }  # what is restored exactly is no loss there


@pytest.mark.parametrize(
    ("status", "known"), [("replaced", {}), ("grown", {"console": 1}), ("failed", {"console": 1})]
)
def test_what_waited_in_one_delivery_is_no_loss_once_all_was_sent_again(
    tmp_path: Path, status: Outcome, known: dict[str, int]
) -> None:
    """A line that had no end: SwanLab's cloud gets it when it has one."""
    run, waits = header("one"), Loss("console", Fate.DROPPED)
    told = [RunOutcome.of(run, "new", losses=(waits,)), RunOutcome.of(run, status)]

    def into_archive(place: Location, stop: StopToken, *, is_ending: bool) -> Report:
        return Report("pull", "here", str(place), outcomes=(told.pop(0),) if told else ())

    place = locate(f"archive:{tmp_path / 'there'}", role="destination")
    archive = Archive.open(tmp_path / "here", create=True)
    sending = Sending(place, archive, lambda *_: False, into_archive)
    sending.start()
    for captured in (5, 8):
        sending.there_is(Captured(captured), is_ending=True)
        _wait(lambda: sending.is_done)
    sending.stop()
    sending.join(10)
    assert sending.status.losses == known


def test_runs_that_are_not_for_a_place_are_counted_also_while_it_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(*_: object, **__: object) -> Report:
        raise Unreachable("nobody answers")

    monkeypatch.setattr("runferry.live.sending.push", refuses)
    archive = archive_of((as_run(plain(), "theirs"), as_run(plain(), "ours")), tmp_path / "here")
    place = locate(f"jsonl:{tmp_path / 'there'}", role="destination")
    sending = Sending(place, archive, lambda _, run: run.key.run_id == "theirs", _into_nothing)
    sending.start()
    sending.there_is(Captured(5), is_ending=True)
    _wait(lambda: sending.status.attempts > 0)
    sending.stop()
    sending.join(10)
    assert sending.status.failing == "nobody answers"
    assert sending.status.excluded == 1


def test_records_of_which_nothing_could_be_sent_yet_do_not_count_as_delivered(
    tmp_path: Path,
) -> None:
    """A first record makes no run yet: the place was not even asked, and may be dead."""
    archive = Archive.open(tmp_path / "here", create=True)
    place = locate(f"jsonl:{tmp_path / 'there'}", role="destination")
    sending = Sending(place, archive, lambda *_: False, _into_nothing)
    sending.start()
    sending.there_is(Captured(1), is_ending=False)
    _wait(lambda: sending._delivered[:2] == (Captured(1), False))
    assert (sending.status.delivered, sending.status.pending) == (0, 1)
    assert sending.status.failing is None
    sending.there_is(Captured(1), is_ending=True)
    _wait(lambda: sending.is_done)
    assert sending.status.delivered == 1  # there was nothing else
    sending.stop()
    sending.join(10)


@pytest.mark.parametrize(("of_whole", "pending"), [(3, 2), (0, 5)])
def test_records_of_a_run_that_waits_for_its_end_are_pending_and_those_of_others_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, of_whole: int, pending: int
) -> None:
    """Of a record of which nobody knows whose it is the worst is told."""
    monkeypatch.setattr("runferry.live.sending.takes_growth", lambda _: False)
    growing = replace(header("growing"), complete=False, state="running", ended_ns=None)
    whole = as_run(plain(), "whole")
    archive = archive_of((whole, Recording(growing).sample()), tmp_path / "here")
    place = locate(f"jsonl:{tmp_path / 'there'}", role="destination")
    captured = Captured(5, lambda runs: of_whole * sum(run.uid == whole.run.uid for run in runs))
    sending = Sending(place, archive, lambda *_: False, _into_nothing)
    sending.start()
    sending.there_is(captured, is_ending=False)
    _wait(lambda: sending._delivered[:2] == (captured, False))
    assert list((tmp_path / "there").glob("*"))
    assert (sending.status.delivered, sending.status.pending) == (of_whole, pending)
    assert sending.status.failing is None
    sending.there_is(captured, is_ending=True)
    _wait(lambda: sending.is_done)
    assert (sending.status.delivered, sending.status.pending) == (5, 0)
    sending.stop()
    sending.join(10)


@pytest.mark.parametrize(
    ("facts", "key"),
    [
        ({"tracker": "wandb", "stream": "a"}, RunKey("wandb", "zoo", "a")),
        ({"tracker": "mlflow", "store": "", "run": "a"}, RunKey("mlflow", "", "a")),
        ({"tracker": "clearml", "run": "a"}, RunKey("clearml", "", "a")),
        ({"tracker": "lightning", "run": "a"}, RunKey("lightning", "", "a")),
        ({"tracker": "runferry", "run": "a"}, RunKey("runferry", "", "a")),
        (
            {"tracker": "tensorboard", "file": "/w/runs/a/e.1", "cwd": "/w"},
            RunKey("tensorboard", "", "runs/a@1f"),
        ),
        (
            {"tracker": "tensorboard", "file": "/w/e.1", "cwd": "/w", "experiment": "a"},
            RunKey("runferry", "", "a"),
        ),
    ],
)
def test_records_are_of_the_run_that_their_source_names(
    facts: dict[str, Tree], key: RunKey
) -> None:
    captured = Captured.from_sources([(facts, 2), ({"tracker": key.tracker, "run": "b"}, 5)])
    assert (captured.total, captured.of([Run(key)])) == (7, 2)
    assert captured.of([Run(replace(key, run_id="c@2"))]) == 0


def _into_nothing(place: Location, stop: StopToken, *, is_ending: bool) -> Report:
    raise AssertionError("this is no archive")


def _wait(until: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not until():
        assert time.monotonic() < deadline
        time.sleep(0.01)

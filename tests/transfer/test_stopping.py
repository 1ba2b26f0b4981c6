"""A stop is heard wherever a transfer waits, and ends as a report that says so."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.transfer.roads import FaithfulWriter, archive_of, place, push_to

from runferry.archive.store import Archive
from runferry.http.waits import wait
from runferry.model import Run
from runferry.ports import Reader, ReadOptions
from runferry.testing.reference import ReferenceReader, record
from runferry.testing.samples import plain
from runferry.transfer.progress import Silent, StopToken
from runferry.transfer.pull import pull
from runferry.transfer.verify import verify_archive

LONG = 30.0


class Told(Silent):
    """Asks for an end as soon as the transfer says that it waits."""

    def __init__(self, stop: StopToken) -> None:
        self.reasons: list[str] = []
        self._stop = stop

    def waiting(self, reason: str, seconds: float) -> None:
        self.reasons.append(reason)
        self._stop.set()


def slow_to_open(source: Path) -> Reader:
    wait(LONG, "the server asks for a pause")
    return ReferenceReader.open(place(source), ReadOptions())


class SlowToList(ReferenceReader):
    def runs(self) -> Iterator[Run]:
        wait(LONG, "the server asks for a pause")
        return super().runs()


def slow_to_list(source: Path) -> Reader:
    return SlowToList.open(place(source), ReadOptions())


@pytest.mark.parametrize("opening", [slow_to_open, slow_to_list])
def test_a_pull_that_waits_for_its_source_hears_a_stop(
    opening: Callable[[Path], Reader], tmp_path: Path
) -> None:
    source = record([plain()], tmp_path / "source")
    archive = Archive.open(tmp_path / "archive", create=True)
    stop = StopToken()
    told, began = Told(stop), time.monotonic()
    report = pull(
        source, archive, reserve_bytes=0, observer=told, stop=stop,
        open_reader=lambda: opening(source.path),
    )  # fmt: skip
    assert report.is_interrupted
    assert report.outcomes == ()
    assert told.reasons == ["the server asks for a pause"]
    assert time.monotonic() - began < LONG / 3


@pytest.mark.parametrize("opening", [slow_to_open, slow_to_list])
def test_a_verification_that_waits_for_the_copy_hears_a_stop(
    opening: Callable[[Path], Reader], tmp_path: Path
) -> None:
    archive = archive_of([plain()], tmp_path)
    push_to(archive, tmp_path / "there")
    stop = StopToken()
    told, began = Told(stop), time.monotonic()
    report = verify_archive(
        archive, place(tmp_path / "there"), limits=FaithfulWriter.limits, observer=told, stop=stop,
        open_reader=lambda: opening(tmp_path / "there"),
    )  # fmt: skip
    assert report.is_interrupted
    assert report.runs == ()
    assert time.monotonic() - began < LONG / 3
    archive.ledger.close()


def test_the_pairing_of_many_runs_ends_between_two_of_them(tmp_path: Path) -> None:
    archive = archive_of([plain("a"), plain("b"), plain("c")], tmp_path)
    push_to(archive, tmp_path / "there")
    stop, seen = StopToken(), []

    class Listing(ReferenceReader):
        def runs(self) -> Iterator[Run]:
            for run in super().runs():
                seen.append(run)
                stop.set()
                yield run

    report = verify_archive(
        archive, place(tmp_path / "there"), limits=FaithfulWriter.limits, stop=stop,
        open_reader=lambda: Listing.open(place(tmp_path / "there"), ReadOptions()),
    )  # fmt: skip
    assert report.is_interrupted
    assert len(seen) == 1
    archive.ledger.close()


def test_a_pull_that_waits_for_a_vacuum_hears_a_stop(tmp_path: Path) -> None:
    source = record([plain()], tmp_path / "source")
    archive = Archive.open(tmp_path / "archive", create=True)
    vacuum = archive.vacuum_lock()
    vacuum.acquire()
    stop = StopToken()
    began = time.monotonic()
    later = threading.Timer(1.5, stop.set)
    later.start()
    report = pull(
        source, archive, reserve_bytes=0, stop=stop,
        open_reader=lambda: ReferenceReader.open(source, ReadOptions()),
    )  # fmt: skip
    later.join()
    vacuum.release()
    assert report.is_interrupted
    assert time.monotonic() - began < LONG / 3
    assert report.counts == {"interrupted": 1}


def test_a_stop_that_is_asked_for_inside_of_a_wait_holds_up_nobody() -> None:
    """A signal's handler may interrupt `wait` where that has the event's own lock."""
    stop = StopToken()
    with stop._event._cond:  # type: ignore[attr-defined]
        stop.set()
        assert stop.is_set
        assert stop.wait(0.0)
    assert stop._event.wait(5)

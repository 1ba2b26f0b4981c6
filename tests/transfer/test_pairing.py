"""Rows that could be each other's are paired so that no difference is invented."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.transfer.roads import HOLDS, archive_of, push_to, verify_with

from runferry.losses import Fate, Loss
from runferry.model import Address, Blob, MediaItem
from runferry.ports import Limits
from runferry.testing.recording import Recording
from runferry.testing.reference import tracker
from runferry.testing.samples import header
from runferry.transfer.rematching import Contest, rematched

LIMITS = Limits(holds=HOLDS, resend="atomic", run_id=Fate.RENAMED, source_order=Fate.DROPPED)
HOUR = 3_600 * 10**9


def measured(recording: Recording, folder: Path, limits: Limits) -> dict[str, int]:
    """What is measured, by code; nothing may be unexpected."""
    kind = tracker(limits)
    archive = archive_of([recording.sample()], folder)
    assert push_to(archive, folder / "there", kind).failures == ()
    (run,) = verify_with(archive, folder / "there", kind.limits).runs
    archive.ledger.close()
    assert (run.unexpected, run.error) == ((), None)
    return {loss.code: loss.count for loss in run.measured if loss.code != "source-order"}


def test_a_row_of_another_step_leaves_its_like_to_one_of_another_time(tmp_path: Path) -> None:
    run = Recording(header("ties"))
    run.log({"loss": 0.5}, step=5, time_ns=None)  # arrives at (5, 0)
    run.log({"loss": 0.5}, step=-1, time_ns=0)  # arrives at (0, 0)
    run.log({"loss": 0.5}, step=-2, time_ns=HOUR)
    run.log({"loss": 0.5}, step=0, time_ns=None)  # arrives where the second does
    limits = replace(LIMITS, negative_step=Fate.ROUNDED, null_time=Fate.ROUNDED)
    assert measured(run, tmp_path, limits) == {"negative-step": 2, "null-time": 2}


def test_values_made_equal_keep_their_own_steps(tmp_path: Path) -> None:
    run = Recording(header("values"))
    for step, value in ((-3, float("inf")), (0, 1.7976931348623157e308), (-1, float("inf"))):
        run.log({"loss": value}, step=step, time_ns=0)
    limits = replace(LIMITS, negative_step=Fate.ROUNDED, infinity=Fate.ROUNDED)
    assert measured(run, tmp_path, limits) == {"negative-step": 2, "infinity": 2}


def test_pieces_of_equal_bytes_keep_their_own_captions(tmp_path: Path) -> None:
    run = Recording(header("media"))
    for caption, time_ns in (("b", None), ("a", 0), ("c", None)):
        at = Address(0)
        piece = MediaItem("", at, "image", Blob.from_bytes(b"same"), caption=caption)
        run.log({"dog": (piece,)}, step=1, time_ns=time_ns)
    limits = replace(LIMITS, null_time=Fate.ROUNDED)
    assert measured(run, tmp_path, limits) == {"null-time": 2}


def test_a_row_that_is_dropped_takes_nobodys_partner(tmp_path: Path) -> None:
    run = Recording(header("dropped"))
    run.log({"loss": 0.5}, step=-1, time_ns=0)  # dropped
    run.log({"loss": 0.5}, step=3, time_ns=0)
    run.log({"loss": 0.5}, step=4, time_ns=None)
    limits = replace(LIMITS, negative_step=Fate.DROPPED, null_time=Fate.ROUNDED)
    assert measured(run, tmp_path, limits) == {"negative-step": 1, "null-time": 1}


@pytest.mark.parametrize("length", [2, 5, 400])
def test_partners_move_up_along_a_chain_of_any_length(length: int) -> None:
    contest = Contest({0: ("one",), 1: ("other",)})
    for number in range(length):  # each fits its own, and the next one's
        contest.add_wanted({"id": 1000 + number, "sid": 1, "one": number, "other": number // 2})
        contest.add_wanting({"id": number, "sid": 1, "open": number % 2, "one": number,
                             "other": number // 2})  # fmt: skip
    partners = {number: 1000 + number - 1 for number in range(1, length, 2)}
    found = partners | rematched(contest, partners)
    assert len(set(found.values())) == length
    assert all(
        found[n] == 1000 + n if n % 2 == 0 else (found[n] - 1000) // 2 == n // 2
        for n in range(length)
    )


def test_a_difference_that_nobody_foretold_is_still_told(tmp_path: Path) -> None:
    run, other = Recording(header("wrong")), Recording(header("wrong"))
    for step in range(4):
        run.log({"loss": 0.5}, step=step, time_ns=None)
        other.log({"loss": 0.5 if step else 0.25}, step=step, time_ns=None)
    archive = archive_of([run.sample()], tmp_path)
    there = archive_of([other.sample()], tmp_path / "other")
    assert push_to(there, tmp_path / "there", tracker(LIMITS)).failures == ()
    (compared,) = verify_with(archive, tmp_path / "there", LIMITS).runs
    assert compared.unexpected == (Loss("value", Fate.ROUNDED, "loss", 1),)
    archive.ledger.close()
    there.ledger.close()

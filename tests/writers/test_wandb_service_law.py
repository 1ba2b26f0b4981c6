"""What verify measures of W&B's service was foretold by plan, or reported by push: all samples."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.readers.wandb_service_runs import served
from tests.transfer.nasties import crowd
from tests.transfer.roads import archive_of

from runferry import settings
from runferry.archive.store import Archive
from runferry.losses import Fate
from runferry.model import Address, Blob, KeyPath, MediaItem, Tree
from runferry.ports import Location
from runferry.testing import samples
from runferry.testing.recording import Recording, Sample
from runferry.testing.samples import SECOND_NS, START_NS, header
from runferry.testing.wandb_service import Trouble, WandbService
from runferry.transfer.progress import StopToken
from runferry.transfer.push import push
from runferry.transfer.report import Report, RunComparison
from runferry.transfer.verify import verify_archive
from runferry.writers.wandb.draft import Draft
from runferry.writers.wandb.limits import LONGEST_ROW

WHERE = Location("wandb", "lab/moved")
ONCE_WRONG = ("names", "values", "texts", "times", "steps", "console")
"""Samples that had differences which nobody foretold."""
MEMORY: Tree = 16 << 30
MACHINE: dict[str | KeyPath, Tree] = {
    "os": "Linux-6.1",
    "cpu_count": 8,
    "cuda_version": "12.4",
    "args": ["--lr", "", "0.1"],
    ("disk", "/", "total"): 2**40,
    ("disk", "/", "used"): 2**39,
    ("memory", "total"): MEMORY,
    ("cpu", "count"): 8,
    ("cpu", "count_logical"): 16,
    ("slurm", "job_id"): "17",
    "gpu_nvidia": [
        {"name": "A100", "memory_total": 80 << 30, "cuda_cores": 6912, "architecture": "Ampere"},
        {"name": "A100", "memory_total": 80 << 30, "cuda_cores": 6912, "architecture": "Ampere"},
    ],
    "gpu_type": "A100",
    "gpu_count": 2,
}  # fmt: skip


@pytest.fixture
def service(tmp_path: Path) -> Iterator[WandbService]:
    with served(tmp_path / "account") as service:
        yield service
        assert not service.failures


def pushed(archive: Archive, stop: StopToken | None = None) -> Report:
    return push(archive, WHERE, allow=Fate.DROPPED, workers=2, stop=stop)


def compared(folder: Path, *recorded: Sample) -> tuple[RunComparison, ...]:
    """The runs after a push, each without a difference that nobody foretold."""
    archive = archive_of(recorded, folder)
    report = pushed(archive)
    assert not report.failures, report.failures
    runs = verify_archive(archive, WHERE).runs
    assert len(runs) == len(recorded)
    assert not [run.unexpected for run in runs if not run.is_clean]
    return runs


@pytest.mark.slow
def test_no_sample_loses_anything_in_silence(service: WandbService, tmp_path: Path) -> None:
    compared(tmp_path, *samples.all_samples())


def test_no_hard_sample_loses_anything_in_silence(service: WandbService, tmp_path: Path) -> None:
    hard = [one for one in samples.all_samples() if one.run.key.run_id in ONCE_WRONG]
    assert len(hard) == len(ONCE_WRONG)
    compared(tmp_path, *hard)


def test_rows_that_are_alike_are_not_taken_for_each_other(
    service: WandbService, tmp_path: Path
) -> None:
    mixed = Recording(header("mixed"))  # a text first, and by step a number
    mixed.log({"loss": "a word", "note": "NaN"}, step=9, time_ns=START_NS)
    mixed.log({"loss": 0.5, "note": "words alone"}, step=1, time_ns=START_NS)
    crowds = crowd(seconds=4), crowd("words", word="NaN", seconds=4)
    compared(tmp_path, *crowds, mixed.sample())


def test_texts_that_the_service_would_take_apart_keep_every_letter(
    service: WandbService, tmp_path: Path
) -> None:
    run = Recording(header("texts"))
    logged: list[str | list[Tree] | dict[str, Tree]] = [
        {"a": {"b": 1}}, [1.0, 2.5, 10**30, "NaN"], "NaN", {}, [], ["ä", {"z": 1, "a": [-0.0]}],
    ]  # fmt: skip
    for step, value in enumerate(logged):
        run.log({"note": value}, step=step, time_ns=START_NS + step * SECOND_NS)
    run.log({"nested": {"a": {"b": 2**70}}}, step=9, time_ns=START_NS)
    (found,) = compared(tmp_path, run.sample())
    told = {(loss.code, loss.where): loss.count for loss in found.measured}
    assert told["text-form", "nested"] == 1
    assert ("value", "nested") not in told


def test_words_that_spell_a_number_are_foretold_to_become_one_beside_numbers(
    service: WandbService, tmp_path: Path
) -> None:
    run = Recording(header("words"))
    for step in range(6):
        logged = "NaN" if step % 2 else step / 3
        run.log({"loss": logged}, step=step, time_ns=START_NS + step * SECOND_NS)
    (found,) = compared(tmp_path, run.sample())
    told = {(loss.code, loss.where): loss.count for loss in found.measured}
    assert told["invented", "loss"] == 3


def test_statistics_without_a_time_arrive_at_that_of_those_before(
    service: WandbService, tmp_path: Path
) -> None:
    run = Recording(header("machine"))
    for step in range(6):
        at = None if step in (0, 3) else START_NS + step * SECOND_NS
        run.log({"gpu": step / 7}, time_ns=at, stream="system")
    run.log({"loss": 0.5}, step=0, time_ns=START_NS)
    (found,) = compared(tmp_path, run.sample())
    told = {(loss.code, loss.where): loss.count for loss in found.measured}
    assert told["null-time", "gpu"] == 2


def test_media_without_their_bytes_are_told_to_stay_behind(
    service: WandbService, tmp_path: Path
) -> None:
    gone = MediaItem("", Address(0), "image", Blob(size=10, media_type="image/png"))
    run = Recording(header("gone")).log({"loss": 0.5, "image": gone}, step=0, time_ns=START_NS)
    (found,) = compared(tmp_path, run.sample())
    assert ("duplicate-point", "image") in {(loss.code, loss.where) for loss in found.measured}


def test_series_that_do_not_arrive_at_all_are_foretold(
    service: WandbService, tmp_path: Path
) -> None:
    run = Recording(header("vanishing"))
    run.series(("declared",), hidden=True)
    for step in range(1, 4):
        run.log({"before": float(step)}, step=-step, time_ns=START_NS + step)
        run.log({"loss": step / 3}, step=step, time_ns=START_NS + step)
    compared(tmp_path, run.sample())


def test_steps_of_the_machine_are_foretold_to_go(service: WandbService, tmp_path: Path) -> None:
    run = Recording(header("machine"))
    for step in range(6):
        at = START_NS + step * SECOND_NS
        run.log({"loss": step / 3}, step=step, time_ns=at)
        run.log({"gpu": step / 7}, step=step // 3, time_ns=at, stream="system")
        run.log({"gpu": step / 9}, step=step // 3, time_ns=at + 1000, stream="system")
    (found,) = compared(tmp_path, run.sample())
    told = {(loss.code, loss.where): loss.count for loss in found.measured}
    assert told["system-step", "gpu"] == 12
    assert not [code for code, where in told if code in ("step", "repeated-step")]


def test_a_row_that_is_too_long_for_the_service_loses_what_does_not_fit(
    service: WandbService, tmp_path: Path
) -> None:
    run = Recording(header("long"))
    run.log(
        {"loss": 0.5, "fits": "<" * 6_000_000, "not": "y" * 6_000_000}, step=0, time_ns=START_NS
    )
    run.log({"loss": 0.25, "longer": "x" * (LONGEST_ROW + 1)}, step=1, time_ns=START_NS)
    (found,) = compared(tmp_path, run.sample())
    gone = {loss.where for loss in found.measured if loss.code in ("duplicate-point", "long-text")}
    assert gone == {"not", "longer"}


def test_what_w_and_b_knows_of_machines_arrives(service: WandbService, tmp_path: Path) -> None:
    run = Recording(header("host")).attributes("environment", MACHINE)
    (found,) = compared(tmp_path, run.sample())
    assert not [loss for loss in found.measured if loss.code == "environment"]


def test_a_name_with_a_dot_beside_the_same_nested_loses_nothing_in_silence(
    service: WandbService, tmp_path: Path
) -> None:
    run = Recording(header("alike"))
    for role in ("config", "summary"):
        run.attributes(role, {"a.b": 1, ("a", "b"): 2, ("c", "d"): "nested", "c.d": "dotted"})
    archive = archive_of([run.sample()], tmp_path)
    for there in (Location("wandb", f"{tmp_path}/runs"), WHERE):
        assert not push(archive, there, allow=Fate.DROPPED).failures
        (found,) = verify_archive(archive, there).runs
        assert not found.measured, (there, found.measured)
    (sent,) = push(archive, WHERE).outcomes
    assert sent.status == "unchanged"


def test_more_rows_than_were_sent_are_an_error(
    service: WandbService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runferry.writers.wandb.service._PATIENCE_SECONDS", 0.0)
    monkeypatch.setattr(Draft, "history_rows", 4)
    (outcome,) = pushed(archive_of([samples.plain()], tmp_path)).failures
    assert "5 rows of history, and 4 were sent" in (outcome.error or "")


def test_an_upload_that_does_nothing_ends_when_patience_does(
    service: WandbService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "current", lambda: replace(settings.Settings(), patience=2.0))
    service.faults.add(Trouble("delay", "graphql:UpsertBucket", seconds=12.0))
    began = time.monotonic()
    archive = archive_of([samples.plain()], tmp_path)
    (outcome,) = pushed(archive).failures
    assert "did nothing for" in (outcome.error or "")
    assert time.monotonic() - began < 120  # what is not told to be impatient waits 300


def test_an_upload_ends_when_the_user_says_stop(service: WandbService, tmp_path: Path) -> None:
    stop = StopToken()

    def stopped() -> None:
        stop.set()
        time.sleep(5.0)

    service.faults.add(Trouble("call", "graphql:UpsertBucket", do=stopped))
    began = time.monotonic()
    report = pushed(archive_of([samples.plain()], tmp_path), stop)
    assert report.is_interrupted
    assert time.monotonic() - began < 120

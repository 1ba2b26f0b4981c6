"""What a road leaves out: told as losses, and each included by its switch."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.transfer.roads import archive_of, pull_from
from tests.writers.neptune_runs import wandb_run

import runferry
from runferry.archive.store import Archive
from runferry.chunks import Chunk
from runferry.errors import UsageError
from runferry.losses import Fate
from runferry.model import Inventory
from runferry.ports import Location
from runferry.testing.reference import record
from runferry.testing.samples import plain
from runferry.transfer.exclusions import SWITCHES, Exclusions
from runferry.transfer.push import plan_all, push
from runferry.transfer.selection import Selection

EXPECTED = {
    "models": {"model": 1},
    "objects": {"image": 1, "weights": 1, "summary.image": 1, "summary.eval": 1, "dataset": 1},
    "_summary": {"summary._runtime": 1},
    "_metrics": {"_runtime": 3},
    "_attributes": {"environment._wandb": 1, "environment._internal": 1},
    "artifact/": {"artifact/": 1},
    "config.yaml": {"config.yaml": 1},
    "media/": {"media/": 1},
    "wandb-": {"wandb-": 1},
    "reports": {},  # this run is none: test_documents_stay.py
}


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return archive_of([wandb_run()], tmp_path)


def told(archive: Archive, *included: str) -> dict[str, int]:
    (outcome,) = plan_all(
        archive, Location("neptune", "./x"), selection=Selection(included=frozenset(included))
    ).outcomes
    losses = [loss for loss in outcome.losses if loss.code == "left-out"]
    assert {loss.fate for loss in losses} <= {Fate.EXCLUDED}
    return {loss.where: loss.count for loss in losses}


def test_everything_that_is_left_out_is_told_with_its_place_and_count(archive: Archive) -> None:
    everything: dict[str, int] = {}
    for places in EXPECTED.values():
        everything |= places
    assert told(archive) == everything


@pytest.mark.parametrize("switch", SWITCHES)
def test_each_switch_includes_its_own_and_nothing_else(archive: Archive, switch: str) -> None:
    left = told(archive)
    for place in EXPECTED[switch]:
        del left[place]
    assert told(archive, switch) == left


def test_all_includes_everything(archive: Archive) -> None:
    assert told(archive, "all") == {}


def test_an_unknown_switch_is_an_error_that_names_the_known(archive: Archive) -> None:
    with pytest.raises(UsageError, match="nothing that is left out is called") as caught:
        told(archive, "modles")
    assert "models" in caught.value.hint


def test_what_is_left_out_is_a_success(archive: Archive, tmp_path: Path) -> None:
    report = push(archive, Location("neptune", str(tmp_path / "out")))
    assert report.exit_code == 0


def test_other_roads_leave_nothing_out(archive: Archive, tmp_path: Path) -> None:
    report = push(archive, Location("parquet", str(tmp_path / "out")))
    assert not [loss for o in report.outcomes for loss in o.losses if loss.code == "left-out"]
    others = archive_of([plain()], tmp_path / "others")
    report = push(others, Location("neptune", str(tmp_path / "neptune")))
    assert not [loss for o in report.outcomes for loss in o.losses if loss.code == "left-out"]


def test_what_is_sent_is_what_the_inventory_says(archive: Archive) -> None:
    """`without` and `of` agree: the chunks that are left give the inventory that is left."""
    (run_record,) = archive.records()
    whole = archive.inventory(run_record)
    for switch in SWITCHES:
        exclusions = Exclusions(frozenset({switch}))
        sent = exclusions.without(whole)
        again = archive_of_chunks(archive, exclusions, sent)
        assert {a.path for a in again.attributes} == {a.path for a in sent.attributes}, switch
        assert {s.key for s in again.series} == {s.key for s in sent.series}, switch
        assert again.rows == sent.rows, switch


def archive_of_chunks(archive: Archive, exclusions: Exclusions, sent: Inventory) -> Inventory:
    from runferry.testing.recording import Sample

    (run_record,) = archive.records()
    kept: tuple[Chunk, ...] = tuple(exclusions.of(archive.chunks(run_record), sent))
    folder = archive.path.parent / f"again-{len(list(archive.path.parent.iterdir()))}"
    other = Archive.open(folder / "archive", create=True)
    pull_from(record([Sample(run_record.run, kept)], folder / "source"), other)
    (again,) = other.records()
    return other.inventory(again)


def test_including_more_later_brings_it(archive: Archive, tmp_path: Path) -> None:
    there = Location("neptune", str(tmp_path / "out"))
    push(archive, there)
    again = push(archive, there)
    assert {outcome.status for outcome in again.outcomes} == {"unchanged"}
    more = push(archive, there, selection=Selection(included=frozenset({"media/"})))
    assert {outcome.status for outcome in more.outcomes} == {"replaced"}


def test_convert_takes_them_and_discard_keeps_what_was_left_out(tmp_path: Path) -> None:
    archive_of([wandb_run()], tmp_path)
    first = runferry.convert(
        tmp_path / "archive", f"neptune:{tmp_path / 'first'}", archive=tmp_path / "hub",
        discards=True,
    )  # fmt: skip
    assert first.discarded == 0
    second = runferry.convert(
        tmp_path / "archive", f"neptune:{tmp_path / 'second'}", archive=tmp_path / "hub",
        discards=True, include=["all"],
    )  # fmt: skip
    assert second.discarded == 1
    assert first.exit_code == second.exit_code == 0

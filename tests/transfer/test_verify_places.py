"""Verify between any two places: the first is the original, and all of it must be in the second."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.transfer.roads import Curve, archive_of, place, pull_from, push_to, verify_with

from runferry.archive.store import Archive
from runferry.errors import Unreachable, UsageError
from runferry.ports import Location
from runferry.testing.reference import ReferenceReader, record
from runferry.testing.samples import all_samples, header, plain
from runferry.transfer import verify as module
from runferry.transfer.convert import convert
from runferry.transfer.destination import check_apart, ledger_key
from runferry.transfer.marks import marks_of
from runferry.transfer.pull import pull
from runferry.transfer.push import plan_all, push
from runferry.transfer.selection import Selection
from runferry.transfer.verify import verify


@pytest.fixture(autouse=True)
def _reference_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the reference tracker were one of those that ship."""
    from runferry import registry
    from runferry.transfer import pull

    real = registry.reader

    def known(name: str) -> Any:
        return ReferenceReader if name == "reference" else real(name)

    monkeypatch.setattr(registry, "reader", known)
    for place_of_use in (pull, module):
        monkeypatch.setattr(place_of_use, "reader_class", known)


def archived(archive: Archive) -> Location:
    return Location("archive", str(archive.path))


def test_an_archive_that_lacks_a_run_is_no_clean_copy(tmp_path: Path) -> None:
    both = record([plain("one"), plain("two")], tmp_path / "both")
    half = archive_of([plain("one")], tmp_path / "half")
    report = verify(both, archived(half), reserve_bytes=0)
    assert not report.is_clean
    assert [(loss.code, loss.count) for loss in report.unexpected] == [("run", 1)]
    assert (report.original, report.copy) == (str(both), str(archived(half)))


def test_a_copy_may_hold_more_than_the_original(tmp_path: Path) -> None:
    one = record([plain("one")], tmp_path / "one")
    both = archive_of([plain("one"), plain("two")], tmp_path / "both")
    report = verify(one, archived(both), reserve_bytes=0)
    assert report.is_clean
    assert (len(report.runs), report.others) == (1, 1)


def test_a_run_pairs_with_what_it_was_made_from(tmp_path: Path) -> None:
    archive = archive_of([plain("one"), Curve().sample(20)], tmp_path)
    push_to(archive, tmp_path / "there")
    there = verify(place(tmp_path / "there"), archived(archive), reserve_bytes=0)
    assert there.is_clean, there.unexpected
    assert len(there.runs) == 2


@pytest.mark.parametrize("name", ["run_ids", "tags", "projects"])
def test_runs_that_were_asked_for_and_are_not_there_are_an_error(tmp_path: Path, name: str) -> None:
    source = record([plain("one")], tmp_path / "source")
    archive = archive_of([plain("one")], tmp_path)
    nobody = Selection(**{name: ("nope",)})
    with pytest.raises(UsageError, match="no run is selected"):
        verify_with(archive, tmp_path / "source", selection=nobody)
    with pytest.raises(UsageError, match="no run is selected"):
        push_to(archive, tmp_path / "there", selection=nobody)
    with pytest.raises(UsageError, match="no run is selected"):
        pull_from(source, archive, selection=nobody)


def test_an_original_that_was_not_read_to_its_end_is_not_verified(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = archive_of([plain("one"), plain("two")], tmp_path)
    read = ReferenceReader.read
    served: list[str] = []

    def first_only(self: ReferenceReader, run: Any, after: Any = None) -> Any:
        if served:
            raise Unreachable("no answer")
        served.append(run.uid)
        return read(self, run, after)

    monkeypatch.setattr(ReferenceReader, "read", first_only)
    report = verify(place(tmp_path / "source"), archived(there), reserve_bytes=0)
    assert report.aborted is not None
    assert "no answer" in report.aborted
    assert not report.is_clean


def test_a_run_is_the_same_run_whichever_way_it_came(tmp_path: Path) -> None:
    archive = archive_of([plain("one"), Curve().sample(20)], tmp_path)
    push_to(archive, tmp_path / "there")
    back = Archive.open(tmp_path / "back", create=True)
    pull_from(place(tmp_path / "there"), back)
    assert push_to(back, tmp_path / "there").counts == {"unchanged": 2}
    assert push_to(back, tmp_path / "further").counts == {"new": 2}
    assert push_to(back, tmp_path / "further").counts == {"unchanged": 2}
    assert verify_with(archive, tmp_path / "further").is_clean
    assert push_to(archive, tmp_path / "further").counts == {"unchanged": 2}


def test_a_run_beside_what_it_was_made_from_is_a_run_of_its_own(tmp_path: Path) -> None:
    archive = archive_of([Curve().sample(20)], tmp_path)
    push_to(archive, tmp_path / "there")
    pull_from(place(tmp_path / "there"), archive)
    assert push_to(archive, tmp_path / "both").counts == {"new": 2}
    assert verify_with(archive, tmp_path / "both").is_clean


def test_a_parent_that_came_back_is_found_by_its_children() -> None:
    parent = replace(header("parent"), origin_uid=header("origin").uid)
    child = replace(header("child"), parent="parent", origin_uid=header("other").uid)
    assert marks_of([parent, child]) == {child.uid: child.origin_uid}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("mlflow:sqlite:///m.db", "mlflow:sqlite:///./m.db"),
        ("mlflow:sqlite:///m.db", "mlflow:sqlite:////{here}/m.db?mode=rw"),
        ("archive:kept", "archive:./x/../kept"),
    ],
)
def test_a_place_is_not_moved_into_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, one: str, other: str
) -> None:
    monkeypatch.chdir(tmp_path)
    archive = archive_of([plain("one")], tmp_path)
    ends = [Location(*text.format(here=tmp_path).split(":", 1)) for text in (one, other)]
    with pytest.raises(UsageError, match="the same place"):
        convert(*ends, archive)
    check_apart(ends[0], replace(ends[0], where=f"{ends[0].where}2"))


@pytest.mark.parametrize(
    ("text", "is_path"),
    [
        ("wandb:lab/moved", False),
        ("wandb:./moved", True),
        ("neptune:lab/moved", False),
        ("neptune:./moved", True),
        ("csv:moved", True),
    ],
)
def test_the_name_of_a_project_is_the_same_place_from_every_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, is_path: bool
) -> None:
    where = Location(*text.split(":", 1))
    keys = set()
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        keys.add(ledger_key(where))
    assert len(keys) == (2 if is_path else 1)


def test_an_archive_is_not_moved_into_itself(tmp_path: Path) -> None:
    archive = archive_of([plain("one")], tmp_path)
    with pytest.raises(UsageError, match="the same place"):
        push(archive, archived(archive))
    with pytest.raises(UsageError, match="the same place"):
        pull(archived(archive), archive)


@pytest.mark.parametrize("some", [Selection(), Selection(metrics=("acc", "m0*"))])
def test_every_phase_counts_the_same_rows(tmp_path: Path, some: Selection) -> None:
    source = record([*all_samples(keys=20), Curve().sample(20)], tmp_path / "source")
    archive = Archive.open(tmp_path / "archive", create=True)
    pulled = pull_from(source, archive, selection=some)
    planned = plan_all(archive, archived(Archive.open(tmp_path / "a", create=True)), selection=some)
    pushed = push_to(archive, tmp_path / "there", selection=some)
    compared = verify_with(archive, tmp_path / "there", selection=some)
    counted = [
        {outcome.uid: outcome.rows for outcome in report}
        for report in (pulled.outcomes, planned.outcomes, pushed.outcomes, compared.runs)
    ]
    assert counted[0] == counted[1] == counted[2] == counted[3]
    assert sum(counted[0].values()) > 0
    whole = archive_of([*all_samples(keys=20), Curve().sample(20)], tmp_path / "whole")
    there = archived(Archive.open(tmp_path / "b", create=True))
    sent = push_to(whole, tmp_path / "some", selection=some)
    foretold = plan_all(whole, there, selection=some)
    assert {o.uid: o.rows for o in sent.outcomes} == {o.uid: o.rows for o in foretold.outcomes}

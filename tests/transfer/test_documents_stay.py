"""A project's reports are no run: destinations that show runs do not get them as an empty one."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.readers.wandb_service_runs import columns, served

from runferry.archive.store import Archive
from runferry.errors import ExitCode
from runferry.losses import Fate
from runferry.pictures.told import of_record
from runferry.ports import Location
from runferry.transfer.convert import ConvertOptions, convert
from runferry.transfer.pull import pull
from runferry.transfer.push import plan_all, push
from runferry.transfer.selection import Selection
from runferry.transfer.verify import verify_archive

REPORTS = "p/~reports"


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Location]:
    with served(tmp_path / "account") as service:
        service.put_run("lab/p/trained", history_of=columns(3))
        for number in range(2):
            service.put_report("lab/p", f"report {number}", {"blocks": []})
        yield Location("wandb", "lab/p")
        assert not service.failures


def archive_at(folder: Path) -> Archive:
    return Archive.open(folder / "archive", create=True, reserve=0)


@pytest.mark.parametrize("tracker", ["tensorboard", "wandb", "trackio"])
def test_reports_stay_in_the_archive_which_plan_and_push_tell(
    source: Location, tmp_path: Path, tracker: str
) -> None:
    archive, there = archive_at(tmp_path), Location(tracker, str(tmp_path / "there"))
    report = convert(source, there, archive, ConvertOptions(allow=Fate.DROPPED, reserve_bytes=0))
    assert report.exit_code == ExitCode.DONE
    for phase in (plan_all(archive, there), report.push):
        told = {one.run: one for one in phase.outcomes if one.status == "excluded"}
        (loss,) = told[REPORTS].losses
        assert (loss.code, loss.fate, loss.count) == ("left-out", Fate.EXCLUDED, 2)
        assert "`reports` includes them" in loss.detail
    verified = verify_archive(archive, there)
    assert [run.run for run in verified.runs] == ["p/trained"]
    assert verified.is_clean
    assert [(one.run, one.status) for one in verified.excluded] == [(REPORTS, "excluded")]
    assert verified.excluded[0].losses == told[REPORTS].losses
    page = of_record(archive, there, Selection(), Fate.DROPPED)
    assert {run.run: run.status for run in page.runs} == {"p/trained": "sent", REPORTS: "excluded"}
    assert page.ending is ExitCode.DONE
    assert any(run.kind == "documents" for run in archive.headers())


@pytest.mark.parametrize(
    ("tracker", "included"),
    [("archive", ()), ("jsonl", ()), ("tensorboard", ("reports",)), ("wandb", ("all",))],
)
def test_reports_go_where_documents_are_kept_and_where_they_are_asked_for(
    source: Location, tmp_path: Path, tracker: str, included: tuple[str, ...]
) -> None:
    archive, there = archive_at(tmp_path), Location(tracker, str(tmp_path / "there"))
    selection = Selection(included=frozenset(included))
    options = ConvertOptions(allow=Fate.DROPPED, selection=selection, reserve_bytes=0)
    report = convert(source, there, archive, options)
    assert {one.run for one in report.push.outcomes if one.status == "new"} == {
        "p/trained", REPORTS,
    }  # fmt: skip
    assert report.exit_code == ExitCode.DONE


def test_a_push_that_moves_nothing_tells_of_no_reports_again(
    source: Location, tmp_path: Path
) -> None:
    archive, there = archive_at(tmp_path), Location("tensorboard", str(tmp_path / "there"))
    pull(source, archive, reserve_bytes=0)
    first = push(archive, there, allow=Fate.KEPT)
    assert first.exit_code == ExitCode.LOSS
    assert "left-out" in {loss.code for loss in first.new_losses}
    again = push(archive, there, allow=Fate.KEPT)
    assert again.counts == {"excluded": 1, "unchanged": 1}
    assert again.new_losses == ()
    assert again.exit_code == ExitCode.DONE
    assert "left-out" in {loss.code for loss in again.losses}


def test_reports_that_were_sent_are_compared_without_being_asked_for_again(
    source: Location, tmp_path: Path
) -> None:
    archive, there = archive_at(tmp_path), Location("tensorboard", str(tmp_path / "there"))
    selection = Selection(included=frozenset(["reports"]))
    options = ConvertOptions(
        allow=Fate.DROPPED, selection=selection, verifies=False, reserve_bytes=0
    )
    convert(source, there, archive, options)
    alone = Selection(run_ids=("~reports",))
    verified = verify_archive(archive, there, selection=alone, allow=Fate.DROPPED)
    assert [run.run for run in verified.runs] == [REPORTS]
    assert verified.exit_code == ExitCode.DONE
    assert verified.excluded == ()
    page = of_record(archive, there, alone, Fate.DROPPED)
    assert [(run.run, run.status) for run in page.runs] == [(REPORTS, "sent")]
    shutil.rmtree(tmp_path / "there")
    (tmp_path / "there").mkdir()
    gone = verify_archive(archive, there, selection=alone)
    assert [loss.code for loss in gone.unexpected] == ["run"]


def test_an_archive_and_its_source_are_compared_with_their_reports(
    source: Location, tmp_path: Path
) -> None:
    archive = archive_at(tmp_path)
    pull(source, archive, reserve_bytes=0)
    verified = verify_archive(archive, source)
    assert {run.run for run in verified.runs} == {"p/trained", REPORTS}
    assert verified.is_clean
    assert verified.excluded == ()


def test_a_project_of_reports_alone_leaves_nothing_to_push(tmp_path: Path) -> None:
    archive = archive_at(tmp_path)
    with served(tmp_path / "account") as service:
        service.put_report("lab/p", "the only one", {"blocks": []})
        there = Location("tensorboard", str(tmp_path / "there"))
        convert(Location("wandb", "lab/p"), there, archive, ConvertOptions(reserve_bytes=0))
    assert [one.status for one in push(archive, there).outcomes] == ["excluded"]
    assert not (tmp_path / "there").exists()
    verified = verify_archive(archive, there)
    assert [one.status for one in verified.excluded] == ["excluded"]
    assert verified.exit_code == ExitCode.DONE

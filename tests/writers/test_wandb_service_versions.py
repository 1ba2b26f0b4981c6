"""Versions of artifacts keep their order on the way from one project of W&B's service to another.

The service numbers them as they arrive, and `latest` is what arrived last.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.readers.wandb_service_runs import columns, served

from runferry.archive.layout import commit_path
from runferry.archive.store import Archive
from runferry.errors import ExitCode
from runferry.losses import Fate, Loss
from runferry.ports import Location
from runferry.testing.wandb_service import WandbService
from runferry.transfer.pull import pull
from runferry.transfer.push import plan_all, push
from runferry.transfer.report import Report
from runferry.transfer.selection import Selection
from runferry.transfer.verify import verify_archive

HERE = Location("wandb", "lab/first")
THERE = Location("wandb", "lab/moved")

_OF_NAME = """
SELECT version_index, runs.name AS run, (SELECT group_concat(alias) FROM
    (SELECT alias FROM aliases WHERE artifact = artifacts.id ORDER BY alias)) AS aliases
FROM artifacts JOIN collections ON sequence = collections.id JOIN runs ON artifacts.run = runs.id
    JOIN projects ON collections.project = projects.id
WHERE projects.name = ? AND collections.name = ? AND artifacts.state = 'COMMITTED'
ORDER BY version_index
"""


@dataclass(frozen=True)
class Project:
    """Runs that log `net`, and what becomes of them elsewhere."""

    service: WandbService
    folder: Path

    def logged(self, *runs: str, name: str = "net", aliases: Sequence[str] = ()) -> None:
        """One new version by each of these, which may come again."""
        for number, run in enumerate(runs):
            self.put(run, f"{name} {run} {number}", name=name, aliases=aliases)

    def put(self, run: str, *contents: str, name: str = "net", aliases: Sequence[str] = ()) -> None:
        """Versions of these contents by one run."""
        path = f"lab/first/{run}"
        if not self.has(run):
            self.service.put_run(path, history_of=columns(3))
        for content in contents:
            self.service.put_artifact(
                f"lab/first/{name}", "model", {"w.bin": content.encode()}, logged_by=path,
                aliases=aliases,
            )  # fmt: skip

    def has(self, run: str) -> bool:
        return bool(self.service.store.value("SELECT COUNT(*) FROM runs WHERE name = ?", run))

    def archive(self, name: str = "archive") -> Archive:
        archive = Archive.open(self.folder / name, create=True, reserve=0)
        assert not pull(HERE, archive, reserve_bytes=0).failures
        return archive

    def versions(self, project: str, name: str = "net") -> list[tuple[str, str | None]]:
        """Whose each version is, oldest first, and what else it is called."""
        rows = self.service.store.rows(_OF_NAME, project, name)
        return [(str(row["run"]), row["aliases"]) for row in rows]


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with served(tmp_path / "account") as service:
        yield Project(service, tmp_path)
        assert not service.failures


def told(report: Report, code: str) -> list[Loss]:
    return [loss for one in report.outcomes for loss in one.losses if loss.code == code]


def exit_of_verifying(archive: Archive) -> ExitCode:
    report = verify_archive(archive, THERE)
    assert report.is_clean, [run.unexpected for run in report.runs]
    assert all(loss.detail for run in report.runs for loss in run.measured)
    return report.exit_code


@pytest.mark.parametrize("workers", [1, 3])
def test_versions_that_several_runs_logged_arrive_in_their_order(
    project: Project, workers: int
) -> None:
    project.logged("third", "first", "second", "fourth")
    project.logged("fifth", aliases=["best"])
    archive = project.archive()
    planned = plan_all(archive, THERE)
    assert max(loss.fate for loss in planned.losses) <= Fate.REENCODED
    assert sum(loss.count for loss in told(planned, "artifact-version")) == 5
    assert "artifact-alias" not in {loss.code for loss in planned.possible}  # all are the last
    assert push(archive, THERE, workers=workers).exit_code == ExitCode.DONE
    assert project.versions("moved") == project.versions("first")
    assert project.versions("moved")[-1] == ("fifth", "best,latest")
    assert exit_of_verifying(archive) == ExitCode.DONE


def test_the_tenth_version_of_a_run_comes_after_the_ninth(project: Project) -> None:
    project.logged(*["trained"] * 12)
    archive = project.archive()
    assert push(archive, THERE).exit_code == ExitCode.DONE
    assert project.versions("moved")[-1] == ("trained", "latest")
    (run,) = verify_archive(archive, THERE).runs
    numbers = [
        (loss.where.split("/")[3], loss.detail.split("/")[3])
        for loss in run.measured
        if loss.code == "artifact-version"
    ]
    assert numbers == [(f"v{n}", f"v{n}") for n in range(12)]


def test_runs_that_took_turns_are_foretold_to_change_numbers_and_latest_stays(
    project: Project,
) -> None:
    project.logged("one", "two", "one")
    archive = project.archive()
    for report in (plan_all(archive, THERE), push(archive, THERE)):
        losses = told(report, "artifact-order")
        assert {(loss.where, loss.fate, loss.count) for loss in losses} == {
            ("net/model", Fate.ROUNDED, 1)
        }
        assert len(losses) == 2  # v0 and v1 change places
        assert report.exit_code == ExitCode.LOSS
    assert project.versions("moved") == [("two", None), ("one", None), ("one", "latest")]
    assert exit_of_verifying(archive) == ExitCode.DONE


def test_two_names_that_ask_for_opposite_orders_are_told(project: Project) -> None:
    project.logged("one", "two")
    project.logged("two", "one", name="data")
    archive = project.archive()
    planned, pushed = plan_all(archive, THERE), push(archive, THERE, workers=2)
    assert told(planned, "artifact-order") == told(pushed, "artifact-order") != []
    assert pushed.exit_code == ExitCode.LOSS
    assert exit_of_verifying(archive) in (ExitCode.DONE, ExitCode.LOSS)


def test_a_version_that_comes_after_a_newer_one_is_told(project: Project) -> None:
    project.logged("one", "two", "three")
    archive = project.archive()
    some = push(archive, THERE, selection=Selection(run_ids=("one", "three")))
    assert some.exit_code == ExitCode.DONE
    planned, pushed = plan_all(archive, THERE), push(archive, THERE)
    assert [loss.where for loss in told(planned, "artifact-order")] == ["net/model"]
    assert told(pushed, "artifact-order") == told(planned, "artifact-order")
    assert pushed.exit_code == ExitCode.LOSS
    assert exit_of_verifying(archive) == ExitCode.LOSS  # `latest` is that of the last that came


def test_an_older_version_that_comes_by_a_later_push_is_told(project: Project) -> None:
    project.logged("first", "second")
    archive = project.archive()
    assert push(archive, THERE, selection=Selection(run_ids=("second",))).exit_code == ExitCode.DONE
    late = Selection(run_ids=("first",))
    planned, pushed = plan_all(archive, THERE, selection=late), push(archive, THERE, selection=late)
    assert told(pushed, "artifact-order") == told(planned, "artifact-order") != []
    assert planned.exit_code == pushed.exit_code == ExitCode.LOSS
    assert exit_of_verifying(archive) == ExitCode.LOSS


def test_a_run_that_made_more_since_it_was_sent_moves_nobodys_versions(project: Project) -> None:
    project.logged("one", "two")
    archive = project.archive()
    assert push(archive, THERE).exit_code == ExitCode.DONE
    project.logged("three", "one")
    report = push(project.archive(), THERE)
    assert told(report, "artifact-order") == []
    assert report.exit_code == ExitCode.DONE
    assert project.versions("moved") == project.versions("first")


def test_a_damaged_run_keeps_no_other_from_being_planned_or_sent(project: Project) -> None:
    project.logged("one", "two", "three")
    archive = project.archive()
    (uid,) = (header.uid for header in archive.headers() if header.key.run_id == "two")
    commit_path(archive.path, uid).write_bytes(b"{")
    for report in (plan_all(archive, THERE), push(archive, THERE)):
        assert report.exit_code == ExitCode.SOME_FAILED
        assert [outcome.status for outcome in report.failures] == ["failed"]
        assert len(report.outcomes) == 3


def test_another_archive_finds_what_is_there_and_uploads_no_version_twice(
    project: Project,
) -> None:
    project.logged("one", "two", "two")
    assert not push(project.archive(), THERE).failures
    arrived = project.versions("moved")
    again = push(project.archive("another"), THERE)
    assert {outcome.status for outcome in again.outcomes} == {"unchanged"}
    assert project.versions("moved") == arrived


def test_a_run_that_grew_brings_its_new_versions_alone_and_the_aliases_of_the_others(
    project: Project,
) -> None:
    project.logged("one", "one", "two")
    archive = project.archive()
    assert not push(archive, THERE).failures
    project.logged("one", name="later")
    project.service.store.execute(
        "INSERT INTO aliases (collection, alias, artifact) SELECT sequence, 'best', id"
        " FROM artifacts WHERE version_index = 0 ORDER BY id LIMIT 1"
    )
    report = push(project.archive(), THERE)
    assert [loss.code for loss in told(report, "invented")] == []
    assert report.exit_code == ExitCode.DONE
    assert project.versions("moved") == [("one", "best"), ("one", None), ("two", "latest")]
    assert project.versions("moved", "later") == [("one", "latest")]
    assert exit_of_verifying(archive) == ExitCode.DONE


@pytest.mark.parametrize(
    ("before", "since"),
    [
        ({"one": "X"}, {"one": "YX"}),  # its own once more
        ({"two": "X", "one": "Z"}, {"one": "X"}),  # as that of another, long before
        ({"two": "X", "one": "Y"}, {"one": "XYX"}),
    ],
)
def test_an_upload_of_what_grew_keeps_the_versions_that_a_first_one_keeps(
    project: Project, before: dict[str, str], since: dict[str, str]
) -> None:
    for run, contents in before.items():
        project.put(run, *contents)
    assert push(project.archive(), THERE).exit_code == ExitCode.DONE
    for run, contents in since.items():
        project.put(run, *contents)
    archive = project.archive()
    report = push(archive, THERE)
    assert told(report, "artifact") == []
    assert report.exit_code == ExitCode.DONE
    assert project.versions("moved") == project.versions("first")
    assert exit_of_verifying(archive) == ExitCode.DONE


@pytest.mark.parametrize("aliases", [(), ("best",)])
def test_an_upload_anew_takes_no_alias_from_a_newer_version(
    project: Project, aliases: tuple[str, ...]
) -> None:
    project.logged("one", aliases=aliases)
    project.archive()
    project.logged("two", aliases=aliases)
    archive = Archive.open(project.folder / "archive")
    newer = Selection(run_ids=("two",))  # the archive has `one` as it was: with `latest`
    assert not pull(HERE, archive, selection=newer, reserve_bytes=0).failures
    assert not push(archive, THERE).failures
    arrived = project.versions("moved")
    assert arrived == [("one", None), ("two", ",".join((*aliases, "latest")))]
    again = push(archive, THERE, selection=Selection(run_ids=("one",)), restart=True)
    assert [outcome.status for outcome in again.outcomes] == ["replaced"]
    assert project.versions("moved") == arrived


def test_a_second_upload_in_full_makes_no_version_twice(project: Project) -> None:
    project.logged("one", "one", "two")
    archive = project.archive()
    assert not push(archive, THERE).failures
    arrived = project.versions("moved")
    report = push(archive, THERE, restart=True)
    assert {outcome.status for outcome in report.outcomes} == {"replaced"}
    assert project.versions("moved") == arrived
    assert exit_of_verifying(archive) == ExitCode.DONE


def test_what_a_run_used_is_foretold_not_to_arrive_and_nothing_is_uploaded_for_it_again(
    project: Project,
) -> None:
    project.logged("one")
    project.service.put_run("lab/first/user", history_of=columns(3))
    project.service.put_artifact(
        "lab/first/data", "dataset", {"d": b"d"}, logged_by="lab/first/one",
        used_by=["lab/first/user"],
    )  # fmt: skip
    project.service.put_artifact("lab/first/net", "model", {"w": b"w"}, logged_by="lab/first/user")
    archive = project.archive()
    planned, pushed = plan_all(archive, THERE), push(archive, THERE)
    assert planned.exit_code == pushed.exit_code == ExitCode.LOSS
    assert [(loss.fate, loss.count) for loss in told(planned, "artifact")] == [(Fate.DROPPED, 1)]
    assert exit_of_verifying(archive) == ExitCode.LOSS
    arrived = project.versions("moved")
    again = push(project.archive("another"), THERE)
    assert {outcome.status for outcome in again.outcomes} == {"unchanged"}
    assert project.versions("moved") == arrived

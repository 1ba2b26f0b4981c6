"""Pulls from the service: what goes wrong, what is asked for, and what must never come out."""

from __future__ import annotations

import errno
import logging
import re
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.cli.calling import Caller
from tests.readers.wandb_service_runs import KEY, RICH, columns, opened, served

from runferry import settings
from runferry.archive.store import Archive
from runferry.errors import AuthFailed, BadLocation, NotFound
from runferry.losses import Fate
from runferry.ports import Location
from runferry.registry import reader
from runferry.settings import Settings
from runferry.testing.content import Content
from runferry.testing.wandb_service import RateLimit, RunContent, Trouble, WandbService
from runferry.transfer.pull import pull
from runferry.transfer.report import Report
from runferry.transfer.selection import Selection

IMPATIENT = Settings(timeout=5.0, patience=1.0)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[WandbService]:
    settings.install(IMPATIENT)
    with served(tmp_path / "home") as service:
        yield service
    settings.install(None)


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive.open(tmp_path / "archive", create=True)


def pulled(where: str, archive: Archive, **options: Any) -> Report:
    return pull(Location("wandb", where), archive, reserve_bytes=0, **options)


def contents(archive: Archive) -> dict[str, dict[str, Any]]:
    with_runs = reader("archive").open(Location("archive", str(archive.path)), _options())
    return {
        run.key.run_id: Content.of(with_runs.read(run)).comparable() for run in with_runs.runs()
    }


def _options() -> Any:
    from runferry.ports import ReadOptions

    return ReadOptions()


def fill(service: WandbService, projects: int = 2, runs: int = 4) -> None:
    ready = service.ready_history(columns(30), live_rows=30)
    for project in range(projects):
        for run in range(runs):
            path = f"lab/p{project}/r{project}-{run}"
            service.put_run(path, replace(RICH, tags=(f"t{run}",)), history_of=ready)


def statuses(report: Report) -> list[str]:
    return sorted(outcome.status for outcome in report.outcomes)


# --- what goes wrong


def test_a_wrong_key_is_said_with_what_to_do(
    service: WandbService, archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(service)
    wrong = "f" * 40
    monkeypatch.setenv("WANDB_API_KEY", wrong)
    report = pulled("lab/p0", archive)
    assert report.aborted is not None
    assert "WANDB_API_KEY" in report.aborted
    assert wrong not in report.aborted


def test_no_key_at_all_is_said_before_anything_is_asked(
    service: WandbService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WANDB_API_KEY")
    with pytest.raises(AuthFailed) as caught, opened("lab/p0"):
        pass
    assert "wandb login" in caught.value.hint
    assert service.requests.total == 0


@pytest.mark.parametrize("where", ["lab/nowhere", "nobody", "nobody/p0", "lab/p0/nothing"])
def test_what_is_not_there_is_not_found(service: WandbService, where: str) -> None:
    fill(service)
    with opened(where) as source, pytest.raises(NotFound) as caught:
        list(source.runs())
    assert caught.value.hint


@pytest.mark.parametrize("where", ["a/b/c/d", "ftp://host/a"])
def test_what_is_no_address_is_said(service: WandbService, where: str) -> None:
    with pytest.raises(BadLocation), opened(where):
        pass


def test_a_run_that_is_deleted_half_way_fails_alone(
    service: WandbService, archive: Archive
) -> None:
    fill(service, projects=1)
    service.put_run("lab/p0/doomed", history_of=columns(3_000), live_rows=3_000)
    service.faults.add(
        Trouble("call", "graphql:HistoryPage", do=lambda: service.delete_run("lab/p0/doomed"))
    )
    report = pulled("lab/p0", archive)
    assert statuses(report) == ["failed", *["new"] * 4]
    (failure,) = report.failures
    assert "deleted" in str(failure.error)
    assert set(contents(archive)) == {f"r0-{n}" for n in range(4)}


def test_a_file_whose_bytes_the_storage_has_lost_costs_the_run_nothing_else(
    service: WandbService, archive: Archive
) -> None:
    service.put_run("lab/p/r", RunContent(files={"lost": b"1", "there": b"2"}))
    service.append_history("lab/p/r", [{"_step": step, "loss": 0.5} for step in range(3)])
    service.faults.add(Trouble("status", "storage:GET", status=404, times=2))
    report = pulled("lab/p", archive)
    assert statuses(report) == ["new"]
    assert [(loss.code, loss.fate, loss.count) for loss in report.losses] == [
        ("missing-blob", Fate.DROPPED, 1)
    ]
    assert statuses(pulled("lab/p", archive)) == ["grown"], "its bytes may be there by now"
    assert statuses(pulled("lab/p", archive)) == ["unchanged"]


def test_a_project_that_is_closed_to_us_fails_alone(
    service: WandbService, archive: Archive
) -> None:
    """Listed and not given: once while it is listed, once as the run that stands for it."""
    fill(service, projects=3, runs=2)
    service.faults.add(Trouble("status", "graphql:Runs", skip=1, status=403))
    service.faults.add(Trouble("status", "graphql:Runs", skip=1, status=403))
    report = pulled("lab", archive)
    (failure,) = report.failures
    assert failure.run == "p1/~unlisted"
    assert statuses(report) == ["failed", *["new"] * 4]
    assert set(contents(archive)) == {"r0-0", "r0-1", "r2-0", "r2-1"}
    assert statuses(pulled("lab", archive)) == [*["new"] * 2, *["unchanged"] * 4]


@pytest.mark.parametrize("skip", [0, 1, 3, 6])
def test_a_server_that_dies_and_comes_back_leaves_no_gap_and_no_duplicate(
    service: WandbService, archive: Archive, tmp_path: Path, skip: int
) -> None:
    fill(service)
    expected = Archive.open(tmp_path / "expected", create=True)
    assert not pulled("lab", expected).failures
    service.faults.add(Trouble("reset", "*", times=10_000, skip=skip))
    broken = pulled("lab", archive)
    assert broken.aborted is not None
    service.faults.clear()
    report = pulled("lab", archive)
    assert not report.failures
    assert len(report.outcomes) == 8
    assert contents(archive) == contents(expected)


def test_a_full_disk_is_said_and_a_rerun_finishes(
    service: WandbService, archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.put_run("lab/p/r", history_of=columns(3_000))

    def full(**_: object) -> object:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(tempfile, "TemporaryFile", full)
        report = pulled("lab/p", archive)
    assert report.aborted is not None
    assert "TMPDIR" in report.aborted
    assert not pulled("lab/p", archive).failures
    assert len(contents(archive)["r"]["rows"]["Points"]) == 9_000


# --- what is asked for


def test_many_small_runs_take_few_requests(service: WandbService, archive: Archive) -> None:
    ready = service.ready_history(columns(30), live_rows=30)
    for project in range(8):
        for run in range(4):
            service.put_run(f"lab/p{project}/r{project}-{run}", history_of=ready)
    assert not pulled("lab", archive, workers=4).failures
    assert service.requests.total == 1 + 8 + 32  # projects, their runs, and each of these
    service.requests.clear()
    assert set(statuses(pulled("lab", archive, workers=4))) == {"unchanged"}
    assert service.requests.total == 1 + 8 + 32


def test_workers_share_one_listing_and_keep_to_the_limit(
    service: WandbService, archive: Archive
) -> None:
    fill(service)
    service.faults.rate_limit = RateLimit(requests=8, seconds=0.3)
    settings.install(replace(IMPATIENT, patience=60.0))
    assert not pulled("lab", archive, workers=4).failures
    assert service.requests.at("graphql:GetProjects") == 1
    assert service.requests.by_status[429] <= 2


@pytest.mark.parametrize(
    ("selection", "expected", "at_most"),
    [
        (Selection(projects=("p1",)), {"r1-0", "r1-1", "r1-2", "r1-3"}, 1 + 1 + 4 * 2),
        (Selection(run_ids=("r0-2",)), {"r0-2"}, 1 + 2 + 2),
        (Selection(tags=("t3",)), {"r0-3", "r1-3"}, 1 + 2 + 2 * 2),
        (Selection(run_ids=("r0-*",), tags=("t[12]",)), {"r0-1", "r0-2"}, 1 + 2 + 2 * 2),
    ],
)
def test_what_is_selected_is_asked_for(
    service: WandbService,
    archive: Archive,
    selection: Selection,
    expected: set[str],
    at_most: int,
) -> None:
    fill(service)
    listed = service.requests.bytes_out
    assert not pulled("lab", archive, selection=selection).failures
    assert set(contents(archive)) == expected
    assert service.requests.at("graphql:*") <= at_most
    assert service.requests.bytes_out > listed


def test_a_uid_selects_a_run_too(service: WandbService, archive: Archive) -> None:
    fill(service)
    with opened("lab/p0") as source:
        run = next(source.runs())
    assert not pulled("lab", archive, selection=Selection(run_ids=(run.uid,))).failures
    assert set(contents(archive)) == {run.key.run_id}


def test_dates_select_as_they_do_elsewhere(service: WandbService, archive: Archive) -> None:
    from datetime import UTC, datetime

    for day in (1, 2, 3):
        content = RunContent(created_at=f"2024-01-0{day}T12:00:00")
        service.put_run(f"lab/p/day{day}", content)
    since = datetime(2024, 1, 2, 12, tzinfo=UTC)
    until = datetime(2024, 1, 3, 12, tzinfo=UTC)
    assert not pulled("lab/p", archive, selection=Selection(since=since, until=until)).failures
    assert set(contents(archive)) == {"day2"}


@pytest.mark.parametrize(
    ("since", "until", "taken"),
    [
        (None, "2024-01-03", {"uploaded-later", "at-once"}),
        ("2024-01-03", None, {"new"}),
        ("2024-01-01", "2024-01-02", {"at-once"}),
    ],
)
def test_dates_go_by_when_a_run_began_not_by_when_it_was_uploaded(
    service: WandbService, archive: Archive, since: str | None, until: str | None, taken: set[str]
) -> None:
    from datetime import UTC, datetime

    began = b'{"startedAt": "2024-01-02T12:00:00Z"}'
    for name, uploaded, files in (
        ("at-once", "2024-01-01T12:00:00", {}),
        ("uploaded-later", "2024-06-01T12:00:00", {"wandb-metadata.json": began}),
        ("new", "2024-06-02T12:00:00", {"wandb-metadata.json": b"{"}),
    ):
        service.put_run(f"lab/p/{name}", RunContent(created_at=uploaded, files=files))
    ends = [day and datetime.fromisoformat(day).replace(tzinfo=UTC) for day in (since, until)]
    pulled("lab/p", archive, selection=Selection(since=ends[0] or None, until=ends[1] or None))
    assert set(contents(archive)) == taken


def test_a_list_goes_by_when_runs_began_not_by_when_they_were_uploaded(
    service: WandbService, tmp_path: Path
) -> None:
    first = b'{"startedAt": "2024-01-02T12:00:00Z"}'
    for name, files in (("online", {}), ("offline", {"wandb-metadata.json": first})):
        content = RunContent(created_at="2024-03-01T12:00:00", files=files)
        service.put_run(f"lab/p/{name}", content)
    answer = Caller(tmp_path)("ls", "wandb:lab/p")
    listed = [line.split() for line in answer.out.splitlines()[1:]]
    assert [line[0] for line in listed] == ["offline", "online"]
    assert "2024-01-02" in listed[0]
    assert "2024-03-01" in listed[1]


def test_a_list_says_that_it_waits_for_the_server(service: WandbService, tmp_path: Path) -> None:
    service.put_run("lab/p/one", RunContent())
    service.faults.add(Trouble("status", "graphql:Runs", times=1, status=503, retry_after=1))
    answer = Caller(tmp_path)("ls", "wandb:lab/p")
    assert answer.code == 0
    assert "one" in answer.out
    assert "trying again in 1 s" in answer.err


def test_the_default_entity_is_the_accounts(service: WandbService) -> None:
    fill(service)
    for where in ("", "@"):
        with opened(where) as source:
            assert {run.entity for run in source.runs()} == {"lab"}
    with opened("@/p1") as source:
        assert {(run.entity, run.key.scope) for run in source.runs()} == {("lab", "p1")}


def test_a_url_of_the_app_means_what_it_shows(service: WandbService) -> None:
    fill(service)
    for path in ("lab/p0/runs/r0-1", "lab/p0/runs/r0-1/overview", "lab/p0/runs/r0-1?nw=x"):
        with opened(f"{service.url}/{path}") as source:
            assert [run.key.run_id for run in source.runs()] == ["r0-1"]
    with opened(f"{service.url}/lab/p1/workspace?nw=x") as source:
        assert {run.key.scope for run in source.runs()} == {"p1"}


# --- the command line


def test_the_command_line_lists_inspects_and_pulls(
    service: WandbService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    fill(service)
    runferry = Caller(tmp_path)
    listed = runferry("ls", "wandb:lab", "--json")
    assert (listed.code, len(listed.json["runs"])) == (0, 8)
    assert runferry("ls", "wandb:").code == 0
    assert "loss" in runferry("inspect", "wandb:lab/p0/r0-0").out
    answer = runferry("pull", "wandb:lab/p0", "a")
    assert (answer.code, answer.err.count("failed")) == (0, 0)
    assert set(contents(Archive.open(tmp_path / "a"))) == {f"r0-{n}" for n in range(4)}


def test_keys_and_signed_urls_come_out_nowhere(
    service: WandbService,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.chdir(tmp_path)
    caplog.set_level(logging.INFO)
    caplog.set_level(logging.INFO, "httpx")
    fill(service, projects=1, runs=2)
    service.put_run("lab/p0/large", history_of=columns(3_000), parts=2)
    service.faults.add(Trouble("status", "storage:GET", status=500, times=2))
    service.faults.add(Trouble("status", "storage:GET", status=404, times=3))
    service.faults.add(Trouble("reset", "graphql:Run", times=2))
    runferry = Caller(tmp_path)
    answers = [runferry("pull", "wandb:lab/p0", "a", "-vv", "--log-file", "log.txt")]
    service.faults.add(Trouble("status", "*", status=401, times=100))
    answers.append(runferry("pull", "wandb:lab/p0", "b", "-vv", "--log-file", "log.txt"))
    assert "storage" in caplog.text
    told = "".join([caplog.text, *(answer.out + answer.err for answer in answers)]).encode()
    written = [path for path in tmp_path.rglob("*") if path.is_file() and "home" not in path.parts]
    assert any(path.name == "log.txt" for path in written)
    for text in (told, *(path.read_bytes() for path in written)):
        assert KEY.encode() not in text
        assert not re.search(rb"Goog-Signature=[0-9a-f]", text)


def test_a_cap_on_the_rate_holds_for_all_workers_together(
    service: WandbService, archive: Archive
) -> None:
    fill(service)
    settings.install(replace(IMPATIENT, rate=25.0))
    began = time.monotonic()
    report = pulled("lab", archive, workers=4)
    assert statuses(report) == ["new"] * 8
    moments = service.requests.moments
    assert len(moments) == service.requests.total > 25
    assert moments[-1] - began >= (len(moments) - 1) / 25.0

"""Sent again, broken off, grown, beside others': one run of Neptune's, each value once."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from neptune_runs import wandb_run
from neptune_sending import ALL, PROJECT, sent, sent_well, shown
from neptune_sending import mode as mode  # noqa: PLC0414  a fixture
from neptune_sending import server as server  # noqa: PLC0414  a fixture
from tests.transfer.roads import IMPATIENT, archive_of

from runferry.archive.store import Archive
from runferry.locations import locate
from runferry.model import RunKey
from runferry.ports import Location
from runferry.testing.neptune_backend import NeptuneServer
from runferry.testing.recording import Recording, Sample
from runferry.testing.samples import START_NS, curve, header
from runferry.transfer.patience import Patience
from runferry.transfer.pull import pull
from runferry.transfer.push import push
from runferry.transfer.verify import verify_archive

AT_ONCE = Patience(seconds=0)
"""Gives up at the first error, however busy the machine is."""


def test_a_rerun_from_another_machine_appends_nothing_twice(
    server: NeptuneServer, tmp_path: Path
) -> None:
    sent_well(tmp_path / "first", wandb_run())
    before = shown(server)
    sent_well(tmp_path / "second", wandb_run())
    assert shown(server) == before
    assert list(server.runs) == [(PROJECT, "abc123")]


def test_a_second_push_sends_nothing(server: NeptuneServer, tmp_path: Path) -> None:
    archive = archive_of([wandb_run()], tmp_path)
    push(archive, Location("neptune", "team"))
    before = server.operations
    again = push(archive, Location("neptune", "team"))
    assert {outcome.status for outcome in again.outcomes} == {"unchanged"}
    assert server.operations == before


@pytest.mark.parametrize("at", [1, 5, 20, 35, 45, 55])
def test_broken_off_anywhere_then_sent_again_equals_one_clean_sending(
    at: int, server: NeptuneServer, tmp_path: Path
) -> None:
    clean = cleanly(server, tmp_path)
    archive = broken_off(server, tmp_path, at)
    again = push(archive, Location("neptune", "team"), selection=ALL, patience=AT_ONCE)
    assert not again.failures, [outcome.error for outcome in again.failures]
    assert shown_but_id(server) == clean


def test_what_another_machine_left_half_sent_is_taken_over_on_request(
    server: NeptuneServer, tmp_path: Path
) -> None:
    """It may be at it still: of a server that does not answer nobody hears that it gave up."""
    clean = cleanly(server, tmp_path)
    broken_off(server, tmp_path, 45)
    archive, there = archive_of([wandb_run()], tmp_path / "elsewhere"), Location("neptune", "team")
    (refused,) = push(archive, there, selection=ALL, patience=AT_ONCE).failures
    assert "another push is sending this run" in str(refused.error)
    report = push(archive, there, selection=ALL, patience=AT_ONCE, restart=True)
    assert not report.failures, [outcome.error for outcome in report.failures]
    assert shown_but_id(server) == clean


def cleanly(server: NeptuneServer, tmp_path: Path) -> dict[str, Any]:
    """What one sending shows, after which the run is removed."""
    sent_well(tmp_path / "clean", wandb_run())
    clean = shown_but_id(server)
    assert server.operations >= 55
    server.remove(PROJECT, "abc123")
    return clean


def broken_off(server: NeptuneServer, tmp_path: Path, at: int) -> Archive:
    """The archive of a push that gave up at this operation of the client."""
    server.operations, server.breaks_at = 0, at
    archive = archive_of([wandb_run()], tmp_path / "broken")
    report = push(archive, Location("neptune", "team"), selection=ALL, patience=AT_ONCE)
    assert report.failures or report.aborted
    server.breaks_at = None
    return archive


def shown_but_id(server: NeptuneServer) -> dict[str, Any]:
    return {path: value for path, value in shown(server).items() if path != "sys/id"}


def test_growth_is_added_and_nothing_is_doubled(server: NeptuneServer, tmp_path: Path) -> None:
    whole = curve(80, batch=20)
    for cut in (4, 7, len(whole.chunks)):
        sent_well(tmp_path / str(cut), Sample(whole.run, whole.chunks[:cut]))
    (project,) = server.projects
    found = shown(server, whole.run.key.run_id, project)
    assert [step for step, _, _ in found["metric/0"]] == [float(n) for n in range(80)]


@pytest.mark.parametrize("at", [20, 45, 55])
def test_a_run_is_sent_on_when_the_server_is_back(
    at: int, server: NeptuneServer, tmp_path: Path
) -> None:
    server.breaks_at = at
    archive = archive_of([wandb_run()], tmp_path)
    there = Location("neptune", "team")
    patient = Patience(seconds=20, first_pause=0.01, longest_pause=0.02)
    report = push(archive, there, selection=ALL, patience=patient)
    assert not report.failures, [outcome.error for outcome in report.failures]
    assert server.operations > at
    assert verify_archive(archive, there, selection=ALL).is_clean


def test_a_run_is_read_back_that_was_sent_from_a_folder_above(
    server: NeptuneServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    monkeypatch.chdir(tmp_path)
    archive = archive_of([wandb_run()], tmp_path)
    there = Location("neptune", "team")
    assert not push(archive, there, selection=ALL, patience=IMPATIENT).failures
    assert all(name.startswith("tmp/") for name in server.contents(PROJECT, "abc123")["files"])
    assert verify_archive(archive, there, selection=ALL).is_clean


@pytest.mark.parametrize("name", ["sys", "runferry"])
def test_metrics_called_like_a_namespace_that_stays_are_not_doubled(
    name: str, server: NeptuneServer, tmp_path: Path
) -> None:
    for count in (2, 3):
        run = Recording(wandb_run().run)
        for step in range(count):
            run.log({f"{name}/cpu": 0.5 + step}, step=step, time_ns=START_NS)
        report = sent_well(tmp_path / str(count), run.sample())
        assert server.refused == []
        found = shown(server)
        assert [step for step, _, _ in found[f"{name}~2/cpu"]] == list(range(count))
        assert f"{name}/cpu" not in found
        assert "renamed-key" in {loss.code for loss in report.losses}


def test_a_run_of_somebody_else_stays_as_it_is(server: NeptuneServer, tmp_path: Path) -> None:
    import neptune

    server.add(PROJECT)
    theirs = neptune.init_run(
        project=PROJECT,
        custom_run_id="abc123",
        mode="sync",
        capture_hardware_metrics=False,
        source_files=[],
        git_ref=False,
    )
    theirs["loss"].append(0.5, step=1)
    theirs.stop()
    before = shown(server)
    report = sent(tmp_path, wandb_run())
    (failure,) = report.failures
    assert "runferry did not make it" in (failure.error or "")
    after = shown(server)
    assert {p: v for p, v in after.items() if p == "loss"} == {"loss": before["loss"]}
    assert "runferry/uid" not in after


@pytest.mark.parametrize("workers", [1, 4])
def test_runs_of_one_id_are_kept_apart_in_one_project(
    server: NeptuneServer, tmp_path: Path, workers: int
) -> None:
    runs, keys = [], [RunKey("wandb", f"lab/{name}", "same") for name in ("a_b", "a-b", "c")]
    for key in keys:
        one = Recording(header("same", key=key))
        one.log({"loss": 0.5}, step=1, time_ns=START_NS)
        runs.append(one.sample())
    archive = archive_of(runs, tmp_path)
    place = Location("neptune", PROJECT)
    for statuses in ({"new"}, {"unchanged"}):
        report = push(archive, place, workers=workers)
        assert not report.failures
        assert {outcome.status for outcome in report.outcomes} == statuses
        assert len(server.runs) == len(runs)
        assert verify_archive(archive, place).is_clean
    ids = [run_id for _, run_id in server.runs]
    assert ids.count("same") == 1
    assert all(run_id == "same" or run_id.startswith("same~") for run_id in ids)
    assert [loss.code for loss in push(archive, place, restart=True).losses].count("run-id") == 2
    assert len(server.runs) == len(runs)


@pytest.mark.parametrize("where", ["neptune:team/vision", "neptune:./export", "csv:./tables"])
def test_a_run_and_its_copy_are_two_runs(
    server: NeptuneServer, where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    archive, copies = archive_of([curve(20)], tmp_path), Location("tensorboard", "./logs")
    assert not push(archive, copies).failures
    assert not pull(copies, archive, reserve_bytes=0).failures
    place = locate(where, role="destination")
    for status in ("new", "unchanged"):
        report = push(archive, place)
        assert [outcome.status for outcome in report.outcomes] == [status] * 2
        assert verify_archive(archive, place).is_clean

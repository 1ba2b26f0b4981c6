"""A run goes to SwanLab's cloud while it grows: what came since, once, at its own time."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from swanlab_service import CLOUD, SwanlabService, signed_in, written
from tests.transfer.roads import archive_of
from tests.writers.swanlab_grown import loss_of, run_with

from runferry import settings
from runferry.errors import Declined
from runferry.losses import Fate
from runferry.python_apart import command_apart, environment_apart
from runferry.registry import growing_writer, takes_growth
from runferry.testing.recording import Sample
from runferry.transfer.push import plan_all, push
from runferry.writers.swanlab import SwanlabWriter
from runferry.writers.swanlab import growing as module
from runferry.writers.upload_lock import one_upload

pytest.importorskip("swanlab", reason="no swanlab package")


@pytest.fixture(autouse=True)
def growing(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(module, "_BEGUN", set())
    before = settings.current()
    settings.install(settings.Settings(live_upload="growing", patience=30.0))
    yield
    settings.install(before)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[SwanlabService]:
    with signed_in(tmp_path / "home") as service:
        yield service


def grown(sample: Sample) -> SwanlabWriter:
    return written(CLOUD, sample, is_growing=True)


def test_rows_are_there_before_the_run_has_ended_and_each_comes_once(
    service: SwanlabService,
) -> None:
    grown(run_with([0, 1])).close()
    assert loss_of(service) == [(0, 0.0), (1, 1.0)]
    assert service.states == []  # running: whoever ended a part of it would have said so
    grown(run_with([0, 1, 2])).close()
    grown(run_with([0, 1, 2])).close()
    assert loss_of(service) == [(0, 0.0), (1, 1.0), (2, 2.0)]
    assert service.states == []
    grown(run_with([0, 1, 2, 3], is_over=True)).close()
    assert loss_of(service) == [(step, float(step)) for step in range(4)]
    assert [one["index"] for one in service.metrics["media"]] == [0, 1, 2, 3]
    assert [one["message"] for one in service.metrics["log"]] == [f"line {row}" for row in range(4)]
    assert service.states == ["FINISHED"]
    assert list(service.experiments) == ["growing"]


def test_rows_that_are_uploaded_as_they_come_keep_their_own_times(
    service: SwanlabService,
) -> None:
    grown(run_with([0])).close()
    grown(run_with([0, 1], is_over=True)).close()
    times = [one["create_time"] for one in service.metrics["scalar"] if one["key"] == "loss"]
    assert [time[:19] for time in times] == ["2023-11-14T22:13:20", "2023-11-14T22:13:21"]


def test_the_run_has_its_own_name_tags_and_project_from_the_first_row_on(
    service: SwanlabService,
) -> None:
    sample = run_with([0])
    named = replace(sample, run=replace(sample.run, name="owl", tags=("a", "b"), group="zoo"))
    grown(named).close()
    assert service.states == []
    (made,) = service.experiments.values()
    assert (made["name"], made["cluster"]) == ("owl", "zoo")
    assert [label["name"] for label in made["labels"]] == ["a", "b"]
    assert any("/project/team/proj" in asked for asked in service.asked)


def test_a_row_that_falls_back_moves_behind_what_was_sent(service: SwanlabService) -> None:
    grown(run_with([0, 1, 5])).close()
    grown(run_with([0, 1, 5, 2], is_over=True)).close()
    assert loss_of(service) == [(0, 0.0), (1, 1.0), (5, 2.0), (6, 3.0)]


def test_a_delivery_tells_that_rows_which_fall_back_move(
    service: SwanlabService, tmp_path: Path
) -> None:
    archive = archive_of([run_with([0, 1, 5, 2], is_over=True)], tmp_path)
    opened = growing_writer(CLOUD, is_ending=False)
    (sent,) = push(archive, CLOUD, open_writer=opened).outcomes
    told = {loss.where: loss.fate for loss in sent.losses if loss.code == "falling-step"}
    assert told == {"loss": Fate.ROUNDED, "word": Fate.ROUNDED}


def test_an_ordinary_push_knows_of_no_growth(service: SwanlabService, tmp_path: Path) -> None:
    """Nobody comes after it to say that a run without an end is over."""
    archive = archive_of([run_with([0, 1, 5, 2])], tmp_path)
    (planned,) = plan_all(archive, CLOUD).outcomes
    assert "falling-step" not in {loss.code for loss in planned.losses}
    assert not push(archive, CLOUD).failures
    assert loss_of(service) == [(0, 0.0), (1, 1.0), (2, 3.0), (5, 2.0)]
    assert service.states == ["CRASHED"]


def test_only_who_asks_for_it_sends_runs_that_have_not_ended() -> None:
    assert takes_growth(CLOUD)
    settings.install(settings.Settings())
    assert not takes_growth(CLOUD)


def test_an_upload_that_outlives_who_began_it_is_waited_for(
    service: SwanlabService, tmp_path: Path
) -> None:
    """The command of a killed process goes on: what it sends must not be sent twice."""
    code = """
import os, subprocess, sys
from runferry.writers.upload_lock import one_upload
with one_upload("swanlab", sys.argv[1]) as keeps:
    child = subprocess.Popen(["sleep", "60"], pass_fds=keeps)
    print(child.pid, flush=True)
    child.wait()
"""
    command = command_apart(code, "team/proj/growing")
    with subprocess.Popen(
        command, env=environment_apart(), stdout=subprocess.PIPE, text=True
    ) as began:
        assert began.stdout is not None
        orphan = int(began.stdout.readline())
        began.kill()
    try:
        settings.install(settings.Settings(live_upload="growing", patience=0.5))
        with pytest.raises(Declined, match="another upload of this run is still at work"):
            grown(run_with([0], is_over=True))
        assert loss_of(service) == []
    finally:
        os.kill(orphan, signal.SIGKILL)
    settings.install(settings.Settings(live_upload="growing", patience=10.0))
    grown(run_with([0], is_over=True)).close()
    assert loss_of(service) == [(0, 0.0)]
    with one_upload("swanlab", "team/proj/growing"):
        pass  # nobody has it any more

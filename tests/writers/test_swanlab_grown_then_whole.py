"""A run that grew in SwanLab's cloud and is pushed whole later: nothing comes a second time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from swanlab_service import CLOUD, SwanlabService, signed_in, written
from tests.transfer.roads import archive_of
from tests.writers.swanlab_grown import loss_of, run_with

from runferry import settings
from runferry.errors import ExitCode
from runferry.transfer.push import push
from runferry.transfer.report import Report
from runferry.writers.swanlab import growing as module
from runferry.writers.swanlab import read_back

pytest.importorskip("swanlab", reason="no swanlab package")


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SwanlabService]:
    monkeypatch.setattr(module, "_BEGUN", set())
    before = settings.current()
    settings.install(settings.Settings(live_upload="growing", patience=30.0))
    with signed_in(tmp_path / "home") as service:
        yield service
    settings.install(before)


def pushed_whole(folder: Path, steps: list[int]) -> Report:
    """By an ordinary push, which sorts rows by step and knows of no growth."""
    settings.install(settings.Settings(patience=30.0))
    report = push(archive_of([run_with(steps, is_over=True)], folder), CLOUD)
    assert not report.failures, report.failures
    return report


@pytest.mark.parametrize(
    ("grew", "whole"),
    [
        ([0, 1], [0, 1, 2, 3]),
        pytest.param([0, 1, 5, 2], [0, 1, 5, 2, 7], marks=pytest.mark.slow),
    ],
)
def test_a_run_that_grew_and_is_pushed_whole_has_each_row_once(
    service: SwanlabService, tmp_path: Path, grew: list[int], whole: list[int]
) -> None:
    written(CLOUD, run_with(grew), is_growing=True).close()
    pushed_whole(tmp_path, whole)
    assert sorted(value for _, value in loss_of(service)) == [float(n) for n in range(len(whole))]
    assert service.states == ["FINISHED"]
    assert list(service.experiments) == ["growing"]


@pytest.mark.slow
def test_a_row_that_an_ordinary_push_sorts_behind_what_is_there_is_a_loss(
    service: SwanlabService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`swanlab sync` sends what is behind the last step of a key; deliveries move such a row on."""
    monkeypatch.setattr(read_back, "SECONDS_TO_SUM_UP", 0.0)
    written(CLOUD, run_with([0, 1, 5]), is_growing=True).close()
    report = pushed_whole(tmp_path, [0, 1, 5, 2])
    assert loss_of(service) == [(0, 0.0), (1, 1.0), (5, 2.0)]
    (outcome,) = report.outcomes
    told = {loss.where: loss.count for loss in outcome.losses if loss.code == "not-arrived"}
    assert told == {"loss": 1, "word": 1}
    assert report.exit_code is ExitCode.LOSS

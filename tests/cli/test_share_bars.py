"""A bar of projects, or of models and of versions, beside that of the runs."""

from __future__ import annotations

import io
from dataclasses import replace

from rich.console import Console
from rich.progress import Progress

from runferry.cli.share_bars import ShareBars
from runferry.model import Run
from runferry.testing.samples import plain
from runferry.transfer.migrations import share_of
from runferry.transfer.progress import ListingObserver
from runferry.transfer.report import RunOutcome


def runs(*projects: str) -> list[Run]:
    return [replace(plain(f"r{n}").run, project=name) for n, name in enumerate(projects)]


def drawn() -> tuple[Progress, ShareBars]:
    progress = Progress(console=Console(file=io.StringIO()))
    return progress, ShareBars(progress, share_of("wandb-to-neptune"))


def state(progress: Progress) -> dict[str, tuple[float, float | None, bool]]:
    return {t.description: (t.completed, t.total, t.visible) for t in progress.tasks}


def test_a_project_is_done_with_the_last_of_its_runs() -> None:
    progress, bars = drawn()
    assert isinstance(bars, ListingObserver)
    listed = runs("a", "a", "b")
    bars.phase("push", 3)
    bars.listed("push", listed)
    seen = []
    for run in listed:
        bars.began("push", run)
        bars.ended("push", RunOutcome.of(run, "new"))
        seen.append(state(progress)["projects"][:2])
    assert seen == [(0, 2), (1, 2), (2, 2)]
    assert state(progress)["push"][:2] == (3, 3)


def test_where_nobody_knew_of_a_run_a_project_may_begin_again() -> None:
    progress, bars = drawn()
    bars.phase("pull", None)
    seen = []
    for run in runs("a", "b", "a"):
        bars.began("pull", run)
        seen.append(state(progress)["projects"])
        bars.ended("pull", RunOutcome.of(run, "new"))
    assert seen == [(0, 1, False), (1, 2, True), (1, 2, True)]
    assert state(progress)["projects"] == (2, 2, True)


def test_every_phase_counts_anew_and_one_project_has_no_bar() -> None:
    progress, bars = drawn()
    bars.phase("pull", None)
    bars.listed("pull", runs("a", "b"))
    bars.phase("push", 1)
    bars.listed("push", runs("a"))
    assert state(progress)["projects"] == (0, 1, False)

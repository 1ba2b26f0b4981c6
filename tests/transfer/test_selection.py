from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from runferry.model import Run, RunKey
from runferry.transfer.selection import Selection

RUN = Run(
    RunKey("t", "scope", "id-7"),
    project="vision",
    tags=("base", "good"),
    started_ns=1_700_000_000_000_000_000,
)


@pytest.mark.parametrize(
    ("selection", "is_taken"),
    [
        (Selection(), True),
        (Selection(projects=("vis*",)), True),
        (Selection(projects=("audio", "vision")), True),
        (Selection(projects=("audio",)), False),
        (Selection(run_ids=("id-*",)), True),
        (Selection(run_ids=(RUN.uid,)), True),
        (Selection(run_ids=("id-8",)), False),
        (Selection(tags=("go?d",)), True),
        (Selection(tags=("bad",)), False),
        (Selection(projects=("vision",), tags=("bad",)), False),
        (Selection(since=datetime(2023, 11, 1, tzinfo=UTC)), True),
        (Selection(since=datetime(2024, 1, 1, tzinfo=UTC)), False),
        (Selection(until=datetime(2024, 1, 1, tzinfo=UTC)), True),
        (Selection(until=datetime(2023, 11, 1, tzinfo=UTC)), False),
    ],
)
def test_a_run_matches_one_glob_of_every_field_given(selection: Selection, is_taken: bool) -> None:
    assert selection.takes_run(RUN) is is_taken


def test_a_run_without_a_date_is_not_selected_by_dates() -> None:
    undated = replace(RUN, started_ns=None)
    assert not Selection(since=datetime(1970, 1, 1, tzinfo=UTC)).takes_run(undated)


@pytest.mark.parametrize(
    ("globs", "taken"),
    [
        ((), {"loss", "val/loss", "debug/x"}),
        (("loss",), {"loss"}),
        (("*loss",), {"loss", "val/loss"}),
        (("!debug/*",), {"loss", "val/loss"}),
        (("*", "!*loss"), {"debug/x"}),
        (("!*", "loss"), {"loss"}),
    ],
)
def test_metric_globs_are_read_from_left_to_right(globs: tuple[str, ...], taken: set[str]) -> None:
    selection = Selection(metrics=globs)
    assert {key for key in ("loss", "val/loss", "debug/x") if selection.takes_series(key)} == taken

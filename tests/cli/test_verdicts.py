"""The one line that says what comparing came to."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runferry.cli.reports import verdict
from runferry.errors import Damaged
from runferry.losses import Fate, Loss
from runferry.model import Uid
from runferry.transfer.report import RunComparison, VerifyReport

SAME = RunComparison(Uid("a"), "a", "r")
OTHER = replace(SAME, unexpected=(Loss("metric", Fate.DROPPED, "loss"),))
REST = "and the remaining ones were not looked at"


@pytest.mark.parametrize(
    ("report", "says"),
    [
        (VerifyReport("a", "b"), "nothing to compare"),
        (VerifyReport("a", "b", runs=(SAME,)), "clean"),
        (VerifyReport("a", "b", runs=(SAME, OTHER)), "NOT clean"),
        (VerifyReport("a", "b", is_interrupted=True), "it ended before the first one"),
        (VerifyReport("a", "b", runs=(SAME,), is_interrupted=True), f"clean, {REST}"),
        (VerifyReport("a", "b", runs=(OTHER,), is_interrupted=True), f"NOT clean, {REST}"),
        (VerifyReport("a", "b", runs=(SAME,), cause=Damaged("gone")), f"clean, {REST}"),
    ],
)
def test_what_was_not_looked_at_is_not_called_different(report: VerifyReport, says: str) -> None:
    assert verdict(report) == says
    assert report.is_clean == (says in ("clean", "nothing to compare"))

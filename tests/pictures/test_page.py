"""What the page about a transfer says first is what came of it."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from runferry.errors import ExitCode
from runferry.losses import Fate, Loss
from runferry.model import Uid
from runferry.pictures.page import page
from runferry.pictures.page_losses import FATES
from runferry.pictures.page_runs import CHECKED
from runferry.pictures.told import Holdings, Told, ToldPhase, ToldRun, loss_kinds, of_push
from runferry.transfer.report import Report, RunOutcome

DROPPED = Loss("long-text", Fate.DROPPED, "note", 2, "longer than 500 characters")
RUN = ToldRun(Uid("0" * 32), "zoo/one", "new", "one", verdict="same", rows=3, remote="1")
PHASE = ToldPhase("push", "wandb:zoo", "mlflow:x", {"new": 1}, 3)
TOLD = Told(
    "wandb:zoo", "mlflow:x", Fate.REENCODED, ExitCode.DONE, (PHASE,), [RUN], is_verified=True
)


def page_of(told: Told) -> str:
    return "".join(page(told, (), datetime(2026, 1, 31, tzinfo=UTC)))


def of_run(**changes: object) -> Told:
    return replace(TOLD, runs=[replace(RUN, **changes)])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("told", "tone", "said"),
    [
        (TOLD, "good", "Everything arrived"),
        (of_run(losses=(DROPPED,)), "warn", "beyond what is allowed (re-encoded)"),
        (replace(of_run(losses=(DROPPED,)), allowed=Fate.DROPPED), "good", "Everything arrived"),
        (of_run(unexpected=(DROPPED,), verdict="differs"), "bad", "differs that nothing foretold"),
        (of_run(status="failed", error="no room", verdict="no"), "bad", "1 run failed"),
        (of_run(status="not sent", verdict="no"), "warn", "1 run not sent"),
        (replace(TOLD, exit_code=ExitCode.INTERRUPTED), "warn", "Interrupted"),
        (replace(TOLD, phases=(replace(PHASE, aborted="disk full"),)), "bad", "disk full"),
        (replace(TOLD, phases=(replace(PHASE, name="plan"),)), "warn", "Nothing was sent"),
        (of_run(status="grown since", verdict="no"), "warn", "1 run not sent"),
        (replace(TOLD, runs=[]), "warn", "Nothing was selected"),
    ],
)
def test_the_verdict_is_the_gravest_that_holds(told: Told, tone: str, said: str) -> None:
    (verdict,) = re.findall(r'<p class="verdict (.*?)</p>', page_of(told))
    assert verdict.startswith(tone)
    assert said in verdict


@pytest.mark.parametrize(
    ("verdicts", "said"),
    [
        (["same"], "Every value was read back, and is equal."),
        (["same", "foretold"], "equal, apart from losses that were foretold."),
        (["same", "no"], "1 run of 2 not compared."),
        (["no"], "What arrived was not compared with the original."),
        (["before"], "was compared value by value before"),
    ],
)
def test_no_more_is_said_to_be_compared_than_was(verdicts: list[str], said: str) -> None:
    runs = [replace(RUN, verdict=verdict) for verdict in verdicts]  # type: ignore[arg-type]
    text = page_of(replace(TOLD, runs=runs))
    assert said in text
    assert all(CHECKED[verdict] in text for verdict in verdicts)  # type: ignore[index]


def test_each_code_has_its_reasons_places_and_runs() -> None:
    other = replace(DROPPED, where="other", count=5, detail="another reason")
    runs = [replace(RUN, losses=(DROPPED, other)), replace(RUN, uid=Uid("1"), losses=(DROPPED,))]
    (kind,) = loss_kinds(runs)
    assert (kind.count, kind.runs) == (9, 2)
    assert kind.places == (("other", 5), ("note", 4))
    assert kind.details == ("another reason", "longer than 500 characters")
    text = page_of(replace(TOLD, runs=runs))
    assert 'data-loss="long-text" data-fate="dropped" data-count="9"' in text
    assert FATES[Fate.DROPPED] in text


def test_what_is_possible_is_told_beside_what_is_certain_and_never_added_to_it() -> None:
    outcome = RunOutcome(
        RUN.uid, "zoo/one", "planned",
        losses=(replace(DROPPED, count=3),), possible=(replace(DROPPED, count=5),),
    )  # fmt: skip
    report = Report("plan", "wandb:zoo", "mlflow:x", outcomes=(outcome,))
    text = page_of(of_push(report, {}, Holdings()))
    assert re.findall(r'data-loss="long-text" data-fate="dropped" data-count="(.*?)"', text) == [
        "3"
    ]
    assert re.findall(r'data-possible="long-text".*?data-count="(.*?)"', text) == ["5"]
    assert "<p>3 lost;" in text
    assert '<dd data-tile="lost">3</dd>' in text
    assert "3 long-text dropped; possible besides, at most: 5 long-text dropped" in text
    assert "up to 5" in text


def test_a_plan_of_what_is_possible_alone_says_that_nothing_is_certain() -> None:
    text = page_of(of_run(status="planned", possible=(DROPPED,)))
    assert "<p>Nothing for certain.</p>" in text
    assert '<dd data-tile="lost">0</dd>' in text
    assert FATES[Fate.DROPPED] in text
    assert "possible" not in page_of(TOLD).lower()


def test_every_fate_is_explained() -> None:
    assert set(FATES) == set(Fate)
